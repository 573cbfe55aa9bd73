"""`stackctl kill`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options
from stackctl.local.running import Signal

app = typer.Typer(name="kill", rich_markup_mode=None, add_completion=False)


@app.command(name="kill", epilog="\b\nExamples:\n  stackctl kill\n  stackctl kill web")
def kill(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    signal: Annotated[
        str, typer.Option("--signal", "-s", metavar="SIGNAL", help="Such as SIGTERM or HUP.")
    ] = "SIGKILL",
    remove_orphans: local_options.RemoveOrphans = False,
    progress: local_options.Progress = None,
) -> int:
    """Send a signal to the containers of a stack, by default the one that ends them at once."""
    from stackctl.cli import container_changes, ending

    flags = ending.EndFlags(tuple(services or ()), progress=progress)
    session = options.session_of(context)
    code = container_changes.signal_all(session, flags, Signal.KILL, name=signal)
    return ending.remove_orphans(session, flags) if remove_orphans else code
