"""`stackctl service`: look at services, change them, read what they write."""

from typing import Annotated, Any

import typer

from stackctl.cli import (
    changing,
    explaining,
    inspecting,
    log_reading,
    options,
    removing,
    update_flags,
)
from stackctl.cli.listings import service_lists, task_lists
from stackctl.cli.waiting import WaitOptions

app = typer.Typer(
    name="service",
    help="Services: tasks of one kind, kept at the number wanted.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ServiceName = Annotated[
    str, typer.Argument(metavar="SERVICE", help="Name or id of the service, or how its id begins.")
]
ServiceNames = Annotated[
    list[str],
    typer.Argument(metavar="SERVICE...", help="Names or ids of services, or how ids begin."),
]


@app.command(
    name="ls",
    epilog="\b\nExamples:\n  stackctl service ls\n  stackctl service ls --filter name=shop_ -q",
)
@app.command(name="list", hidden=True)
def list_services(
    context: typer.Context,
    *,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
) -> int:
    """List services."""
    chosen = options.list_options(filters=filters, layout=layout, is_quiet=quiet)
    return service_lists.list_services(options.session_of(context), (), chosen)


@app.command(
    name="ps",
    epilog="\b\nExamples:\n  stackctl service ps shop_web\n"
    "  stackctl service ps --filter desired-state=running --why shop_web",
)
def list_tasks(
    context: typer.Context,
    *,
    services: ServiceNames,
    filters: options.Filters = None,
    layout: options.Layout = "",
    quiet: options.Quiet = False,
    no_trunc: options.NoTrunc = False,
    no_resolve: options.NoResolve = False,
    why: options.Why = False,
) -> int:
    """List the tasks of services, with their history.

    ERROR shows errors in double quotes; for a task that ended without one, in brackets, why it was
    ended. Errors are cut to fit a terminal, and never cut without one.
    """
    chosen = options.list_options(
        filters=filters,
        layout=layout,
        is_quiet=quiet,
        no_trunc=no_trunc,
        no_resolve=no_resolve,
        why=why,
    )
    return task_lists.list_tasks_of_services(options.session_of(context), services, chosen)


@app.command(
    name="explain",
    epilog="\b\nExamples:\n  stackctl service explain shop_web.2\n"
    "  stackctl service explain --format '{{.Node}}: {{.Reason}}' shop_web.2",
)
def explain(
    context: typer.Context,
    *,
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="Name or id of a task, or how its id begins.")
    ],
    layout: options.Layout = "",
) -> int:
    """Show for each node whether a task could be there, why, and how good the node is."""
    chosen = options.list_options(layout=layout)
    return explaining.explain_task(options.session_of(context), task, chosen)


@app.command(
    name="inspect",
    epilog="\b\nExamples:\n  stackctl service inspect --pretty shop_web\n"
    "  stackctl service inspect --format '{{json .spec.ports}}' shop_web",
)
def inspect(
    context: typer.Context,
    *,
    services: ServiceNames,
    pretty: options.Pretty = False,
    layout: options.InspectLayout = "",
) -> int:
    """Show services whole: what was asked, and what was allocated."""
    chosen = inspecting.InspectOptions(is_pretty=pretty, layout=layout)
    return inspecting.inspect_services(options.session_of(context), services, chosen)


@app.command(
    name="logs",
    epilog="\b\nExamples:\n  stackctl service logs -f --tail 20 shop_web\n"
    "  stackctl service logs --since 10m shop_web.2",
)
def logs(
    context: typer.Context,
    *,
    service: Annotated[
        str, typer.Argument(metavar="SERVICE|TASK", help="A service, or one of its tasks.")
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines.")] = False,
    tail: Annotated[
        str, typer.Option("--tail", "-n", metavar="N", help="Last lines of each task, or all.")
    ] = "all",
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Lines from then on: 42m, 2026-01-02T13:23:37Z, or epoch seconds."
        ),
    ] = "",
    until: Annotated[
        str, typer.Option(metavar="TIME", help="Lines up to then, written like --since.")
    ] = "",
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Put the time in front, in UTC.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the lines and nothing else.")] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Print task ids whole.")] = False,
    no_task_ids: Annotated[bool, typer.Option("--no-task-ids", help="Leave task ids out.")] = False,
    no_resolve: Annotated[
        bool, typer.Option("--no-resolve", help="Print task ids instead of names.")
    ] = False,
) -> int:
    """Print what the tasks of a service write."""
    chosen = log_reading.LogOptions(
        follows=follow,
        tail=tail,
        since=since,
        until=until,
        style=log_reading.LogStyle(
            is_raw=raw,
            has_time=timestamps,
            is_cut=not no_trunc,
            has_task_id=not no_task_ids,
            is_resolved=not no_resolve,
        ),
    )
    return log_reading.print_logs(options.session_of(context), service, chosen)


@app.command(
    name="scale",
    epilog="\b\nExamples:\n  stackctl service scale shop_web=5\n"
    "  stackctl service scale -d shop_web=5 shop_worker=2",
)
def scale(
    context: typer.Context,
    *,
    scales: Annotated[
        list[str],
        typer.Argument(metavar="SERVICE=REPLICAS...", help="How many tasks each shall have."),
    ],
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Set the number of tasks of replicated services, and wait until they run."""
    return changing.scale_services(
        options.session_of(context),
        [changing.parse_scale(text) for text in scales],
        is_detached=detach,
        wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
    )


@app.command(
    name="update",
    epilog="\b\nExamples:\n  stackctl service update --image web:2 shop_web\n"
    "  stackctl service update --env-add LEVEL=debug --update-order start-first shop_web",
)
@update_flags.with_flags
def update(
    context: typer.Context,
    *,
    service: ServiceName,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the tasks though nothing has changed.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Return to the previous spec instead.")
    ] = False,
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
    **edits: Any,
) -> int:
    """Change the spec of a service, and wait until its tasks follow it."""
    # The model is needed here and by no other command of this file.
    from stackctl.cli import updating

    given = {
        flag.name: (value,) if isinstance(value, str) else tuple(value)
        for flag in update_flags.FLAGS
        if (value := edits[flag.parameter])
    }
    return updating.update_service(
        options.session_of(context),
        service,
        given,
        updating.UpdateOptions(
            is_forced=force,
            rolls_back=rollback,
            is_detached=detach,
            wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
        ),
    )


@app.command(
    name="rm",
    epilog="\b\nExamples:\n  stackctl service rm shop_web\n"
    "  stackctl service rm -d shop_web shop_db",
)
@app.command(name="remove", hidden=True)
def remove(context: typer.Context, services: ServiceNames, detach: options.Detach = False) -> int:
    """Remove services, and wait until their last task has ended."""
    return removing.remove_services(options.session_of(context), services, is_detached=detach)


@app.command(
    name="rollback",
    epilog="\b\nExamples:\n  stackctl service rollback shop_web\n"
    "  stackctl service rollback --detach shop_web",
)
def rollback(
    context: typer.Context,
    *,
    service: ServiceName,
    detach: options.Detach = False,
    quiet: options.WaitQuietly = False,
    timeout: options.Timeout = None,
) -> int:
    """Return a service to its previous spec, and wait until that runs; twice is back again."""
    return changing.roll_back_service(
        options.session_of(context),
        service,
        is_detached=detach,
        wait=WaitOptions(is_quiet=quiet, timeout_seconds=timeout),
    )
