"""`stackctl rm`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="rm", rich_markup_mode=None, add_completion=False)


@app.command(name="rm", epilog="\b\nExamples:\n  stackctl rm\n  stackctl rm web")
def rm(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not ask.")] = False,
    stop: Annotated[bool, typer.Option("--stop", "-s", help="Stop them first.")] = False,
    volumes: Annotated[
        bool, typer.Option("--volumes", "-v", help="Remove their anonymous volumes, too.")
    ] = False,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Remove stopped containers of a stack."""
    from stackctl.cli import ending

    flags = ending.EndFlags(
        tuple(services or ()), volumes=volumes, progress=progress, is_dry_run=dry_run
    )
    return ending.remove(options.session_of(context), flags, stops=stop, forces=force)
