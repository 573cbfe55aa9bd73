"""`stackctl deploy`."""

from typing import Annotated

import typer

from stackctl.cli import compose_options, deploying, options, planning
from stackctl.cli.waiting import WaitOptions
from stackctl.errors import InputError

app = typer.Typer(
    name="deploy",
    rich_markup_mode=None,
    add_completion=False,
)

EPILOG = """\b
Examples:
  stackctl deploy -c compose.yaml shop
  stackctl deploy --build --prune --timeout 120 -c compose.yaml -c production.yaml shop"""


@app.command(name="deploy", epilog=EPILOG)
def deploy(
    context: typer.Context,
    *,
    stack: Annotated[str, typer.Argument(metavar="STACK", help="Name of the stack.")],
    files: compose_options.Files = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    lenient: compose_options.Lenient = False,
    detach: options.Detach = False,
    prune: compose_options.Prune = False,
    rerun: compose_options.Rerun = False,
    build: Annotated[
        bool,
        typer.Option(
            "--build",
            help="Build the images of services that have build: on the engine here, and hand them"
            " to the nodes without a registry.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; show the plan, as `plan` does.")
    ] = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Deploy a stack from a Compose file, or update it, and wait until it runs."""
    chosen = deploying.DeployOptions(
        files=compose_options.FileOptions(files, env_files, profiles, project_directory),
        is_lenient=lenient,
        is_detached=detach,
        prunes=prune,
        reruns=rerun,
        builds=build,
        wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
    )
    session = options.session_of(context)
    if dry_run and build:
        raise InputError(
            "--dry-run and --build exclude each other: what a build gives is known afterwards"
        )
    if dry_run:
        return planning.plan(session, stack, chosen)
    return deploying.deploy(session, stack, chosen)
