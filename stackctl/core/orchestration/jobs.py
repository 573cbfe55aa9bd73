"""Jobs: tasks that are meant to end, once for each revision of the service.

    replicated job   `replicas` slots, of which `max_concurrent` are under way at a time; each is
                     done when a task of it has completed
    global job       one slot for each eligible node, also for one that joins later

A revision is a run (Swarm's job iteration): a new one ends what is left of the former run, whose
tasks become history. Unlike Swarm's jobs, which run again at every update of the service, these
run again only when something about their tasks has changed or somebody asks for it, and a change of
`replicas` runs what is missing.

A task that fails is restarted by the restart policy (`any` means `on-failure`); a slot that is not
tried again stays as it is, and the job never completes. Completed tasks stay wanted, and so kept,
while their run is the current one. A running task is left to finish where it is, unless its node is
lost or drained. Slots are numbered from 1, as those of services (Swarm's jobs begin with 0).
"""

from collections.abc import Iterable, Mapping

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import global_mode, handover, replicated, restarts, tending
from stackctl.core.orchestration.slots import Slot, SlotKey
from stackctl.model import objects
from stackctl.model.objects import Availability, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetDesired


def reconcile_replicated(decisions: Decisions, service: objects.Service) -> None:
    """Runs slots until as many have completed as asked for."""
    _end_former_run(decisions, service)
    _forget_slots_beyond(decisions, service)
    current = _remove_surplus(decisions, service, _of_run(decisions, service))
    for slot in current.values():
        _tend(decisions, service, slot)
    _begin_slots(decisions, service)


def reconcile_global(decisions: Decisions, service: objects.Service) -> None:
    """Runs one task on each eligible node until it has completed there."""
    _end_former_run(decisions, service)
    current = _of_run(decisions, service)
    for node in sorted(decisions.draft.nodes.values(), key=lambda node: (node.hostname, node.id)):
        slot = current.get(node.id)
        if global_mode.is_eligible(service, node):
            if slot is not None:
                _tend(decisions, service, slot)
            else:
                _create(decisions, service, node.id, cause=f"node {node.hostname} is eligible")
        elif slot is not None and node.state == NodeState.READY:
            is_paused = node.availability == Availability.PAUSE
            if is_paused and global_mode.meets_constraints(service, node):
                _close_failed(decisions, service, slot)
            else:
                cause = f"node {node.hostname} is no longer eligible"
                _end_live(decisions, slot.tasks, cause=cause)
    for key, slot in decisions.slots(service.id).items():
        if key not in decisions.draft.nodes:
            global_mode.forget(decisions, slot)


def is_complete(service: objects.Service, slot: Slot) -> bool:
    """True when a task of the current run has completed in the slot."""
    return any(task.has_completed for task in slot.of_revision(service.revision))


def _of_run(decisions: Decisions, service: objects.Service) -> dict[SlotKey, Slot]:
    """The slots in which the current run has begun."""
    return {
        key: slot
        for key, slot in decisions.slots(service.id).items()
        if slot.of_revision(service.revision)
    }


def _end_former_run(decisions: Decisions, service: objects.Service) -> None:
    former = [task for task in decisions.tasks(service.id) if task.revision != service.revision]
    _end_live(decisions, former, cause=f"revision {service.revision} runs now")


def _forget_slots_beyond(decisions: Decisions, service: objects.Service) -> None:
    """A former run may have had more slots: nothing of them is history of this one."""
    total = service.spec.replicas
    beyond = [
        task
        for slot in decisions.slots(service.id).values()
        if not slot.of_revision(service.revision)
        for task in slot.tasks
        if task.slot > total and task.desired_state < TaskState.REMOVE
    ]
    cause = f"revision {service.revision} has {total} slots"
    for task in beyond:
        decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))


def _end_live(decisions: Decisions, tasks: Iterable[objects.Task], *, cause: str) -> None:
    """Tells tasks to end. Those that ended by themselves say how, and stay completed or failed."""
    for task in tasks:
        if task.is_wanted:
            reason = restarts.describe_end(task) if task.has_ended else cause
            decisions.do(
                SetDesired(task_id=task.id, desired_state=TaskState.SHUTDOWN, cause=reason)
            )


def _tend(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    if not is_complete(service, slot):
        tending.tend(decisions, service, slot, may_move=False)
        return
    for task in slot.live:  # it was to stand in for one that has completed meanwhile
        cause = "completed by an earlier task"
        decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))


def _close_failed(decisions: Decisions, service: objects.Service, slot: Slot) -> None:
    if not is_complete(service, slot):
        tending.close_ended(decisions, service, slot)


def _begin_slots(decisions: Decisions, service: objects.Service) -> None:
    """Starts the lowest slots that have not begun, as many as may be under way.

    A slot in which a task of the former run is still stopping counts as under way; it may be given
    its new task, which waits for the old one to end.
    """
    slots = decisions.slots(service.id)
    total = service.spec.replicas
    begun = sum(1 for slot in slots.values() if slot.of_revision(service.revision))
    room = (service.spec.max_concurrent or total) - sum(
        1 for slot in slots.values() if _is_under_way(decisions, service, slot)
    )
    is_first = service.revision == 1
    for number in range(1, total + len(slots) + 1):
        if begun >= total:
            return
        slot = slots.get(number)
        if slot is not None and slot.of_revision(service.revision):
            continue
        is_occupied = slot is not None and _is_under_way(decisions, service, slot)
        if room <= 0 and not is_occupied:
            continue
        cause = "job created" if is_first else f"run of revision {service.revision}"
        _create(decisions, service, number, cause=cause)
        begun += 1
        room -= not is_occupied


def _is_under_way(decisions: Decisions, service: objects.Service, slot: Slot) -> bool:
    """True while something runs in the slot, or is yet to run again."""
    if any(handover.still_runs(decisions, task) for task in slot.tasks):
        return True
    if not slot.of_revision(service.revision) or is_complete(service, slot):
        return False
    return bool(slot.live) or not tending.is_spent(decisions, service, slot)


def _create(decisions: Decisions, service: objects.Service, key: SlotKey, *, cause: str) -> None:
    former = decisions.slots(service.id).get(key)
    tending.create_task(
        decisions,
        service,
        key,
        cause=cause,
        revision=service.revision,
        desired_state=handover.first_wish(decisions, former.tasks if former else ()),
    )


def _remove_surplus(
    decisions: Decisions, service: objects.Service, current: Mapping[SlotKey, Slot]
) -> dict[SlotKey, Slot]:
    """Takes slots away beyond the number asked for, those that completed last; returns the rest."""
    surplus = len(current) - service.spec.replicas
    if surplus <= 0:
        return dict(current)
    open_slots = [slot for slot in current.values() if not is_complete(service, slot)]
    victims = replicated.choose_victims(open_slots, min(surplus, len(open_slots)))
    done = [slot for slot in current.values() if is_complete(service, slot)]
    victims += done[len(done) - (surplus - len(victims)) :] if surplus > len(victims) else []
    cause = f"scaled to {service.spec.replicas}"
    for victim in victims:
        for task in victim.tasks:
            decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))
    gone = {victim.key for victim in victims}
    return {key: slot for key, slot in current.items() if key not in gone}
