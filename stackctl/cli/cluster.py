"""`stackctl cluster`: the cluster as a whole."""

import typer

from stackctl.cli import inspecting, options

app = typer.Typer(
    name="cluster",
    help="The cluster: its managers and their agreement.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    name="info",
    epilog="\b\nExamples:\n  stackctl cluster info\n  stackctl --context lab cluster info",
)
def info(context: typer.Context) -> int:
    """Show the cluster for people."""
    chosen = inspecting.InspectOptions(is_pretty=True)
    return inspecting.inspect_cluster(options.session_of(context), chosen)


@app.command(
    name="inspect",
    epilog="\b\nExamples:\n  stackctl cluster inspect\n"
    "  stackctl cluster inspect --format '{{.leader}}'",
)
def inspect(
    context: typer.Context,
    layout: options.InspectLayout = "",
) -> int:
    """Show the cluster as JSON, without its join tokens."""
    chosen = inspecting.InspectOptions(layout=layout)
    return inspecting.inspect_cluster(options.session_of(context), chosen)
