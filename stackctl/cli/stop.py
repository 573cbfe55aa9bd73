"""`stackctl stop`."""

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="stop", rich_markup_mode=None, add_completion=False)


@app.command(name="stop", epilog="\b\nExamples:\n  stackctl stop\n  stackctl stop web")
def stop(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    timeout: local_options.StopTimeout = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Stop the containers of a stack, dependents first, without removing them."""
    from stackctl.cli import ending

    flags = ending.EndFlags(
        tuple(services or ()), timeout_seconds=timeout, progress=progress, is_dry_run=dry_run
    )
    return ending.stop(options.session_of(context), flags)
