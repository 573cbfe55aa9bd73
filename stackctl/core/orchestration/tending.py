"""Tending a slot: replace what ended or was lost, let prepared tasks start, finish handovers.

A task is lost when its node is DOWN; it must leave when its node is drained or no longer meets the
constraints. A lost task is told to stop only when its replacement has a node: one that nobody else
can run (it is bound to the lost node) simply goes on when the node returns, and the waiting
replacement is withdrawn.
"""

import msgspec

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import handover, restarts, rolling_update
from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself
from stackctl.model import constraints, objects
from stackctl.model.objects import Availability, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.changes import CreateTask, SetDesired


class Leaving(msgspec.Struct, frozen=True):
    """Why a task cannot stay where it is."""

    cause: str
    is_lost: bool  # its node does not answer


def tend(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    """Decides what one slot needs now."""
    close_ended(decisions, slot)
    live = slot.live
    leaving = {task.id: why for task in live if (why := _leaving(decisions, service, task))}
    staying = [task for task in live if task.id not in leaving]
    if not staying:
        _fill(decisions, service, slot, leaving)
        return
    newest = _choose(service, staying)
    for withdrawn in staying[staying.index(newest) + 1 :]:
        cause = f"revision {withdrawn.revision} was rolled back"
        decisions.do(SetDesired(task_id=withdrawn.id, desired_state=TaskState.REMOVE, cause=cause))
    if _is_superfluous(newest, staying):
        cause = f"{_node_name(decisions, staying[0])} is back"
        decisions.do(SetDesired(task_id=newest.id, desired_state=TaskState.REMOVE, cause=cause))
        return
    order = rolling_update.policy_of(service).order
    for old in live:
        if old.id == newest.id or old.created_at > newest.created_at:
            continue
        why = leaving.get(old.id)
        cause = why.cause if why else f"replaced by revision {newest.revision}"
        handover.hand_over(decisions, service, old=old, new=newest, cause=cause, order=order)
    handover.promote(decisions, service, slot)


def create_task(
    decisions: Decisions,
    service: objects.Service,
    key: SlotKey,
    *,
    cause: str,
    revision: int,
    start_after: float = 0,
    desired_state: TaskState = TaskState.RUNNING,
) -> None:
    """A new task in a slot; of a global service the key is the node."""
    decisions.do(
        CreateTask(
            task_id=decisions.new_id(),
            service_id=service.id,
            slot=key if isinstance(key, int) else 0,
            node_id=key if isinstance(key, str) else "",
            revision=revision,
            cause=cause,
            start_after=start_after,
            desired_state=desired_state,
        )
    )


def close_ended(decisions: Decisions, slot: Slot) -> None:
    """Nobody wants an ended task any longer: it is history."""
    for task in slot.tasks:
        if task.has_ended and task.is_wanted:
            decisions.do(
                SetDesired(
                    task_id=task.id,
                    desired_state=TaskState.SHUTDOWN,
                    cause=restarts.describe_end(task),
                )
            )


def _fill(
    decisions: Decisions,
    service: objects.Service,
    slot: Slot,
    leaving: dict[str, Leaving],
) -> None:
    if leaving:
        _replace_leaving(decisions, service, slot, leaving)
        return
    last = slot.latest
    if last.desired_state == TaskState.REMOVE:
        return
    revision = rolling_update.revision_for_replacement(service, last)
    if not ended_by_itself(last):
        cause = last.end_cause or restarts.describe_end(last)
        still_stops = not last.has_ended and decisions.is_on_live_node(last)
        create_task(
            decisions,
            service,
            slot.key,
            cause=cause,
            revision=revision,
            desired_state=TaskState.READY if still_stops else TaskState.RUNNING,
        )
        return
    is_new_spec = revision != last.revision
    verdict = restarts.decide_restart(slot, service.spec.task.restart)
    if isinstance(verdict, restarts.Spent):
        if is_new_spec:
            cause = f"{restarts.describe_end(last)}; new revision"
            create_task(decisions, service, slot.key, cause=cause, revision=revision)
        return
    waits = verdict.at > decisions.now
    create_task(
        decisions,
        service,
        slot.key,
        cause=verdict.cause,
        revision=revision,
        start_after=verdict.at if waits else 0,
        desired_state=TaskState.READY if waits else TaskState.RUNNING,
    )
    if waits:
        decisions.wake(service.id, verdict.at)


def _replace_leaving(
    decisions: Decisions,
    service: objects.Service,
    slot: Slot,
    leaving: dict[str, Leaving],
) -> None:
    newest = slot.live[-1]
    why = leaving[newest.id]
    if newest.status.state < TaskState.ASSIGNED:
        return
    revision = rolling_update.revision_for_replacement(service, newest)
    order = rolling_update.policy_of(service).order
    starts_at_once = why.is_lost or order == order.START_FIRST
    create_task(
        decisions,
        service,
        slot.key,
        cause=why.cause,
        revision=revision,
        desired_state=TaskState.RUNNING if starts_at_once else TaskState.READY,
    )


def _choose(service: objects.Service, staying: list[objects.Task]) -> objects.Task:
    """The task that the slot should end up with: the newest of the current revision, if any."""
    current = [task for task in staying if task.revision == service.revision]
    return (current or staying)[-1]


def _is_superfluous(newest: objects.Task, staying: list[objects.Task]) -> bool:
    """True when the newest task was only a replacement for one of its revision that is back."""
    oldest = staying[0]
    return (
        oldest.id != newest.id
        and oldest.revision == newest.revision
        and (newest.status.state != TaskState.RUNNING or oldest.status.state == TaskState.RUNNING)
    )


def _leaving(decisions: Decisions, service: objects.Service, task: objects.Task) -> Leaving | None:
    if not task.node_id or task.status.state < TaskState.ASSIGNED:
        return None
    node = decisions.node_of(task)
    if node is None:
        return Leaving("its node is gone", is_lost=True)
    if node.state == NodeState.DOWN:
        return Leaving(f"node {node.hostname} is down", is_lost=True)
    if node.availability == Availability.DRAIN:
        return Leaving(f"node {node.hostname} is drained", is_lost=False)
    for text in service.spec.task.placement.constraints:
        if not constraints.is_met(constraints.parse(text), node):
            return Leaving(f"node {node.hostname} no longer meets {text}", is_lost=False)
    return None


def _node_name(decisions: Decisions, task: objects.Task) -> str:
    node = decisions.node_of(task)
    return f"node {node.hostname}" if node is not None else "its node"
