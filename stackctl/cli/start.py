"""`stackctl start`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="start", rich_markup_mode=None, add_completion=False)


@app.command(name="start", epilog="\b\nExamples:\n  stackctl start\n  stackctl start web")
def start(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all run and are healthy.")
    ] = False,
    wait_timeout: Annotated[
        int | None,
        typer.Option(
            "--wait-timeout", metavar="SECONDS", min=0, help="How long to wait.", show_default=False
        ),
    ] = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Start stopped containers of a stack, in the order of their dependencies."""
    from stackctl.cli import container_changes, ending

    flags = ending.EndFlags(tuple(services or ()), progress=progress, is_dry_run=dry_run)
    return container_changes.start(
        options.session_of(context),
        flags,
        container_changes.StartFlags(wait or wait_timeout is not None, wait_timeout),
    )
