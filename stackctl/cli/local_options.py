"""Flags that commands for one engine share, declared once so that they read alike."""

from typing import Annotated

import typer

from stackctl.cli.render.log_prefixes import PrefixStyle
from stackctl.cli.render.step_progress import ProgressMode
from stackctl.cli.session import Session
from stackctl.errors import InputError

Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", help="Only these services.", show_default=False),
]
StopTimeout = Annotated[
    int | None,
    typer.Option(
        "--timeout",
        "-t",
        metavar="SECONDS",
        min=0,
        help="How long a container has to stop before it is killed.  "
        "[default: its stop_grace_period, else 10]",
        show_default=False,
    ),
]
Progress = Annotated[
    ProgressMode | None,
    typer.Option(
        "--progress",
        help="How steps are shown, on stderr.  [env: COMPOSE_PROGRESS; default: auto]",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Change nothing; print what would be done, and why.")
]
RemoveOrphans = Annotated[
    bool,
    typer.Option(
        "--remove-orphans",
        help="Remove containers of services that the file no longer has.  "
        "[env: COMPOSE_REMOVE_ORPHANS]",
    ),
]
NoLogPrefix = Annotated[
    bool, typer.Option("--no-log-prefix", help="Print lines without the container's name.")
]
NoColour = Annotated[bool, typer.Option("--no-color", help="Print names without colours.")]
Parallel = Annotated[
    int | None,
    typer.Option(
        "--parallel",
        metavar="N",
        min=-1,
        help="How many steps are done at once, -1 is as many as make sense.  "
        "[env: COMPOSE_PARALLEL_LIMIT; default: 16]",
        show_default=False,
    ),
]


def prefix_style(session: Session, hides: bool, has_time: bool, is_plain: bool) -> PrefixStyle:
    """How lines of containers are shown."""
    colour = session.terminal.has_output_colour and not is_plain
    return PrefixStyle(has_prefix=not hides, has_time=has_time, has_colour=colour)


def parse_scale(words: list[str] | None) -> dict[str, int]:
    """`web=3` as a number for each service. Raises InputError."""
    found = {}
    for word in words or ():
        service, equals, count = word.partition("=")
        if not equals or not service or not (count.isascii() and count.isdigit()):
            raise InputError(f"{word!r} is no scale: write SERVICE=NUMBER, such as web=3")
        found[service] = int(count)
    return found
