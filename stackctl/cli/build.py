"""`stackctl build`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import images_making, local_options, options
from stackctl.cli.bringing_up import progress_mode
from stackctl.cli.render.step_progress import ProgressMode
from stackctl.compose.grammar.quantities import parse_bytes
from stackctl.errors import InputError
from stackctl.local.building.build_request import BuildFlags

app = typer.Typer(name="build", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl build
  stackctl build --build-arg VERSION=2 --no-cache --push web

DOCKER_BUILDKIT=0 takes the engine's classic builder, 1 insists on its BuildKit."""


@app.command(name="build", epilog=EPILOG)
def build(
    context: typer.Context,
    services: shared.Services = None,
    *,
    build_argument: Annotated[
        list[str] | None,
        typer.Option(
            "--build-arg",
            metavar="NAME[=VALUE]",
            help="Set an argument of the build; a name alone is taken from here.",
        ),
    ] = None,
    memory: Annotated[
        str,
        typer.Option(
            "--memory", "-m", metavar="BYTES", help="Memory of each step.", show_default=False
        ),
    ] = "",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every step, also unchanged ones.")
    ] = False,
    pull: Annotated[
        bool, typer.Option("--pull", help="Fetch the images after FROM, also those that are here.")
    ] = False,
    push: Annotated[bool, typer.Option("--push", help="Push the images afterwards.")] = False,
    push_to_cluster: Annotated[
        bool,
        typer.Option(
            "--push-to-cluster",
            help="Hand the images to the managers and to the nodes that will need them.",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Do not print what the builder says.")
    ] = False,
    with_dependencies: Annotated[
        bool,
        typer.Option("--with-dependencies", help="Build the services that these need, too."),
    ] = False,
    progress: local_options.Progress = None,
) -> int:
    """Build the images of services that have `build:`."""
    session, local = options.session_of(context), shared.local_stack_of(context)
    mode = progress_mode(session, progress)
    quiet = quiet or mode is ProgressMode.QUIET
    flags = BuildFlags(
        arguments=parse_arguments(build_argument or ()),
        memory_bytes=parse_memory(memory),
        no_cache=no_cache,
        pull=pull,
        is_quiet=quiet,
    )
    code = images_making.build_images(
        session,
        local,
        services or (),
        flags,
        pushes=push,
        with_dependencies=with_dependencies,
        progress=mode,
    )
    if push_to_cluster and code == 0:
        from stackctl.cli import cluster_builds  # nothing else needs the cluster's side

        cluster_builds.push_to_cluster(session, local, services or (), is_quiet=quiet)
    return code


def parse_arguments(words: list[str] | tuple[str, ...]) -> dict[str, str | None]:
    """`NAME=value`, or a name alone (None). Raises InputError."""
    found: dict[str, str | None] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not name:
            raise InputError(f"--build-arg {word}: write NAME=VALUE, or NAME")
        found[name] = value if separator else None
    return found


def parse_memory(text: str) -> int:
    """Bytes of `512m`; 0 of nothing. Raises InputError."""
    if not text:
        return 0
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise InputError(f"--memory {text}: {error}") from error
