"""Tasks as rows of `ps`.

Two deviations from Swarm serve the reader. A task on a node that is down is `Unknown` since the
node was lost, because nobody can know better. An empty ERROR of a task that has ended shows, in
brackets, why it was ended; errors are in double quotes.
"""

from collections.abc import Mapping, Sequence

from stackctl.cli.render.ages import render_age
from stackctl.cli.render.images import without_digest
from stackctl.cli.render.natural import natural_key
from stackctl.cli.render.ports import render_ports
from stackctl.cli.render.tables import Columns, Row
from stackctl.client.views import TaskView
from stackctl.model.ids import short_id

ENDED_STATES = frozenset({"complete", "shutdown", "failed", "rejected", "orphaned"})

COLUMNS = Columns(
    headers={
        "ID": "ID",
        "Name": "NAME",
        "Image": "IMAGE",
        "Node": "NODE",
        "DesiredState": "DESIRED STATE",
        "CurrentState": "CURRENT STATE",
        "Error": "ERROR",
        "Ports": "PORTS",
        "Cause": "CAUSE",
        "EndCause": "END CAUSE",
        "Service": "SERVICE",
        "Revision": "REVISION",
        "Restarts": "RESTARTS",
        "ContainerID": "CONTAINER ID",
    },
    shown=("ID", "Name", "Image", "Node", "DesiredState", "CurrentState", "Error", "Ports"),
    cut="Error",
    marks_repeats="Name",
)
COLUMNS_WITH_CAUSE = COLUMNS._replace(shown=(*COLUMNS.shown, "Restarts", "Cause"))


def is_lost(task: TaskView) -> bool:
    """Whether the task may still run, on a node that cannot be asked."""
    return task["node_state"] == "down" and task["state"] not in ENDED_STATES


def in_order(tasks: Sequence[TaskView]) -> list[TaskView]:
    """By name, and within a name the newest first; of the same moment as the manager has them."""
    return sorted(tasks, key=lambda task: (natural_key(task["name"]), -task["created_at"]))


def task_rows(
    tasks: Sequence[TaskView],
    *,
    lost_at: Mapping[str, float],
    now: float,
    is_resolved: bool,
    is_cut: bool,
    is_table: bool,
) -> list[Row]:
    """The rows, in the order given. `lost_at` says since when which node is down, by id."""
    return [
        {
            "ID": short_id(task["id"]) if is_cut else task["id"],
            "Name": task["name"] if is_resolved else _unresolved_name(task),
            "Image": without_digest(task["image"]) if is_cut else task["image"],
            "Node": task["node"] if is_resolved else task["node_id"],
            "DesiredState": task["desired_state"].capitalize(),
            "CurrentState": _current_state(task, lost_at, now),
            "Error": _shown_error(task) if is_table else error_of(task),
            "Ports": render_ports(task["ports"], mode="host"),
            "Cause": task["cause"],
            "EndCause": task["end_cause"],
            "Service": task["service"],
            "Revision": str(task["revision"]),
            "Restarts": str(task["restarts"]),
            "ContainerID": task["container_id"],
        }
        for task in tasks
    ]


def error_of(task: TaskView) -> str:
    """What is wrong with a task, "" when nothing is known to be."""
    if is_lost(task):
        return f"node {task['node']} is down"
    return task["error"]


def _shown_error(task: TaskView) -> str:
    error = error_of(task)
    if error:
        return f'"{error}"'
    return f"({task['end_cause']})" if task["end_cause"] else ""


def _current_state(task: TaskView, lost_at: Mapping[str, float], now: float) -> str:
    if is_lost(task):
        at = lost_at.get(task["node_id"], task["state_at"])
        return f"Unknown {render_age(at, now=now)}"
    return f"{task['state'].capitalize()} {render_age(task['state_at'], now=now)}"


def _unresolved_name(task: TaskView) -> str:
    return task["service_id"] + task["name"].removeprefix(task["service"])
