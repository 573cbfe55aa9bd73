"""Handover: within one slot, a new task takes the place of an old one.

    stop-first   the new task is created READY; once it is prepared (image there, container
                 made) the old one is told to stop; the new one starts when the old one has ended.
    start-first  the new task starts at once; the old one is told to stop when the new one runs.
    lost node    the old task cannot be reached: the new one starts at once, and the old one is
                 told to stop as soon as the new one has a node, so that it ends on its return.

Preparing first keeps the gap of stop-first short and spares the old task when the new image is
missing. A new task that finds no node only because the old one is in its way gets the old one
stopped, whatever the order: waiting for each other would never end. An old task that has no node
yet, or whose node is drained and whose successor finds none, is stopped at once.
"""

from collections.abc import Iterable

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
    must_go: bool = False,
) -> None:
    """Tells the old task to stop when the new one has come far enough.

    The order may have changed since the new task was created: one that was created to wait until
    the old one has ended gets what it waits for.

    `must_go`: the old task may not stay even if nobody can take over from it.
    """
    if old.status.state < TaskState.ASSIGNED:
        may_stop = True
    elif not decisions.is_on_live_node(old):
        may_stop = new.status.state >= TaskState.ASSIGNED
    elif new.status.state < TaskState.ASSIGNED:
        is_refused = bool(new.status.error)
        may_stop = is_refused and (must_go or _is_in_the_way(decisions, service, new, old))
    elif order == specs.UpdateOrder.START_FIRST and new.desired_state == TaskState.RUNNING:
        may_stop = new.status.state == TaskState.RUNNING
    else:
        may_stop = new.status.state >= TaskState.READY
    if may_stop:
        decisions.do(SetDesired(task_id=old.id, desired_state=TaskState.SHUTDOWN, cause=cause))


def goal(service: objects.Service) -> TaskState:
    """What is desired of a task that may start: to run, or in a job to complete."""
    return TaskState.COMPLETE if service.spec.mode.is_job else TaskState.RUNNING


def promote(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    """Lets a prepared task start: its delay is over, no other task of the slot still runs, and what
    the service depends on has come.
    """
    if all(task.desired_state != TaskState.READY for task in slot.live):
        return
    tasks = [decisions.draft.task(task.id) or task for task in slot.tasks]
    for position, task in enumerate(tasks):
        if task.desired_state != TaskState.READY or task.has_ended:
            continue
        if service.holds(task.revision):
            continue
        if task.start_after > decisions.now:
            decisions.wake(service.id, task.start_after)
        elif not _must_wait(
            decisions, service, older=tasks[:position], newer=tasks[position + 1 :]
        ):
            decisions.do(SetDesired(task_id=task.id, desired_state=goal(service)))


def still_runs(decisions: Decisions, task: objects.Task) -> bool:
    """True when its container may be running where it can be reached."""
    return (
        not task.has_ended
        and task.status.state >= TaskState.ASSIGNED
        and decisions.is_on_live_node(task)
    )


def first_wish(decisions: Decisions, tasks: Iterable[objects.Task]) -> TaskState:
    """What to desire of a new task in a slot with these tasks: READY while one of them still runs,
    which `promote` then waits for.
    """
    is_occupied = any(still_runs(decisions, task) for task in tasks)
    return TaskState.READY if is_occupied else TaskState.RUNNING


def _must_wait(
    decisions: Decisions,
    service: objects.Service,
    *,
    older: list[objects.Task],
    newer: list[objects.Task],
) -> bool:
    """A wanted predecessor is waited for without limit: it has not been told to stop yet, perhaps
    because a large image is still being fetched. One that was told is waited for a minute.
    """
    if any(task.is_wanted and still_runs(decisions, task) for task in older):
        return True
    stopping = [
        task for task in (*older, *newer) if not task.is_wanted and still_runs(decisions, task)
    ]
    waits_until = max(
        (task.desired_at + PREDECESSOR_WAIT_SECONDS for task in stopping), default=0.0
    )
    if decisions.now < waits_until:
        decisions.wake(service.id, waits_until)
        return True
    return False


def _is_in_the_way(
    decisions: Decisions, service: objects.Service, new: objects.Task, old: objects.Task
) -> bool:
    return new.status.state == TaskState.PENDING and schedule.would_fit_without(
        decisions.draft, service, new, leaving=old
    )
