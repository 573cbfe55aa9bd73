"""Tending a slot: replace what ended or was lost, let prepared tasks start, finish handovers.

A task is lost when its node is DOWN; it must leave when its node is drained or no longer meets the
constraints. A lost task is told to stop only when its replacement has a node: one that nobody else
can run (it is bound to the lost node) simply goes on when the node returns, and the waiting
replacement is withdrawn.

Both a drained node's tasks and those that no longer meet the constraints leave as in a rolling
update: `parallelism` at a time, the next ones when those before them run. A drained node is emptied
even where no node takes over, as its operator asked; constraints only drive tasks to a node that
takes them: a deploy that changes nothing but a constraint must not stop a service.

A replacement that cannot even be prepared (its image is missing) is tried again, later and later,
and the task that it shall replace goes on meanwhile.
"""

import msgspec

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import handover, restarts, rolling_update
from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import Availability, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.changes import CreateTask, SetDesired


class Leaving(msgspec.Struct, frozen=True):
    """Why a task cannot stay where it is."""

    cause: str
    is_lost: bool = False  # its node does not answer
    is_ordered: bool = False  # its node is drained


def tend(
    decisions: Decisions, service: objects.Service, slot: Slot, *, may_move: bool = True
) -> None:
    """Decides what one slot needs now. `may_move` allows it to begin to leave a node that is
    drained or no longer meets the constraints.
    """
    close_ended(decisions, service, slot)
    live = slot.live
    leaving = {task.id: why for task in live if (why := _leaving(decisions, service, task))}
    staying = [task for task in live if task.id not in leaving]
    if not staying:
        _fill(decisions, service, slot, leaving, may_move=may_move)
        return
    newest = _choose(service, staying)
    for withdrawn in live[live.index(newest) + 1 :]:
        cause = f"revision {withdrawn.revision} was rolled back"
        if withdrawn.meant_for:
            cause = "its place was taken"
        elif withdrawn.revision == newest.revision:
            cause = f"{_node_name(decisions, newest)} is back"
        decisions.do(SetDesired(task_id=withdrawn.id, desired_state=TaskState.REMOVE, cause=cause))
    order = rolling_update.order_of(service)
    replaces = f"replaced by revision {newest.revision}"
    if newest.meant_for:
        order, replaces = specs.UpdateOrder.START_FIRST, newest.cause
    for old in live[: live.index(newest)]:
        why = leaving.get(old.id)
        handover.hand_over(
            decisions,
            service,
            old=old,
            new=newest,
            cause=why.cause if why else replaces,
            order=order,
            must_go=why is not None and why.is_ordered,
        )
    handover.promote(decisions, service, slot)


def is_moving(decisions: Decisions, service: objects.Service, slot: Slot) -> bool:
    """True while a slot is on its way from one reachable node to another: from when a task is made
    that shall take over until one has run, or none is to be had.
    """
    tasks = [task for task in slot.tasks if task.desired_state < TaskState.REMOVE]
    if not tasks or tasks[-1].running_at:
        return False
    newest = tasks[-1]
    waits_in_vain = newest.status.state < TaskState.ASSIGNED and bool(newest.status.error)
    if waits_in_vain and slot.live == (newest,):
        return False
    for older in reversed(tasks[:-1]):
        if not ended_by_itself(older):
            return decisions.is_on_live_node(older) and not is_spent(decisions, service, slot)
        if older.running_at:
            return False
    return False


def drives_away(
    decisions: Decisions, service: objects.Service, task: objects.Task
) -> Leaving | None:
    """Why the task may not stay on its node although that can be reached, None when it may."""
    why = _leaving(decisions, service, task)
    return why if why is not None and not why.is_lost else None


def is_spent(decisions: Decisions, service: objects.Service, slot: Slot) -> bool:
    """True for a slot without a live task that gets no other one in this revision."""
    last = slot.last_ended
    if not slot.live and rolling_update.is_given_up(service, last):
        return True
    if slot.live or not ended_by_itself(last):
        return False
    policy = restarts.policy_of(service.spec)
    verdict = restarts.decide_restart(slot, policy, last=last, now=decisions.now)
    return isinstance(verdict, restarts.Spent)


def create_task(
    decisions: Decisions,
    service: objects.Service,
    key: SlotKey,
    *,
    cause: str,
    revision: int,
    start_after: float = 0,
    restarts_before: int = 0,
    desired_state: TaskState = TaskState.RUNNING,
) -> None:
    """A new task in a slot; of a global service the key is the node. It starts later than desired
    when the service waits for another one.
    """
    if desired_state > TaskState.READY:
        desired_state = TaskState.READY if service.holds(revision) else handover.goal(service)
    decisions.do(
        CreateTask(
            task_id=decisions.new_id(),
            service_id=service.id,
            slot=key if isinstance(key, int) else 0,
            node_id=key if isinstance(key, str) else "",
            revision=revision,
            cause=cause,
            start_after=start_after,
            restarts=restarts_before,
            desired_state=desired_state,
        )
    )


def close_ended(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    """Nobody wants an ended task any longer: it is history. The last one says why none follows."""
    for task in slot.tasks:
        if task.has_ended and task.is_wanted:
            cause = restarts.describe_end(task)
            if not slot.live and task.id == slot.last_ended.id and ended_by_itself(task):
                policy = restarts.policy_of(service.spec)
                verdict = restarts.decide_restart(slot, policy, last=task, now=decisions.now)
                is_replaced = rolling_update.revision_for_replacement(service, task)
                if isinstance(verdict, restarts.Spent) and is_replaced == task.revision:
                    cause = f"{cause}; not restarted: {verdict.reason}"
            decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.SHUTDOWN, cause=cause))


def _fill(
    decisions: Decisions,
    service: objects.Service,
    slot: Slot,
    leaving: dict[str, Leaving],
    *,
    may_move: bool,
) -> None:
    if leaving:
        why = leaving[slot.live[-1].id]
        if why.is_lost and not service.spec.task.restart.replaces_lost:
            return
        is_job = service.spec.mode.is_job  # nobody is served by it, so it need not be spared
        if why.is_lost or may_move or (why.is_ordered and is_job):
            _replace_leaving(decisions, service, slot, why)
        else:
            handover.promote(decisions, service, slot)  # it stays for now, so it goes on
        return
    last = slot.last_ended
    if last.desired_state == TaskState.REMOVE or rolling_update.is_given_up(service, last):
        return
    revision = rolling_update.revision_for_replacement(service, last)
    wish = handover.first_wish(decisions, slot.tasks)
    if not ended_by_itself(last):
        create_task(
            decisions,
            service,
            slot.key,
            cause=_why_again(decisions, slot.key, last),
            revision=revision,
            restarts_before=last.restarts if revision == last.revision else 0,
            desired_state=wish,
        )
        return
    if revision != last.revision:
        cause = f"{restarts.describe_end(last)}; revision {revision} is current"
        create_task(
            decisions, service, slot.key, cause=cause, revision=revision, desired_state=wish
        )
        return
    policy = restarts.policy_of(service.spec)
    verdict = restarts.decide_restart(slot, policy, last=last, now=decisions.now)
    if isinstance(verdict, restarts.Spent):
        return
    if verdict.create_at > decisions.now:
        decisions.wake(service.id, verdict.create_at)
        return
    waits = verdict.at > decisions.now
    create_task(
        decisions,
        service,
        slot.key,
        cause=verdict.cause,
        revision=revision,
        start_after=verdict.at if waits else 0,
        restarts_before=last.restarts + 1,
        desired_state=TaskState.READY if waits else wish,
    )
    if waits:
        decisions.wake(service.id, verdict.at)


def _why_again(decisions: Decisions, key: SlotKey, last: objects.Task) -> str:
    """Why a slot gets another task although its last one was told to end."""
    node = decisions.draft.nodes.get(key) if isinstance(key, str) else None
    if node is not None and not last.status.counts_as_lost:
        return f"node {node.hostname} is eligible"
    return last.end_cause or restarts.describe_end(last)


def _replace_leaving(
    decisions: Decisions, service: objects.Service, slot: Slot, why: Leaving
) -> None:
    newest = slot.live[-1]
    if newest.status.state < TaskState.ASSIGNED:
        return
    failed = slot.tasks[slot.tasks.index(newest) + 1 :]
    failed = tuple(task for task in failed if ended_by_itself(task))
    retry_at = restarts.retry_at(failed, now=decisions.now)
    if retry_at > decisions.now:
        decisions.wake(service.id, retry_at)
        return
    revision = rolling_update.revision_for_replacement(service, newest)
    order = rolling_update.order_of(service)
    starts_first = order == order.START_FIRST
    create_task(
        decisions,
        service,
        slot.key,
        cause=why.cause,
        revision=revision,
        restarts_before=newest.restarts if revision == newest.revision else 0,
        desired_state=(
            TaskState.RUNNING if starts_first else handover.first_wish(decisions, slot.tasks)
        ),
    )


def _choose(service: objects.Service, staying: list[objects.Task]) -> objects.Task:
    """The task that the slot should end up with: the newest of the current revision, if any.

    Unless that was only to stand in for an older one of the same revision that is back, or was to
    move to a node that has no room for it any longer.
    """
    current = [task for task in staying if task.revision == service.revision]
    newest = (current or staying)[-1]
    if newest.meant_for and not (newest.status.state < TaskState.ASSIGNED and newest.status.error):
        return newest
    oldest = next(task for task in staying if task.revision == newest.revision)
    is_needed = newest.status.state == TaskState.RUNNING != oldest.status.state
    return newest if is_needed else oldest


def _leaving(decisions: Decisions, service: objects.Service, task: objects.Task) -> Leaving | None:
    if not task.node_id or task.status.state < TaskState.ASSIGNED:
        return None
    node = decisions.node_of(task)
    if node is None:
        return Leaving("its node is gone", is_lost=True)
    if node.state == NodeState.DOWN:
        return Leaving(f"node {node.hostname} is down", is_lost=True)
    if node.availability == Availability.DRAIN:
        return Leaving(f"node {node.hostname} is drained", is_ordered=True)
    for text in service.spec.task.placement.constraints:
        if not constraints.is_met(constraints.parse(text), node):
            return Leaving(f"node {node.hostname} no longer meets {text}")
    return None


def _node_name(decisions: Decisions, task: objects.Task) -> str:
    node = decisions.node_of(task)
    return f"node {node.hostname}" if node is not None else "its node"
