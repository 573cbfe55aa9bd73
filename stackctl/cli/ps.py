"""`stackctl ps`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options
from stackctl.cli.listings import container_lists

app = typer.Typer(name="ps", rich_markup_mode=None, add_completion=False)


@app.command(name="ps", epilog="\b\nExamples:\n  stackctl ps\n  stackctl ps -a --format json web")
def ps(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    shows_all: Annotated[
        bool, typer.Option("--all", "-a", help="Show stopped containers, too, and those of run.")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="status=STATUS", help="Show only what matches."),
    ] = None,
    statuses: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help="Show only containers in this state."),
    ] = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
    lists_services: Annotated[
        bool, typer.Option("--services", help="Print the names of services only.")
    ] = False,
    orphans: Annotated[
        bool,
        typer.Option(
            "--orphans/--no-orphans", help="Show containers of services the file has no more."
        ),
    ] = True,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Cut nothing.")] = False,
) -> int:
    """List the containers of a stack on this engine."""
    return container_lists.list_stack_containers(
        options.session_of(context),
        tuple(services or ()),
        container_lists.PsOptions(
            shows_all=shows_all,
            shows_orphans=orphans,
            lists_services=lists_services,
            statuses=tuple(statuses or ()),
            list_options=options.list_options(
                filters=filters, layout=layout, is_quiet=quiet, no_trunc=no_trunc
            ),
        ),
    )
