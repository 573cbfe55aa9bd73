"""`stackctl restart`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="restart", rich_markup_mode=None, add_completion=False)


@app.command(name="restart", epilog="\b\nExamples:\n  stackctl restart\n  stackctl restart web")
def restart(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    timeout: local_options.StopTimeout = None,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Leave out services that restart with these.")
    ] = False,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Restart the containers of a stack, and those that restart with them."""
    from stackctl.cli import container_changes, ending

    flags = ending.EndFlags(
        tuple(services or ()), timeout_seconds=timeout, progress=progress, is_dry_run=dry_run
    )
    return container_changes.restart(
        options.session_of(context), flags, with_dependents=not no_deps
    )
