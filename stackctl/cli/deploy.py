"""`stackctl deploy`."""

from typing import Annotated

import typer

from stackctl.cli import compose_options, deploying, options
from stackctl.cli.waiting import WaitOptions

app = typer.Typer(
    name="deploy",
    rich_markup_mode=None,
    add_completion=False,
)

EPILOG = """\b
Examples:
  stackctl deploy -c compose.yaml shop
  stackctl deploy --prune --timeout 120 -c compose.yaml -c production.yaml shop"""


@app.command(name="deploy", epilog=EPILOG)
def deploy(
    context: typer.Context,
    *,
    stack: Annotated[str, typer.Argument(metavar="STACK", help="Name of the stack.")],
    files: compose_options.Files = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    lenient: Annotated[
        bool,
        typer.Option(
            "--lenient",
            help="Leave out what a cluster cannot honour, and say so, instead of refusing it.",
        ),
    ] = False,
    detach: options.Detach = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove services that the file no longer has.")
    ] = False,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run the stack's jobs again though nothing changed.")
    ] = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Deploy a stack from a Compose file, or update it, and wait until it runs."""
    return deploying.deploy(
        options.session_of(context),
        stack,
        deploying.DeployOptions(
            files=compose_options.FileOptions(files, env_files, profiles, project_directory),
            is_lenient=lenient,
            is_detached=detach,
            prunes=prune,
            reruns=rerun,
            wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
        ),
    )
