"""`stackctl watch`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.bringing_up import UpFlags, bring_up
from stackctl.cli.render.step_progress import ProgressMode
from stackctl.cli.watch_loop import Watch
from stackctl.local.reconcile import PlanOptions
from stackctl.local.up import UpOptions

app = typer.Typer(name="watch", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl watch
  stackctl watch --no-up web"""


@app.command(name="watch", epilog=EPILOG)
def watch(
    context: typer.Context,
    services: shared.Services = None,
    *,
    no_up: Annotated[
        bool, typer.Option("--no-up", help="Do not build and start the services before.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="Remove images that rebuilding replaced.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not tell what is done.")] = False,
) -> int:
    """Copy, rebuild or restart as `develop.watch` says whenever files change, until interrupted."""
    session = options.session_of(context)
    local = shared.local_stack_of(context)
    named = tuple(services or ())
    stack = local.read(named=named)
    loop = Watch(session, local, stack, services=named, prunes=prune, is_quiet=quiet)
    if not no_up:
        mode = ProgressMode.QUIET if quiet else None
        flags = UpFlags(named, UpOptions(plan=PlanOptions(services=named)), mode)
        bring_up(session, flags, local=local, stack=stack)
    loop.run()
    return 0
