"""Handover: within one slot, a new task takes the place of an old one.

    stop-first   the new task is created READY; once it is prepared (image there, container
                 made) the old one is told to stop; the new one starts when the old one has ended.
    start-first  the new task starts at once; the old one is told to stop when the new one runs.
    lost node    the old task cannot be reached: the new one starts at once, and the old one is
                 told to stop as soon as the new one has a node, so that it ends on its return.

Preparing first keeps the gap of stop-first short and spares the old task when the new image is
missing. A new task that finds no node only because the old one is in its way gets the old one
stopped.
"""

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration.slots import Slot
from stackctl.core.scheduling import schedule
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetDesired

PREDECESSOR_WAIT_SECONDS = 60.0  # Swarm's cap on waiting for an old task to end


def hand_over(
    decisions: Decisions,
    service: objects.Service,
    *,
    old: objects.Task,
    new: objects.Task,
    cause: str,
    order: specs.UpdateOrder,
) -> None:
    """Tells the old task to stop when the new one has come far enough."""
    if not decisions.is_on_live_node(old):
        may_stop = new.status.state >= TaskState.ASSIGNED
    elif order == specs.UpdateOrder.START_FIRST:
        may_stop = new.status.state == TaskState.RUNNING
    else:
        is_in_the_way = new.status.state == TaskState.PENDING and schedule.would_fit_without(
            decisions.draft, service, new, leaving=old
        )
        may_stop = new.status.state >= TaskState.READY or is_in_the_way
    if may_stop:
        decisions.do(SetDesired(task_id=old.id, desired_state=TaskState.SHUTDOWN, cause=cause))


def promote(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    """Lets a prepared task start: its delay is over and no other task of the slot still runs."""
    for task in slot.live:
        if task.desired_state != TaskState.READY:
            continue
        if task.start_after > decisions.now:
            decisions.wake(service.id, task.start_after)
            continue
        waits_until = max(task.created_at, task.start_after) + PREDECESSOR_WAIT_SECONDS
        if decisions.now < waits_until and any(
            _still_runs(decisions, other) for other in slot.tasks if other.id != task.id
        ):
            decisions.wake(service.id, waits_until)
            continue
        decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.RUNNING))


def _still_runs(decisions: Decisions, task: objects.Task) -> bool:
    return (
        not task.has_ended
        and task.status.state >= TaskState.ASSIGNED
        and decisions.is_on_live_node(task)
    )
