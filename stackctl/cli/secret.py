"""`stackctl secret`: what secrets there are and who uses them; what they say is never shown."""

from typing import Annotated

import typer

from stackctl.cli import inspecting, options
from stackctl.cli.listings import content_lists

app = typer.Typer(
    name="secret",
    help="Secrets: files that only the tasks that use them may read.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SecretNames = Annotated[
    list[str],
    typer.Argument(metavar="SECRET...", help="Full names or ids, or how ids begin."),
]


@app.command(
    name="ls",
    epilog="\b\nExamples:\n  stackctl secret ls\n  stackctl secret ls --filter service=shop_web",
)
@app.command(name="list", hidden=True)
def list_secrets(
    context: typer.Context,
    *,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List secrets, a line for each content that a service has or may return to."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return content_lists.list_secrets(options.session_of(context), (), chosen)


@app.command(
    name="inspect",
    epilog="\b\nExamples:\n  stackctl secret inspect shop_password\n"
    "  stackctl secret inspect --format '{{.digest}}' shop_password",
)
def inspect(
    context: typer.Context,
    *,
    secrets: SecretNames,
    layout: options.InspectLayout = "",
) -> int:
    """Show secrets whole, but for what they say."""
    chosen = inspecting.InspectOptions(layout=layout)
    return inspecting.inspect_secrets(options.session_of(context), secrets, chosen)
