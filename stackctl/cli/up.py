"""`stackctl up`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options
from stackctl.errors import InputError
from stackctl.local.execute import AT_ONCE_MAX
from stackctl.local.image_needs import ImageFlags, PullFlag
from stackctl.local.reconcile import PlanOptions, Recreate
from stackctl.local.up import UpOptions

app = typer.Typer(name="up", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl up -d --wait
  stackctl up --build --scale web=3 web"""


def recreation(*, force: bool, never: bool) -> Recreate:
    """The two flags as one word. Raises InputError when both are given."""
    if force and never:
        raise InputError("--force-recreate and --no-recreate exclude each other")
    if force:
        return Recreate.ALWAYS
    return Recreate.NEVER if never else Recreate.CHANGED


def image_flags(pull: PullFlag, *, builds: bool, never_builds: bool) -> ImageFlags:
    """The flags about images as one value. Raises InputError when they exclude each other."""
    if builds and never_builds:
        raise InputError("--build and --no-build exclude each other")
    return ImageFlags(pull, builds, never_builds)


Build = Annotated[bool, typer.Option("--build", help="Build images before anything starts.")]
NoBuild = Annotated[bool, typer.Option("--no-build", help="Build nothing, even if it is missing.")]
PullOption = Annotated[PullFlag, typer.Option("--pull", help="When images are fetched.")]
ForceRecreate = Annotated[
    bool, typer.Option("--force-recreate", help="Replace containers though nothing changed.")
]
NoRecreate = Annotated[
    bool, typer.Option("--no-recreate", help="Keep containers though something changed.")
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--scale",
        metavar="SERVICE=N",
        help="How many containers a service has; may be given several times.",
        show_default=False,
    ),
]


@app.command(name="up", epilog=EPILOG)
def up(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is started; show no output.")
    ] = False,
    build: Build = False,
    no_build: NoBuild = False,
    pull: PullOption = PullFlag.POLICY,
    force_recreate: ForceRecreate = False,
    no_recreate: NoRecreate = False,
    always_recreate_deps: Annotated[
        bool,
        typer.Option("--always-recreate-deps", help="Replace dependencies, too, though unchanged."),
    ] = False,
    renew_anon_volumes: Annotated[
        bool,
        typer.Option(
            "--renew-anon-volumes", "-V", help="Give new containers new anonymous volumes."
        ),
    ] = False,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Leave out what the services depend on.")
    ] = False,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Make it all, start nothing.")
    ] = False,
    remove_orphans: local_options.RemoveOrphans = False,
    scale: Scale = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all run and are healthy; implies --detach.")
    ] = False,
    wait_timeout: Annotated[
        int | None,
        typer.Option(
            "--wait-timeout", metavar="SECONDS", min=0, help="How long to wait.", show_default=False
        ),
    ] = None,
    timeout: local_options.StopTimeout = None,
    parallel: local_options.Parallel = None,
    progress: local_options.Progress = None,
    dry_run: local_options.DryRun = False,
) -> int:
    """Make and start the services of a Compose file on this engine, and show what they write."""
    from stackctl.cli import bringing_up

    named = tuple(services or ())
    if always_recreate_deps and no_recreate:
        raise InputError("--always-recreate-deps and --no-recreate exclude each other")
    if renew_anon_volumes and no_recreate:
        raise InputError("--renew-anon-volumes and --no-recreate exclude each other")
    recreate = recreation(force=force_recreate, never=no_recreate)
    dependencies = recreation(force=always_recreate_deps, never=no_recreate)
    plan = PlanOptions(
        services=named,
        with_dependencies=not no_deps,
        recreate=recreate,
        recreate_dependencies=dependencies,
        renews_volumes=renew_anon_volumes,
        removes_orphans=remove_orphans,
        starts=not no_start,
        scale=local_options.parse_scale(scale),
        stop_timeout_seconds=timeout,
    )
    images = image_flags(pull, builds=build, never_builds=no_build)
    flags = bringing_up.UpFlags(
        services=named,
        options=UpOptions(plan, images, parallel or AT_ONCE_MAX),
        progress=progress,
        is_dry_run=dry_run,
        waits=wait or wait_timeout is not None,
        wait_timeout_seconds=wait_timeout,
    )
    session = options.session_of(context)
    del detach
    bringing_up.bring_up(session, flags)
    return 0
