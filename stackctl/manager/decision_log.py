"""Decisions in words, for the log: one line per decision that a person would ask about.

Bookkeeping (addresses, cursors, forgotten history) has no line. A round that decides more than
`LINES_MAX` things is summarised by what kind they were.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from stackctl.model import ids
from stackctl.model.task_state import TaskState
from stackctl.state import changes, queries
from stackctl.state.cluster import ClusterState

LINES_MAX = 200

_log = logging.getLogger(__name__)


def log_decisions(state: ClusterState, decided: Iterable[changes.Change]) -> None:
    """Logs the decisions of a round; `state` is the one after it."""
    lines = [(change, line) for change in decided if (line := describe(state, change))]
    if len(lines) <= LINES_MAX:
        for _, line in lines:
            _log.info("%s", line)
        return
    counts = Counter(type(change).__name__ for change, _ in lines)
    summary = ", ".join(f"{count} x {name}" for name, count in counts.most_common())
    _log.info("%d decisions: %s", len(lines), summary)


def describe(state: ClusterState, change: changes.Change) -> str:
    """One decision in words, "" for bookkeeping."""
    match change:
        case changes.CreateTask():
            return f"{_task(state, change.task_id)}: created: {change.cause}"
        case changes.AssignTask():
            return f"{_task(state, change.task_id)}: assigned to {_node(state, change.node_id)}"
        case changes.ExplainTask():
            return f"{_task(state, change.task_id)}: waits: {change.error}"
        case changes.SetDesired():
            verb = _VERBS.get(change.desired_state, change.desired_state.title)
            reason = f": {change.cause}" if change.cause else ""
            return f"{_task(state, change.task_id)}: is to {verb}{reason}"
        case changes.EndTask():
            return f"{_task(state, change.task_id)}: {change.state.title}: {change.error}"
        case changes.SetUpdateStatus():
            status = change.status
            message = f": {status.message}" if status.message else ""
            return f"{_service(state, change.service_id)}: {status.state.value}{message}"
        case changes.RollBackService():
            return f"{_service(state, change.service_id)}: rolled back: {change.message}"
        case changes.HoldService():
            return f"{_service(state, change.service_id)}: {change.reason}"
        case changes.ClearService():
            return f"{_service(state, change.service_id)}: may start, what it depends on has come"
        case changes.AllocateNetwork():
            network = state.networks.get(change.network_id)
            name = network.name if network is not None else change.network_id
            return f"network {name}: subnet {change.subnet}, VNI {change.vni}"
        case changes.DropService():
            return f"service {ids.short_id(change.service_id)}: gone"
        case changes.DropStack():
            return f"stack {change.name}: gone"
        case _:
            return ""


_VERBS = {
    TaskState.READY: "be prepared",
    TaskState.RUNNING: "run",
    TaskState.COMPLETE: "complete",
    TaskState.SHUTDOWN: "stop",
    TaskState.REMOVE: "stop and be forgotten",
}


def _task(state: ClusterState, task_id: str) -> str:
    task = state.tasks.get(task_id)
    service = state.services.get(task.service_id) if task is not None else None
    if task is None or service is None:
        return f"task {ids.short_id(task_id)}"
    return f"{queries.task_name(service, task)} ({ids.short_id(task_id)})"


def _service(state: ClusterState, service_id: str) -> str:
    service = state.services.get(service_id)
    return f"service {service.name if service is not None else ids.short_id(service_id)}"


def _node(state: ClusterState, node_id: str) -> str:
    node = state.nodes.get(node_id)
    return node.hostname if node is not None else ids.short_id(node_id)
