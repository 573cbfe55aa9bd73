"""`stackctl down`."""

from enum import StrEnum
from typing import Annotated

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="down", rich_markup_mode=None, add_completion=False)


class Images(StrEnum):
    """`--rmi`."""

    LOCAL = "local"
    ALL = "all"


@app.command(name="down", epilog="\b\nExamples:\n  stackctl down\n  stackctl down -v --rmi local")
def down(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    volumes: Annotated[
        bool,
        typer.Option(
            "--volumes", "-v", help="Remove volumes, too: those of the file, and unnamed."
        ),
    ] = False,
    rmi: Annotated[
        Images | None,
        typer.Option(
            "--rmi",
            help="Remove images, too: all, or those that were built here without a name.",
            show_default=False,
        ),
    ] = None,
    remove_orphans: local_options.RemoveOrphans = False,
    timeout: local_options.StopTimeout = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Stop and remove the containers and networks of a stack."""
    from stackctl.cli import ending

    session = options.session_of(context)
    orphans = remove_orphans or options.session_of(context).says_yes("COMPOSE_REMOVE_ORPHANS")
    flags = ending.EndFlags(
        tuple(services or ()), timeout, volumes, rmi or "", orphans, progress, dry_run
    )
    return ending.down(session, flags)
