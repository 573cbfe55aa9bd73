"""`stackctl create`."""

import typer

from stackctl.cli import local_options, options, up_flags
from stackctl.local.execute import AT_ONCE_MAX
from stackctl.local.image_needs import ImageFlags, PullFlag
from stackctl.local.reconcile import PlanOptions
from stackctl.local.up import UpOptions

app = typer.Typer(name="create", rich_markup_mode=None, add_completion=False)


@app.command(
    name="create", epilog="\b\nExamples:\n  stackctl create\n  stackctl create --scale web=3 web"
)
def create(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    build: up_flags.Build = False,
    no_build: up_flags.NoBuild = False,
    quiet_build: up_flags.QuietBuild = False,
    pull: up_flags.Pull = PullFlag.POLICY,
    quiet_pull: up_flags.QuietPull = False,
    force_recreate: up_flags.ForceRecreate = False,
    no_recreate: up_flags.NoRecreate = False,
    remove_orphans: local_options.RemoveOrphans = False,
    scale: up_flags.Scale = None,
    yes: up_flags.Yes = False,
    parallel: local_options.Parallel = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Make the containers, networks and volumes of a Compose file, and start nothing."""
    from stackctl.cli import bringing_up

    plan = PlanOptions(
        services=tuple(services or ()),
        recreate=up_flags.recreation(force=force_recreate, never=no_recreate),
        recreate_dependencies=up_flags.recreation(force=False, never=no_recreate),
        removes_orphans=remove_orphans,
        replaces_volumes=yes,
        starts=False,
        scale=local_options.parse_scale(scale),
    )
    flags = bringing_up.UpFlags(
        services=plan.services,
        options=UpOptions(
            plan,
            up_flags.checked(ImageFlags(pull, build, no_build, quiet_pull, quiet_build)),
            parallel or AT_ONCE_MAX,
        ),
        progress=progress,
        is_dry_run=dry_run,
    )
    bringing_up.bring_up(options.session_of(context), flags, title="create")
    return 0
