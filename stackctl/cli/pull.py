"""`stackctl pull`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import images_making, local_options, options
from stackctl.cli.images_making import PullPolicyFlag, TransferFlags

app = typer.Typer(name="pull", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl pull
  stackctl pull --policy missing --include-deps web"""


@app.command(name="pull", epilog=EPILOG)
def pull(
    context: typer.Context,
    services: shared.Services = None,
    *,
    ignore_buildable: Annotated[
        bool, typer.Option("--ignore-buildable", help="Leave out images that can be built.")
    ] = False,
    ignore_failures: Annotated[
        bool, typer.Option("--ignore-pull-failures", help="Pull what can be had; end with 0.")
    ] = False,
    include_dependencies: Annotated[
        bool, typer.Option("--include-deps", help="Pull for the services that these need, too.")
    ] = False,
    policy: Annotated[
        PullPolicyFlag, typer.Option("--policy", help="Whether images that are here are pulled.")
    ] = PullPolicyFlag.ALWAYS,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
    progress: local_options.Progress = None,
) -> int:
    """Let the engine fetch the images of the services."""
    flags = TransferFlags(
        services=tuple(services or ()),
        ignores_buildable=ignore_buildable,
        ignores_failures=ignore_failures,
        with_dependencies=include_dependencies,
        policy=policy,
        is_quiet=quiet,
        progress=progress,
    )
    return images_making.pull_images(
        options.session_of(context), shared.local_stack_of(context), flags
    )
