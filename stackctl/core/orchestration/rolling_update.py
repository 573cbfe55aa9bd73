"""Rolling updates and rollbacks: which slots change next, and when enough has failed.

All of it is data in the service's update status, so a new leader just continues. A slot counts as
done when its task of the new revision has been running for `monitor_seconds` (Swarm goes on at once
and watches beside it); `parallelism` slots are under way at a time, `delay_seconds` pass between a
slot being done and the next one beginning.

A slot has failed when one of its tasks of this revision ended by itself before it ran, or within
`monitor_seconds` after, or found no node for `PLACEMENT_SECONDS_MAX` (in Swarm such an update waits
for ever). The action is taken when failed slots / all slots is strictly greater than
`max_failure_ratio`; a failed slot that is tolerated holds up nobody, it restarts by its own policy.
A rollback returns to the previous spec with that spec's rollback policy, and touches only slots
that have left it; a failing rollback pauses.

Where nothing but contents differ of which a process is told by a signal, a running task is carried
over to the new revision instead of replaced; it counts as updated, or as failed, like a new one.

A slot that was out of reach during an update (its node was down or paused) is brought to the
current revision when it can be reached again, by the same order and parallelism.
"""

import math
from collections.abc import Mapping

from msgspec.structs import replace

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import handover, restarts
from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself
from stackctl.model import objects, specs
from stackctl.model.objects import UpdateState, UpdateStatus
from stackctl.model.task_state import TaskState
from stackctl.state import admission, revisions
from stackctl.state.changes import CarryOverTask, CreateTask, RollBackService, SetUpdateStatus
from stackctl.state.results import Rejection
from stackctl.state.revisions import MOVING_STATES, PAUSED_STATES

NEVER = math.inf
PLACEMENT_SECONDS_MAX = 60.0
ROLLED_BACK = "update rolled back"


def policy_of(service: objects.Service) -> specs.UpdatePolicy:
    """The policy in force: the rollback's while rolling back."""
    status = service.update_status
    is_rollback = status is not None and status.state in (
        UpdateState.ROLLBACK_STARTED,
        UpdateState.ROLLBACK_PAUSED,
    )
    return service.spec.rollback if is_rollback else service.spec.update


def order_of(service: objects.Service) -> specs.UpdateOrder:
    """Which of a slot's two tasks goes first; of a job never do two run."""
    if service.spec.mode.is_job:
        return specs.UpdateOrder.STOP_FIRST
    return policy_of(service).order


def revision_for_replacement(service: objects.Service, last: objects.Task) -> int:
    """The revision that a lost or failed task's successor gets.

    A paused update must not creep on through restarts, nor one that waits for another service
    begin with them: an untouched slot keeps its revision.
    """
    status = service.update_status
    is_paused = status is not None and status.state in PAUSED_STATES
    if (is_paused or service.is_held) and last.revision in service.task_specs:
        return last.revision
    return service.revision


def is_moving(service: objects.Service) -> bool:
    """True while the service is in an update or a rollback that goes on."""
    return service.update_status is not None and service.update_status.state in MOVING_STATES


def is_dirty(service: objects.Service, slot: Slot) -> bool:
    """True when nobody has begun to bring the slot to the current revision."""
    return all(task.revision != service.revision for task in slot.live or (slot.latest,))


def is_given_up(service: objects.Service, last: objects.Task) -> bool:
    """True when a slot's last task went with its node, and must not run a second time in this
    revision.
    """
    replaces_lost = service.spec.task.restart.replaces_lost
    is_current = last.revision == service.revision
    return last.status.state == TaskState.ORPHANED and is_current and not replaces_lost


def judge(
    decisions: Decisions, service: objects.Service, slots: Mapping[SlotKey, Slot]
) -> objects.Service:
    """Notes which slots have failed, and pauses or rolls back when they are too many.

    Comes before slots are tended, so that what failed is not tried again first. `slots` are the
    present ones; returns the service as it is then.
    """
    status = service.update_status
    if status is None or status.state not in MOVING_STATES:
        return service
    policy = policy_of(service)
    failed = {
        str(key)
        for key, slot in slots.items()
        if _has_failed(decisions, service, status, policy, slot)
    } | set(status.failed_slots)
    is_global = service.spec.mode.is_global
    asked = len(slots) if is_global else service.spec.replicas
    total = max(status.slots, min(asked, len(slots)))
    if failed != set(status.failed_slots):
        status = replace(
            status, failed_slots=tuple(sorted(failed)), failed_at=decisions.now, slots=total
        )
        _set(decisions, service, status)
    elif total != status.slots:
        status = replace(status, slots=total)
        _set(decisions, service, status)
    is_watched = policy.failure_action != specs.FailureAction.CONTINUE
    if is_watched and len(failed) > policy.max_failure_ratio * total:
        _fail(decisions, service, status, policy, slots)
    return decisions.draft.services[service.id]


def advance(decisions: Decisions, service: objects.Service, slots: Mapping[SlotKey, Slot]) -> None:
    """One step of the service's update, if it is in one. `slots` are the present ones."""
    status = service.update_status
    if service.is_held or (status is not None and status.state in PAUSED_STATES):
        return
    policy = policy_of(service)
    if status is None or status.state not in MOVING_STATES:
        _catch_up(decisions, service, policy, slots)
    else:
        _begin_slots(decisions, service, policy, status, slots)


def _catch_up(
    decisions: Decisions,
    service: objects.Service,
    policy: specs.UpdatePolicy,
    slots: Mapping[SlotKey, Slot],
) -> None:
    dirty = [
        slot
        for slot in slots.values()
        if is_dirty(service, slot)
        and _next_attempt(service, slot, now=decisions.now) <= decisions.now
    ]
    if not dirty:
        return
    under_way = sum(
        1
        for slot in slots.values()
        if len(slot.live) > 1 and slot.live[-1].status.state != TaskState.RUNNING
    )
    for slot in dirty[: _room(policy, len(dirty), under_way)]:
        _begin(decisions, service, policy, slot)


def _begin_slots(
    decisions: Decisions,
    service: objects.Service,
    policy: specs.UpdatePolicy,
    status: UpdateStatus,
    slots: Mapping[SlotKey, Slot],
) -> None:
    dirty = [slot for slot in slots.values() if is_dirty(service, slot)]
    under_way = unproven = 0
    next_at = status.failed_at + policy.delay_seconds
    for slot in slots.values():
        if is_dirty(service, slot):
            continue
        done_at = _done_at(decisions, service, policy, slot)
        if done_at is None:
            under_way += 1
        elif done_at > decisions.now:
            if slot.live and slot.live[-1].tried_version < status.started_version:
                unproven += 1  # it was there before, and holds nobody up
            else:
                under_way += 1
            decisions.wake(service.id, done_at)
        elif done_at > status.started_at:
            next_at = max(next_at, done_at + policy.delay_seconds)
    attempts = {slot.key: _next_attempt(service, slot, now=decisions.now) for slot in dirty}
    open_slots = [slot for slot in dirty if attempts[slot.key] != NEVER]
    if not open_slots:
        if under_way + unproven == 0:
            _complete(decisions, service, status)
        return
    if policy.delay_seconds and next_at > decisions.now:
        decisions.wake(service.id, next_at)
        return
    # A slot that has failed before waits behind those that have not been tried.
    due = sorted(
        (at, number)
        for number, slot in enumerate(open_slots)
        if (at := attempts[slot.key]) <= decisions.now
    )
    for _, number in due[: _room(policy, len(due), under_way)]:
        _begin(decisions, service, policy, open_slots[number])
    for at in attempts.values():
        if decisions.now < at < NEVER:
            decisions.wake(service.id, at)


def _room(policy: specs.UpdatePolicy, wanted: int, under_way: int) -> int:
    """How many more slots may begin to change; without a parallelism all of them."""
    return max(policy.parallelism - under_way, 0) if policy.parallelism else wanted


def _next_attempt(service: objects.Service, slot: Slot, *, now: float) -> float:
    """When a slot without a live task of the current revision may get its next one: 0 when none was
    tried, after one that failed when the restart policy says, which may be NEVER.
    """
    last = slot.latest
    if last.revision != service.revision or not ended_by_itself(last):
        return 0.0
    policy = restarts.policy_of(service.spec)
    verdict = restarts.decide_restart(slot, policy, last=last, now=now)
    return NEVER if isinstance(verdict, restarts.Spent) else verdict.at


def _begin(
    decisions: Decisions, service: objects.Service, policy: specs.UpdatePolicy, slot: Slot
) -> None:
    if len(slot.live) == 1 and revisions.carries_over(service, slot.live[0]):
        decisions.do(CarryOverTask(task_id=slot.live[0].id, revision=service.revision))
        return
    starts_first = policy.order == specs.UpdateOrder.START_FIRST
    wish = TaskState.RUNNING if starts_first else handover.first_wish(decisions, slot.tasks)
    decisions.do(
        CreateTask(
            task_id=decisions.new_id(),
            service_id=service.id,
            slot=0 if isinstance(slot.key, str) else slot.key,
            revision=service.revision,
            cause=_cause(service),
            desired_state=wish,
            node_id=slot.key if isinstance(slot.key, str) else "",
        )
    )


def _cause(service: objects.Service) -> str:
    status = service.update_status
    if status is not None and status.state == UpdateState.ROLLBACK_STARTED:
        return f"rollback to revision {service.revision}"
    return f"update to revision {service.revision}"


def _done_at(
    decisions: Decisions, service: objects.Service, policy: specs.UpdatePolicy, slot: Slot
) -> float | None:
    """When a slot that is not dirty is done (perhaps in the future), or None while that is not
    known.
    """
    status = service.update_status
    if status is None:
        return None
    if str(slot.key) in status.failed_slots:
        return status.failed_at
    if not slot.live:
        is_spent = _next_attempt(service, slot, now=decisions.now) == NEVER
        is_spent = is_spent or is_given_up(service, slot.latest)
        return slot.latest.status.at if is_spent else None
    newest = slot.live[-1]
    if newest.status.state != TaskState.RUNNING:
        return None
    if newest.tried_version < status.started_version:
        return max(status.started_at, newest.tried_at + policy.monitor_seconds)
    return newest.tried_at + policy.monitor_seconds


def _has_failed(
    decisions: Decisions,
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    slot: Slot,
) -> bool:
    return any(
        _failed_in_update(service, status, policy, task)
        or _is_stuck(decisions, service, status, task)
        for task in slot.tasks
    )


def _failed_in_update(
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    task: objects.Task,
) -> bool:
    if task.revision != service.revision or not ended_by_itself(task):
        return False
    if max(task.tried_version, task.ended_version) < status.started_version:
        return False  # it had ended before this update, or before it was resumed
    if task.has_completed and not restarts.goes_on_after_success(service.spec):
        return False  # it has done what it was there for
    return not task.tried_at or task.status.at - task.tried_at <= policy.monitor_seconds


def _is_of_update(service: objects.Service, status: UpdateStatus, task: objects.Task) -> bool:
    return task.revision == service.revision and task.tried_version >= status.started_version


def _is_stuck(
    decisions: Decisions, service: objects.Service, status: UpdateStatus, task: objects.Task
) -> bool:
    """True for a task of the update that has waited for a node for too long."""
    if not task.is_wanted or task.status.state >= TaskState.ASSIGNED:
        return False
    if not _is_of_update(service, status, task):
        return False
    due_at = task.created_at + PLACEMENT_SECONDS_MAX
    if due_at > decisions.now:
        decisions.wake(service.id, due_at)
    return due_at <= decisions.now


def _fail(
    decisions: Decisions,
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    slots: Mapping[SlotKey, Slot],
) -> None:
    reason = _reason(decisions, service, status, policy, slots)
    if status.state == UpdateState.ROLLBACK_STARTED:
        paused = replace(
            status, state=UpdateState.ROLLBACK_PAUSED, message=f"rollback paused {reason}"
        )
        _set(decisions, service, paused)
        return
    if policy.failure_action == specs.FailureAction.ROLLBACK and service.previous_spec is not None:
        obstacle = _obstacle(decisions, service)
        if not obstacle:
            decisions.do(
                RollBackService(
                    service_id=service.id,
                    revision=service.revision,
                    message=f"{ROLLED_BACK} {reason}",
                )
            )
            return
        reason = f"{reason}; it cannot be rolled back: {obstacle}"
    paused = replace(status, state=UpdateState.PAUSED, message=f"update paused {reason}")
    _set(decisions, service, paused)


def _reason(
    decisions: Decisions,
    service: objects.Service,
    status: UpdateStatus,
    policy: specs.UpdatePolicy,
    slots: Mapping[SlotKey, Slot],
) -> str:
    """Swarm's words for a task that ended; for one without a node, what stands in its way."""
    tasks = [task for slot in slots.values() for task in slot.tasks]
    ended = [task for task in tasks if _failed_in_update(service, status, policy, task)]
    if ended:
        return f"due to failure or early termination of task {ended[-1].id}"
    stuck = [task for task in tasks if _is_stuck(decisions, service, status, task)]
    if stuck:
        why = stuck[-1].status.error or "no node"
        return f"because task {stuck[-1].id} waited {PLACEMENT_SECONDS_MAX:.0f} s for a node: {why}"
    return "due to failure or early termination of task"


def _obstacle(decisions: Decisions, service: objects.Service) -> str:
    """Why the previous spec cannot come back, or ""."""
    try:
        admission.check_return(decisions.draft, service)
    except Rejection as rejection:
        return rejection.error.message
    return ""


def _complete(decisions: Decisions, service: objects.Service, status: UpdateStatus) -> None:
    is_rollback = status.state == UpdateState.ROLLBACK_STARTED
    message = "rollback completed" if is_rollback else "update completed"
    if is_rollback and status.message.startswith(ROLLED_BACK):
        # Swarm forgets here why it rolled back, and perhaps nobody was there to read it before.
        message = f"{message}; {status.message}"
    if status.failed_slots:
        message = f"{message}; {len(status.failed_slots)} of {status.slots} slots failed"
    _set(
        decisions,
        service,
        replace(
            status,
            state=UpdateState.ROLLBACK_COMPLETED if is_rollback else UpdateState.COMPLETED,
            message=message,
            completed_at=decisions.now,
        ),
    )


def _set(decisions: Decisions, service: objects.Service, status: UpdateStatus) -> None:
    decisions.do(SetUpdateStatus(service_id=service.id, revision=service.revision, status=status))
