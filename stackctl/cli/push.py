"""`stackctl push`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import images_making, local_options, options
from stackctl.cli.images_making import TransferFlags

app = typer.Typer(name="push", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl push
  stackctl push --ignore-push-failures web"""


@app.command(name="push", epilog=EPILOG)
def push(
    context: typer.Context,
    services: shared.Services = None,
    *,
    ignore_failures: Annotated[
        bool, typer.Option("--ignore-push-failures", help="Push what can be pushed; end with 0.")
    ] = False,
    include_dependencies: Annotated[
        bool, typer.Option("--include-deps", help="Push for the services that these need, too.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    progress: local_options.Progress = None,
) -> int:
    """Push the images of services that have both `build:` and `image:` to their registries."""
    flags = TransferFlags(
        services=tuple(services or ()),
        ignores_failures=ignore_failures,
        with_dependencies=include_dependencies,
        is_quiet=quiet,
        progress=progress,
    )
    return images_making.push_images(
        options.session_of(context), shared.local_stack_of(context), flags
    )
