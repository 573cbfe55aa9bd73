"""`stackctl node`: look at nodes, allow or forbid them tasks, label and forget them."""

from enum import StrEnum
from typing import Annotated

import typer

from stackctl.cli import inspecting, nodes_changing, options
from stackctl.cli.listings import node_lists, task_lists
from stackctl.cli.waiting import WaitOptions

app = typer.Typer(
    name="node",
    help="Nodes: the machines that run tasks.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NodeNames = Annotated[
    list[str],
    typer.Argument(metavar="NODE...", help="Host names or ids, or how ids begin."),
]
NodeNamesOrSelf = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE...]",
        help="Host names or ids, or how ids begin.  [default: self, the node that answers]",
    ),
]


class Availability(StrEnum):
    """What a node may run: anything, what it has, or nothing."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


@app.command(
    name="ls",
    epilog="\b\nExamples:\n  stackctl node ls\n  stackctl node ls --filter role=manager -q",
)
@app.command(name="list", hidden=True)
def list_nodes(
    context: typer.Context,
    *,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List nodes; a star marks the one that answers."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return node_lists.list_nodes(options.session_of(context), (), chosen)


@app.command(
    name="ps",
    epilog="\b\nExamples:\n  stackctl node ps n2\n"
    "  stackctl node ps --filter desired-state=running n1 n2",
)
def list_tasks(
    context: typer.Context,
    *,
    nodes: NodeNamesOrSelf = None,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
    no_trunc: options.NoTrunc = False,
    no_resolve: options.NoResolve = False,
    why: options.Why = False,
) -> int:
    """List the tasks on nodes, with their history."""
    chosen = options.list_options(
        filters=filters,
        layout=layout,
        is_quiet=quiet,
        no_trunc=no_trunc,
        no_resolve=no_resolve,
        why=why,
    )
    return task_lists.list_tasks_of_nodes(options.session_of(context), nodes or (), chosen)


@app.command(
    name="inspect",
    epilog="\b\nExamples:\n  stackctl node inspect --pretty n2\n"
    "  stackctl node inspect --format '{{.address}}' n2",
)
def inspect(
    context: typer.Context,
    *,
    nodes: NodeNamesOrSelf = None,
    pretty: options.Pretty = False,
    layout: options.InspectLayout = "",
) -> int:
    """Show nodes whole."""
    chosen = inspecting.InspectOptions(is_pretty=pretty, layout=layout)
    return inspecting.inspect_nodes(options.session_of(context), nodes or (), chosen)


@app.command(
    name="update",
    epilog="\b\nExamples:\n  stackctl node update --availability drain --timeout 5m n2\n"
    "  stackctl node update --label-add disk=ssd --label-rm rack n2",
)
def update(
    context: typer.Context,
    *,
    node: Annotated[str, typer.Argument(metavar="NODE", help="Host name or id.")],
    availability: Annotated[
        Availability | None,
        typer.Option(
            help="active: takes tasks; pause: keeps those it has; drain: gives them away.",
        ),
    ] = None,
    label_add: Annotated[
        list[str] | None,
        typer.Option("--label-add", metavar="KEY=VALUE", help="Add a label, or change it."),
    ] = None,
    label_remove: Annotated[
        list[str] | None, typer.Option("--label-rm", metavar="KEY", help="Remove a label.")
    ] = None,
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Change what a node may run, and its labels. A drain is waited for until the node is empty."""
    return nodes_changing.update_node(
        options.session_of(context),
        node,
        availability=availability.value if availability else None,
        label_add=label_add or (),
        label_remove=label_remove or (),
        wait=None if detach else WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
    )


@app.command(
    name="rm",
    epilog="\b\nExamples:\n  stackctl node rm n3\n  stackctl node rm --force n3 n4",
)
@app.command(name="remove", hidden=True)
def remove(
    context: typer.Context,
    *,
    nodes: NodeNames,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Also when the node is not down.")
    ] = False,
) -> int:
    """Forget nodes that will not come back."""
    return nodes_changing.remove_nodes(options.session_of(context), nodes, is_forced=force)
