"""`stackctl config`."""

from enum import StrEnum
from typing import Annotated

import typer

from stackctl.cli import compose_options, configuring, options
from stackctl.cli.configuring import ConfigOptions, Listing

app = typer.Typer(name="config", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl config -c compose.yaml -c production.yaml --format json -o merged.json
  stackctl config --images web"""


class Format(StrEnum):
    """How the files are printed."""

    YAML = "yaml"
    JSON = "json"


Chosen = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SERVICE]...",
        help="Only these services, and what they need.  [default: all]",
        show_default=False,
    ),
]
Layout = Annotated[Format, typer.Option("--format", help="How to print the files.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing: the exit code says all.")
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file.", show_default=False),
]
Services = Annotated[bool, typer.Option("--services", help="List services.")]
Volumes = Annotated[bool, typer.Option("--volumes", help="List volumes.")]
Networks = Annotated[bool, typer.Option("--networks", help="List networks.")]
ProfileNames = Annotated[bool, typer.Option("--profiles", help="List profiles.")]
Images = Annotated[bool, typer.Option("--images", help="List images.")]
Models = Annotated[bool, typer.Option("--models", help="List models.")]
Variables = Annotated[
    bool, typer.Option("--variables", help="List the variables that the files use.")
]
Environment = Annotated[
    bool, typer.Option("--environment", help="Print these variables as NAME=VALUE.")
]
Hashed = Annotated[
    str | None,
    typer.Option(
        "--hash",
        metavar="SERVICE",
        help="Print a hash of what makes a service's containers; '*' is every service.",
        show_default=False,
    ),
]
NoInterpolate = Annotated[
    bool, typer.Option("--no-interpolate", help="Print the merged files with their variables.")
]
NoNormalize = Annotated[
    bool, typer.Option("--no-normalize", help="Print the merged files with the forms they have.")
]
NoPathResolution = Annotated[
    bool, typer.Option("--no-path-resolution", help="The same: paths stay as they are.")
]
NoEnvResolution = Annotated[
    bool, typer.Option("--no-env-resolution", help="The same: env_file: stays as it is.")
]
NoConsistency = Annotated[
    bool, typer.Option("--no-consistency", help="Do not check whether names and ports fit.")
]


@app.command(name="config", epilog=EPILOG)
def config(
    context: typer.Context,
    chosen: Chosen = None,
    *,
    files: compose_options.Files = None,
    name: compose_options.Name = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    layout: Layout = Format.YAML,
    quiet: Quiet = False,
    output: Output = None,
    services: Services = False,
    volumes: Volumes = False,
    networks: Networks = False,
    profile_names: ProfileNames = False,
    images: Images = False,
    models: Models = False,
    variables: Variables = False,
    environment: Environment = False,
    hashed: Hashed = None,
    no_interpolate: NoInterpolate = False,
    no_normalize: NoNormalize = False,
    no_path_resolution: NoPathResolution = False,
    no_env_resolution: NoEnvResolution = False,
    no_consistency: NoConsistency = False,
) -> int:
    """Check Compose files and print what they say together, in one canonical form."""
    wanted = {
        Listing.SERVICES: services,
        Listing.VOLUMES: volumes,
        Listing.NETWORKS: networks,
        Listing.PROFILES: profile_names,
        Listing.IMAGES: images,
        Listing.MODELS: models,
        Listing.VARIABLES: variables,
        Listing.ENVIRONMENT: environment,
        Listing.HASH: hashed is not None,
    }
    asked = ConfigOptions(
        files=compose_options.FileOptions(files, env_files, profiles, project_directory),
        stack_name=name,
        services=tuple(chosen or ()),
        as_json=layout is Format.JSON,
        is_quiet=quiet,
        output=output,
        listings=tuple(listing for listing, is_wanted in wanted.items() if is_wanted),
        hashed=hashed or "",
        is_interpolated=not no_interpolate,
        is_normalized=not (no_normalize or no_path_resolution or no_env_resolution),
        is_checked=not no_consistency,
    )
    return configuring.print_config(options.session_of(context), asked)
