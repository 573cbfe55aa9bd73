"""`stackctl logs`."""

from typing import Annotated

import typer

from stackctl.cli import local_options, options

app = typer.Typer(name="logs", rich_markup_mode=None, add_completion=False)


@app.command(
    name="logs",
    epilog="\b\nExamples:\n  stackctl logs -f --tail 20\n  stackctl logs --since 5m web",
)
def logs(
    context: typer.Context,
    *,
    services: local_options.Services = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    tail: Annotated[
        str, typer.Option("--tail", "-n", metavar="N", help="The last N lines of each container.")
    ] = "all",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Lines since then: 42m, 2026-01-02T13:23:37Z.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until",
            metavar="TIME",
            help="Lines before then, as with --since.",
            show_default=False,
        ),
    ] = "",
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Show when each line was written.")
    ] = False,
    no_log_prefix: local_options.NoLogPrefix = False,
    no_color: local_options.NoColour = False,
    index: Annotated[
        int, typer.Option("--index", metavar="N", min=0, help="Only the container of this number.")
    ] = 0,
) -> int:
    """Print what the containers of a stack wrote, in the order of time."""
    from stackctl.cli import stack_logs

    session = options.session_of(context)
    style = local_options.prefix_style(session, no_log_prefix, timestamps, no_color)
    flags = stack_logs.LogFlags(tuple(services or ()), follow, tail, since, until, index, style)
    return stack_logs.print_logs(session, flags)
