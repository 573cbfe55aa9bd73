"""`stackctl plan`."""

from typing import Annotated

import typer

from stackctl.cli import compose_options, options, planning
from stackctl.cli.deploying import DeployOptions

app = typer.Typer(
    name="plan",
    rich_markup_mode=None,
    add_completion=False,
)

EPILOG = """\b
Exit codes: 0 nothing would change, 10 something would; others as everywhere.

\b
Examples:
  stackctl plan -c compose.yaml shop
  stackctl plan --prune --format json -c compose.yaml shop"""


@app.command(name="plan", epilog=EPILOG)
def plan(
    context: typer.Context,
    *,
    stack: Annotated[str, typer.Argument(metavar="STACK", help="Name of the stack.")],
    files: compose_options.Files = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    lenient: compose_options.Lenient = False,
    prune: compose_options.Prune = False,
    rerun: compose_options.Rerun = False,
    layout: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="text or json.", show_default=True),
    ] = "text",
) -> int:
    """Show what deploying a stack would create, change, move and stop; nothing is changed."""
    return planning.plan(
        options.session_of(context),
        stack,
        DeployOptions(
            files=compose_options.FileOptions(files, env_files, profiles, project_directory),
            is_lenient=lenient,
            prunes=prune,
            reruns=rerun,
        ),
        layout=planning.parse_layout(layout),
    )
