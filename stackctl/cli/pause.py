"""`stackctl pause`."""

import typer

from stackctl.cli import local_options, options
from stackctl.local.running import Signal

app = typer.Typer(name="pause", rich_markup_mode=None, add_completion=False)


@app.command(name="pause", epilog="\b\nExamples:\n  stackctl pause\n  stackctl pause web")
def pause(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    progress: local_options.Progress = None,
) -> int:
    """Freeze the processes of a stack's containers."""
    from stackctl.cli import container_changes, ending

    flags = ending.EndFlags(tuple(services or ()), progress=progress)
    return container_changes.signal_all(options.session_of(context), flags, Signal.PAUSE)
