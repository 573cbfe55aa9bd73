"""Rolling updates and rollbacks: which slots change next, and when enough has failed.

All of it is data in the service's update status, so a new leader just continues. A slot counts as
done when its task of the new revision has been running for `monitor_seconds` (Swarm goes on at once
and watches beside it); `parallelism` slots are under way at a time, `delay_seconds` pass between a
slot being done and the next one beginning.

A slot has failed when one of its tasks of this revision ended by itself before it ran, or within
`monitor_seconds` after. The action is taken when failed slots / all slots is strictly greater than
`max_failure_ratio`. A rollback returns to the previous spec with that spec's rollback policy, and
touches only slots that have left it; a failing rollback pauses.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import restarts
from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself
from stackctl.model import objects, specs
from stackctl.model.objects import UpdateState, UpdateStatus
from stackctl.model.task_state import TaskState
from stackctl.state.changes import CreateTask, RollBackService, SetUpdateStatus

MOVING = (UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED)
PAUSED = (UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED)


def policy_of(service: objects.Service) -> specs.UpdatePolicy:
    """The policy in force: the rollback's while rolling back."""
    status = service.update_status
    is_rollback = status is not None and status.state in (
        UpdateState.ROLLBACK_STARTED,
        UpdateState.ROLLBACK_PAUSED,
    )
    return service.spec.rollback if is_rollback else service.spec.update


def revision_for_replacement(service: objects.Service, last: objects.Task) -> int:
    """The revision that a lost or failed task's successor gets.

    A paused update must not creep on through restarts: an untouched slot keeps its revision.
    """
    status = service.update_status
    is_paused = status is not None and status.state in PAUSED
    if is_paused and last.revision in service.task_specs:
        return last.revision
    return service.revision


def advance(decisions: Decisions, service: objects.Service, slots: Mapping[SlotKey, Slot]) -> None:
    """One step of the service's update, if it is in one. `slots` are the present ones."""
    status = service.update_status
    if status is None or status.state not in MOVING:
        return
    policy = policy_of(service)
    failed = {
        str(key) for key, slot in slots.items() if _has_failed(service, status, policy, slot)
    } | set(status.failed_slots)
    total = max(status.slots, len(slots))
    if failed != set(status.failed_slots) or total != status.slots:
        status = replace(status, failed_slots=tuple(sorted(failed)), slots=total)
        _set(decisions, service, status)
    is_watched = policy.failure_action != specs.FailureAction.CONTINUE
    if is_watched and len(failed) > policy.max_failure_ratio * total:
        _fail(decisions, service, status, policy, slots)
        return
    _begin_slots(decisions, service, policy, status, slots)


def _begin_slots(
    decisions: Decisions,
    service: objects.Service,
    policy: specs.UpdatePolicy,
    status: UpdateStatus,
    slots: Mapping[SlotKey, Slot],
) -> None:
    dirty = [slot for slot in slots.values() if _is_dirty(service, slot)]
    under_way = 0
    next_at = 0.0
    for slot in slots.values():
        done_at = _done_at(service, policy, status, slot)
        if done_at is None:
            under_way += 0 if _is_dirty(service, slot) else 1
        elif done_at > decisions.now:
            under_way += 1
            decisions.wake(service.id, done_at)
        elif done_at > status.started_at:
            next_at = max(next_at, done_at + policy.delay_seconds)
    if not dirty:
        if under_way == 0:
            _complete(decisions, service, status)
        return
    if policy.delay_seconds and next_at > decisions.now:
        decisions.wake(service.id, next_at)
        return
    room = (policy.parallelism or len(dirty)) - under_way
    ready = [slot for slot in dirty if _may_begin(decisions, service, slot)]
    for slot in ready[: max(room, 0)]:
        _begin(decisions, service, policy, slot)


def _may_begin(decisions: Decisions, service: objects.Service, slot: Slot) -> bool:
    """False while the slot's last attempt at this revision waits for its restart delay."""
    last = slot.latest
    if last.revision != service.revision or not ended_by_itself(last):
        return True
    verdict = restarts.decide_restart(slot, service.spec.task.restart)
    if isinstance(verdict, restarts.Spent):
        return False
    if verdict.at > decisions.now:
        decisions.wake(service.id, verdict.at)
        return False
    return True


def _begin(
    decisions: Decisions, service: objects.Service, policy: specs.UpdatePolicy, slot: Slot
) -> None:
    starts_first = policy.order == specs.UpdateOrder.START_FIRST
    nobody_to_wait_for = not any(decisions.is_on_live_node(task) for task in slot.live)
    desired = TaskState.RUNNING if starts_first or nobody_to_wait_for else TaskState.READY
    is_node = isinstance(slot.key, str)
    decisions.do(
        CreateTask(
            task_id=decisions.new_id(),
            service_id=service.id,
            slot=0 if isinstance(slot.key, str) else slot.key,
            revision=service.revision,
            cause=_cause(service),
            desired_state=desired,
            node_id=str(slot.key) if is_node else "",
        )
    )


def _cause(service: objects.Service) -> str:
    status = service.update_status
    if status is not None and status.state == UpdateState.ROLLBACK_STARTED:
        return f"rollback to revision {service.revision}"
    return f"update to revision {service.revision}"


def _is_dirty(service: objects.Service, slot: Slot) -> bool:
    """True when nobody has begun to bring the slot to the current revision."""
    newest = slot.live[-1] if slot.live else slot.latest
    return newest.revision != service.revision


def _done_at(
    service: objects.Service, policy: specs.UpdatePolicy, status: UpdateStatus, slot: Slot
) -> float | None:
    """When the slot is done (perhaps in the future), or None while that is not known."""
    if not slot.live:
        is_spent = slot.latest.revision == service.revision and ended_by_itself(slot.latest)
        return slot.latest.status.at if is_spent else None
    newest = slot.live[-1]
    if newest.revision != service.revision or newest.status.state != TaskState.RUNNING:
        return None
    if newest.running_at < status.started_at:
        return newest.running_at
    return newest.running_at + policy.monitor_seconds


def _has_failed(
    service: objects.Service, status: UpdateStatus, policy: specs.UpdatePolicy, slot: Slot
) -> bool:
    return any(_failed_in_update(service, status, policy, task) for task in slot.tasks)


def _failed_in_update(
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    task: objects.Task,
) -> bool:
    if task.revision != service.revision or task.created_at < status.started_at:
        return False
    if not ended_by_itself(task):
        return False
    return not task.running_at or task.status.at - task.running_at <= policy.monitor_seconds


def _fail(
    decisions: Decisions,
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    slots: Mapping[SlotKey, Slot],
) -> None:
    task_ids = [
        task.id
        for slot in slots.values()
        for task in slot.tasks
        if _failed_in_update(service, status, policy, task)
    ]
    reason = "due to failure or early termination of task"
    if task_ids:
        reason = f"{reason} {task_ids[-1]}"
    if status.state == UpdateState.ROLLBACK_STARTED:
        paused = replace(
            status, state=UpdateState.ROLLBACK_PAUSED, message=f"rollback paused {reason}"
        )
        _set(decisions, service, paused)
        return
    wants_rollback = policy.failure_action == specs.FailureAction.ROLLBACK
    if wants_rollback and service.previous_spec is not None:
        decisions.do(
            RollBackService(
                service_id=service.id,
                revision=service.revision,
                message=f"update rolled back {reason}",
            )
        )
        return
    _set(
        decisions,
        service,
        replace(status, state=UpdateState.PAUSED, message=f"update paused {reason}"),
    )


def _complete(decisions: Decisions, service: objects.Service, status: UpdateStatus) -> None:
    is_rollback = status.state == UpdateState.ROLLBACK_STARTED
    _set(
        decisions,
        service,
        replace(
            status,
            state=UpdateState.ROLLBACK_COMPLETED if is_rollback else UpdateState.COMPLETED,
            message="rollback completed" if is_rollback else "update completed",
            completed_at=decisions.now,
        ),
    )


def _set(decisions: Decisions, service: objects.Service, status: UpdateStatus) -> None:
    decisions.do(SetUpdateStatus(service_id=service.id, revision=service.revision, status=status))
