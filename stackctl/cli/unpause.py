"""`stackctl unpause`."""

import typer

from stackctl.cli import local_options, options
from stackctl.local.running import Signal

app = typer.Typer(name="unpause", rich_markup_mode=None, add_completion=False)


@app.command(name="unpause", epilog="\b\nExamples:\n  stackctl unpause\n  stackctl unpause web")
def unpause(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    progress: local_options.Progress = None,
) -> int:
    """Let the processes of paused containers go on."""
    from stackctl.cli import container_changes, ending

    flags = ending.EndFlags(tuple(services or ()), progress=progress)
    return container_changes.signal_all(options.session_of(context), flags, Signal.UNPAUSE)
