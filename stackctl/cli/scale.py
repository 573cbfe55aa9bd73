"""`stackctl scale`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options
from stackctl.local.reconcile import PlanOptions, Recreate
from stackctl.local.up import UpOptions

app = typer.Typer(name="scale", rich_markup_mode=None, add_completion=False)


@app.command(
    name="scale", epilog="\b\nExamples:\n  stackctl scale web=3\n  stackctl scale web=3 worker=0"
)
def scale(
    context: typer.Context,
    counts: Annotated[
        list[str], typer.Argument(metavar="SERVICE=N...", help="How many containers each has.")
    ],
    *,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Leave out what the services depend on.")
    ] = False,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Make and remove containers until services have so many."""
    from stackctl.cli import bringing_up

    wanted = local_options.parse_scale(counts)
    # Containers that are there stay as they are: only their number was asked for.
    plan = PlanOptions(
        services=tuple(wanted),
        with_dependencies=not no_deps,
        recreate=Recreate.NEVER,
        recreate_dependencies=Recreate.NEVER,
        scale=wanted,
    )
    flags = bringing_up.UpFlags(plan.services, UpOptions(plan), progress, is_dry_run=dry_run)
    bringing_up.bring_up(options.session_of(context), flags, title="scale")
    return 0
