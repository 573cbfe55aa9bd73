"""`stackctl lint`."""

from enum import StrEnum
from typing import Annotated

import typer

from stackctl.cli import compose_options, linting, options

app = typer.Typer(name="lint", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl lint -c compose.yaml
  stackctl lint --all --format json -c compose.yaml -c production.yaml"""


class Target(StrEnum):
    """What the files are meant for."""

    CLUSTER = "cluster"
    LOCAL = "local"


class Format(StrEnum):
    """How the verdicts are printed."""

    TABLE = "table"
    JSON = "json"


@app.command(name="lint", epilog=EPILOG)
def lint(
    context: typer.Context,
    *,
    files: compose_options.Files = None,
    name: compose_options.Name = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    target: Annotated[
        Target, typer.Option("--target", help="What the files are meant for: one host is local.")
    ] = Target.CLUSTER,
    layout: Annotated[
        Format, typer.Option("--format", help="How to print the verdicts.")
    ] = Format.TABLE,
    shows_all: Annotated[
        bool,
        typer.Option("--all", "-a", help="Show also the keys that are honoured as they stand."),
    ] = False,
) -> int:
    """Show what a cluster makes of each key of the Compose files, and every problem."""
    chosen = linting.LintOptions(
        files=compose_options.FileOptions(files, env_files, profiles, project_directory),
        stack_name=name,
        target=target.value,
        as_json=layout is Format.JSON,
        shows_all=shows_all,
    )
    return linting.lint(options.session_of(context), chosen)
