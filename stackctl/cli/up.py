"""`stackctl up`."""

import typer

from stackctl.cli import local_options, options, up_flags
from stackctl.local.execute import AT_ONCE_MAX
from stackctl.local.image_needs import ImageFlags, PullFlag
from stackctl.local.reconcile import PlanOptions
from stackctl.local.up import UpOptions

app = typer.Typer(name="up", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl up -d --wait
  stackctl up --build --scale web=3 web"""


@app.command(name="up", epilog=EPILOG)
def up(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    detach: up_flags.Detach = False,
    build: up_flags.Build = False,
    no_build: up_flags.NoBuild = False,
    quiet_build: up_flags.QuietBuild = False,
    pull: up_flags.Pull = PullFlag.POLICY,
    quiet_pull: up_flags.QuietPull = False,
    force_recreate: up_flags.ForceRecreate = False,
    no_recreate: up_flags.NoRecreate = False,
    always_recreate_deps: up_flags.AlwaysRecreateDeps = False,
    renew_anon_volumes: up_flags.RenewVolumes = False,
    no_deps: up_flags.NoDeps = False,
    no_start: up_flags.NoStart = False,
    remove_orphans: local_options.RemoveOrphans = False,
    scale: up_flags.Scale = None,
    yes: up_flags.Yes = False,
    watch: up_flags.Watch = False,
    menu: up_flags.Menu = False,  # noqa: ARG001 - its callback does the work
    wait: up_flags.Wait = False,
    wait_timeout: up_flags.WaitTimeout = None,
    timeout: local_options.StopTimeout = None,
    attach: up_flags.Attach = None,
    no_attach: up_flags.NoAttach = None,
    attach_dependencies: up_flags.AttachDependencies = False,
    abort_on_container_exit: up_flags.AbortOnExit = False,
    abort_on_container_failure: up_flags.AbortOnFailure = False,
    exit_code_from: up_flags.ExitCodeFrom = "",
    timestamps: up_flags.Timestamps = False,
    no_log_prefix: local_options.NoLogPrefix = False,
    no_color: local_options.NoColour = False,
    parallel: local_options.Parallel = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Make and start the services of a Compose file on this engine, and show what they write."""
    from stackctl.cli import bringing_up, foreground

    session = options.session_of(context)
    up_flags.refuse_kept(no_recreate, renews=renew_anon_volumes, replaces=always_recreate_deps)
    plan = PlanOptions(
        services=tuple(services or ()),
        with_dependencies=not no_deps,
        recreate=up_flags.recreation(force=force_recreate, never=no_recreate),
        recreate_dependencies=up_flags.recreation(force=always_recreate_deps, never=no_recreate),
        renews_volumes=renew_anon_volumes,
        removes_orphans=remove_orphans,
        replaces_volumes=yes,
        starts=not no_start,
        scale=local_options.parse_scale(scale),
        stop_timeout_seconds=timeout,
    )
    images = ImageFlags(pull, build, no_build, quiet_pull, quiet_build)
    wanted = UpOptions(plan, up_flags.checked(images, watches=watch), parallel or AT_ONCE_MAX)
    flags = bringing_up.UpFlags(plan.services, wanted, progress, is_dry_run=dry_run)
    if wait or wait_timeout is not None:
        flags = flags._replace(waits=True, wait_timeout_seconds=wait_timeout)
    attaching = foreground.AttachFlags(
        attached=tuple(attach or ()),
        left_out=tuple(no_attach or ()),
        with_dependencies=attach_dependencies,
        aborts_on_exit=abort_on_container_exit,
        aborts_on_failure=abort_on_container_failure,
        exit_code_from=exit_code_from,
        style=local_options.prefix_style(session, no_log_prefix, timestamps, no_color),
        watches=watch,
    )
    return foreground.run_up(session, flags, attaching, is_detached=detach or no_start or dry_run)
