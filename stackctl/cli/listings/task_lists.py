"""`service ps`, `stack ps` and `node ps`."""

import time
from collections.abc import Callable, Sequence

from stackctl.cli.listings.options import ListOptions, chosen, write_list, write_names
from stackctl.cli.render.errors import render_error
from stackctl.cli.render.tasks import COLUMNS, COLUMNS_WITH_CAUSE, in_order, is_lost, task_rows
from stackctl.cli.session import Session
from stackctl.client.failures import NoSuchName
from stackctl.client.views import TaskView
from stackctl.errors import UnknownName

_FILTERS: dict[str, Callable[[TaskView, str], bool]] = {
    "id": lambda task, text: task["id"].startswith(text),
    "name": lambda task, text: task["name"].startswith(text),
    "service": lambda task, text: text in {task["service"], task["service_id"]},
    "node": lambda task, text: text in {task["node"], task["node_id"]},
    "desired-state": lambda task, text: task["desired_state"] == text.lower(),
    "state": lambda task, text: task["state"] == text.lower(),
}


def list_tasks_of_services(
    session: Session, references: Sequence[str], options: ListOptions
) -> int:
    """The tasks of services; exit code 1 when one of them is unknown."""
    return _list_each(session, references, options, lambda ref: session.client.tasks(service=ref))


def list_tasks_of_nodes(session: Session, references: Sequence[str], options: ListOptions) -> int:
    """The tasks on nodes, by default on the one that answers; exit code 1 when one is unknown."""
    nodes = references or ("self",)
    return _list_each(session, nodes, options, lambda ref: session.client.tasks(node=ref))


def list_tasks_of_stack(session: Session, references: Sequence[str], options: ListOptions) -> int:
    """The tasks of one stack. Raises NoSuchName when it has none, as Swarm does."""
    (name,) = references
    try:
        tasks = session.client.tasks(stack=name)
    except NoSuchName:
        tasks = []
    if not tasks:
        raise nothing_in_stack(session, name)
    _write_tasks(session, tasks, options)
    return 0


def nothing_in_stack(session: Session, name: str) -> NoSuchName:
    """The error for a stack that has nothing, with the near names there are."""
    known = [stack["name"] for stack in session.client.stacks()]
    near = UnknownName("stack", name, known=[other for other in known if other != name])
    return NoSuchName.as_said(f"nothing found in stack: {name}", near.hint)


def _list_each(
    session: Session,
    references: Sequence[str],
    options: ListOptions,
    fetch: Callable[[str], list[TaskView]],
) -> int:
    tasks: dict[str, TaskView] = {}
    unknown: list[NoSuchName] = []
    for reference in references:
        try:
            tasks.update((task["id"], task) for task in fetch(reference))
        except NoSuchName as error:
            unknown.append(error)
    if len(unknown) < len(references):
        _write_tasks(session, list(tasks.values()), options)
    for missing in unknown:
        session.terminal.note(render_error(missing))
    return NoSuchName.exit_code if unknown else 0


def _write_tasks(session: Session, tasks: Sequence[TaskView], options: ListOptions) -> None:
    shown = in_order(chosen(tasks, options.filters, _FILTERS))
    if options.is_quiet:
        write_names(session, (task["id"] for task in shown))
        return
    rows = task_rows(
        shown,
        lost_at=_lost_at(session, shown),
        now=time.time(),
        is_resolved=options.is_resolved,
        is_cut=options.is_cut,
        is_table=options.is_table,
    )
    columns = COLUMNS_WITH_CAUSE if options.shows_cause else COLUMNS
    write_list(session, rows, columns, options)


def _lost_at(session: Session, tasks: Sequence[TaskView]) -> dict[str, float]:
    """Since when nodes are down; asked for only when a task shown is on such a node."""
    if not any(is_lost(task) for task in tasks):
        return {}
    nodes = session.client.nodes()
    return {node["id"]: node["state_at"] for node in nodes if node["state"] == "down"}
