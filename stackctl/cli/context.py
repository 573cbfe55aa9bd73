"""`stackctl context`: named clusters, and which of them is meant without a flag."""

from typing import Annotated

import typer

from stackctl.cli import options
from stackctl.cli.render.tables import Columns, Row, render_list
from stackctl.cli.session import Session
from stackctl.client import contexts

app = typer.Typer(
    name="context",
    help="Contexts: named clusters to talk to.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_COLUMNS = Columns(
    headers={"Name": "NAME", "Current": "CURRENT", "Endpoints": "ENDPOINTS"},
    shown=("Name", "Endpoints"),
)


@app.command(
    name="ls",
    epilog="\b\nExamples:\n  stackctl context ls\n  stackctl context ls --format json",
)
@app.command(name="list", hidden=True)
def list_contexts(
    context: typer.Context, quiet: options.Quiet = False, layout: options.Layout = ""
) -> int:
    """List contexts; a star marks the current one."""
    session = options.session_of(context)
    chosen = options.list_options(layout=layout, is_quiet=quiet)
    found = _read(session)
    if quiet:
        session.terminal.write("".join(f"{each.name}\n" for each in found.contexts))
        return 0
    rows: list[Row] = [
        {
            "Name": f"{each.name} *"
            if chosen.is_table and each.name == found.current
            else each.name,
            "Current": each.name == found.current,
            "Endpoints": ", ".join(each.endpoints),
        }
        for each in sorted(found.contexts)
    ]
    session.terminal.write(render_list(rows, _COLUMNS, layout=layout, width=None))
    return 0


@app.command(
    name="use",
    epilog="\b\nExamples:\n  stackctl context use lab\n  stackctl context use production",
)
def use(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="CONTEXT", help="Name of the context.")],
) -> int:
    """Make a context the current one."""
    session = options.session_of(context)
    contexts.use_context(_read(session), name)
    session.terminal.write(f"{name}\n")
    return 0


@app.command(
    name="show",
    epilog="\b\nExamples:\n  stackctl context show\n  stackctl --context lab context show",
)
def show(context: typer.Context) -> int:
    """Show which managers would be asked, and why these."""
    session = options.session_of(context)
    target = contexts.choose_target(session.choice, session.environment)
    session.terminal.write(
        f"{target.source}: {', '.join(str(each) for each in target.endpoints)}\n"
    )
    return 0


def _read(session: Session) -> contexts.ContextFile:
    return contexts.read_contexts(contexts.contexts_path(session.environment))
