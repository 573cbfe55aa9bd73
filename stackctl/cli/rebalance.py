"""`stackctl rebalance`: let running tasks go where they would be placed today."""

from typing import Annotated

import typer

from stackctl.cli import options, rebalancing

app = typer.Typer(
    name="rebalance",
    help="Move running tasks to better nodes, one at a time, or show what would move.",
    rich_markup_mode=None,
    add_completion=False,
)


@app.command(
    name="rebalance",
    epilog="\b\nExamples:\n  stackctl rebalance --plan\n  stackctl rebalance --max 5 shop_web",
)
def rebalance(
    context: typer.Context,
    *,
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE...]", help="Only tasks of these services."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would move, move nothing.")
    ] = False,
    stateful: Annotated[
        bool,
        typer.Option(
            "--stateful", help="Also services that write to shared volumes or to folders of nodes."
        ),
    ] = False,
    moves_max: Annotated[
        int, typer.Option("--max", metavar="N", min=0, help="Move at most N tasks; 0 is all.")
    ] = 0,
    stop: Annotated[
        bool, typer.Option("--stop", help="End the rebalancing under way after its present move.")
    ] = False,
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
) -> int:
    """Move running tasks to better nodes, one at a time, or show what would move.

    A task leaves a node when the scheduler would place it on a better one today. Each starts on
    its new node before the old one is stopped, and the next one waits until it has run well for
    the service's monitor time; a task that does not come up ends the rebalancing. Tasks with a
    local volume stay with their data.
    """
    session = options.session_of(context)
    wish = rebalancing.Wish(
        services=tuple(services or ()), allows_stateful=stateful, moves_max=moves_max
    )
    if stop:
        return rebalancing.stop(session)
    if plan:
        return rebalancing.show_plan(session, wish)
    return rebalancing.rebalance(session, wish, is_detached=detach, is_quiet=quiet)
