"""`stackctl ls`."""

from typing import Annotated

import typer

from stackctl.cli import options
from stackctl.cli.listings import container_lists

app = typer.Typer(name="ls", rich_markup_mode=None, add_completion=False)


@app.command(name="ls", epilog="\b\nExamples:\n  stackctl ls\n  stackctl ls -a --format json")
def ls(
    context: typer.Context,
    *,
    shows_all: Annotated[
        bool, typer.Option("--all", "-a", help="Show stacks of which nothing runs, too.")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="name=TEXT", help="Show only names with this in them."),
    ] = None,
    layout: options.Layout = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names only.")] = False,
) -> int:
    """List the stacks that have containers on this engine."""
    return container_lists.list_stacks_of_engine(
        options.session_of(context),
        shows_all=shows_all,
        options=options.list_options(filters=filters, layout=layout, is_quiet=quiet),
    )
