"""The reaper: forgets history beyond its limit, and removed tasks once nothing of them is left.

Per slot the last five ended tasks are kept, more when the restart policy counts further back, and
beside them the last one that ran: where it was, and that it had to leave, still counts. A
removed task is forgotten when it has ended or never had a node; on a node that is DOWN it is
forgotten at once, because an agent ends every container that nobody assigns to it when it returns.
"""

from stackctl.core.decisions import Decisions
from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.changes import DropService, DropTask, EndTask, ForgetRevisions
from stackctl.state.leftovers import is_gone

HISTORY_LIMIT = 5
ORPHANED_AFTER_SECONDS = 24 * 3600.0


def reap(decisions: Decisions, service: objects.Service) -> None:
    """Drops what nobody needs of one service."""
    for task in decisions.tasks(service.id):
        if not task.is_wanted:
            _orphan(decisions, task)
            is_history = task.desired_state < TaskState.REMOVE and bool(task.node_id)
            if not is_history and is_gone(decisions.draft, task):
                decisions.do(DropTask(task_id=task.id))
    _trim_history(decisions, service)
    tasks = decisions.draft.tasks_of(service.id)
    if service.removing and not tasks:
        decisions.do(DropService(service_id=service.id))
        return
    used = {task.revision for task in tasks.values()}
    used |= {service.revision, service.previous_revision}
    unused = tuple(sorted(set(service.task_specs) - used))
    if unused:
        decisions.do(ForgetRevisions(service_id=service.id, revisions=unused))


def _orphan(decisions: Decisions, task: objects.Task) -> None:
    node = decisions.node_of(task)
    if task.has_ended or node is None or decisions.is_on_live_node(task):
        return
    if decisions.now - node.state_at >= ORPHANED_AFTER_SECONDS:
        decisions.do(
            EndTask(
                task_id=task.id,
                state=TaskState.ORPHANED,
                error=f"node {node.hostname} has been down for a day",
            )
        )


def _trim_history(decisions: Decisions, service: objects.Service) -> None:
    limit = max(HISTORY_LIMIT, service.spec.task.restart.attempts_max + 1)
    for slot in decisions.slots(service.id).values():
        if len(slot.tasks) <= limit:
            continue
        history = [task for task in slot.tasks if task.has_ended and not task.is_wanted]
        last_run = next((task for task in reversed(slot.tasks) if task.running_at), None)
        if last_run in history:  # many vain attempts since do not make it forgotten
            history.remove(last_run)
        for task in history[: max(len(history) - limit, 0)]:
            decisions.do(DropTask(task_id=task.id))
