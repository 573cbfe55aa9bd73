"""Options and arguments that several commands share, declared once so that they read alike."""

from typing import Annotated

import typer

from stackctl.cli.listings.options import ListOptions
from stackctl.cli.moments import parse_duration
from stackctl.cli.session import Session

Endpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        "-H",
        metavar="URL",
        help="A manager to ask, unix:///PATH or https://ADDRESS:PORT; may be given several "
        "times.  [env: STACKCTL_ENDPOINT; default: the current context, else "
        "unix:///run/stackctl/manager.sock]",
    ),
]
ContextName = Annotated[
    str,
    typer.Option(
        "--context",
        metavar="CONTEXT",
        help="The cluster to talk to, by name.  [env: STACKCTL_CONTEXT]",
        show_default=False,
    ),
]
IdentityFolder = Annotated[
    str,
    typer.Option(
        "--identity",
        metavar="FOLDER",
        help="Where ca.pem, node.pem and node.key are, for https.  [env: STACKCTL_IDENTITY]",
        show_default=False,
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option("--filter", "-f", metavar="KEY=VALUE", help="Show only what matches."),
]
Layout = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, json (an object a line), or a template: '{{.Name}} {{.ID}}', "
        "'table {{.Name}}\\t{{.ID}}'.  [default: table]",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")]
NoTrunc = Annotated[
    bool,
    typer.Option(
        "--no-trunc",
        help="Print ids, images and errors whole; errors are cut on a narrow terminal only.",
    ),
]
NoResolve = Annotated[
    bool, typer.Option("--no-resolve", help="Print ids instead of names of services and nodes.")
]
Why = Annotated[
    bool, typer.Option("--why", help="Add a column with the reason why each task was made.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Return at once, do not wait until it is done.")
]
WaitQuietly = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        parser=parse_duration,
        help="Wait no longer than this (90, 90s, 1m30s), then end with exit code 4.  "
        "[default: no limit; 30 s without progress while tasks find no node]",
        show_default=False,
    ),
]
Pretty = Annotated[bool, typer.Option("--pretty", help="Print it for people instead of as JSON.")]
InspectLayout = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="TEMPLATE",
        help="Print a template filled in instead: '{{.spec.name}}', '{{json .labels}}'.",
        show_default=False,
    ),
]


def session_of(context: typer.Context) -> Session:
    """The run that a command belongs to."""
    session: Session = context.obj
    return session


def list_options(
    *,
    filters: list[str] | None = None,
    layout: str = "",
    is_quiet: bool = False,
    no_trunc: bool = False,
    no_resolve: bool = False,
    why: bool = False,
) -> ListOptions:
    """The flags of a list as one value."""
    return ListOptions(
        filters=tuple(filters or ()),
        layout=layout,
        is_quiet=is_quiet,
        is_cut=not no_trunc,
        is_resolved=not no_resolve,
        shows_cause=why,
    )
