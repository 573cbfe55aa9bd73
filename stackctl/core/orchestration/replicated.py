"""Replicated services: as many slots as replicas.

Scaling up takes the lowest free slot numbers. Scaling down takes from the node with most tasks of
the service, prefers slots that are not running, then higher numbers (Swarm's rule).
"""

from collections import Counter

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import rolling_update, tending
from stackctl.core.orchestration.slots import Slot, slots_of
from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetDesired


def reconcile(decisions: Decisions, service: objects.Service) -> None:
    """Brings the service's slots to the number asked for, and tends each."""
    present = _present(decisions, service)
    surplus = len(present) - service.spec.replicas
    if surplus > 0:
        _remove(decisions, service, present, surplus)
    for slot in _present(decisions, service):
        tending.tend(decisions, service, slot)
    if surplus < 0:
        _add(decisions, service, present, -surplus)
    current = decisions.draft.services[service.id]
    rolling_update.advance(
        decisions, current, {slot.key: slot for slot in _present(decisions, current)}
    )


def _present(decisions: Decisions, service: objects.Service) -> list[Slot]:
    slots = slots_of(decisions.draft.tasks_of(service.id).values())
    return [slot for slot in slots.values() if slot.is_present]


def _add(decisions: Decisions, service: objects.Service, present: list[Slot], count: int) -> None:
    taken = {slot.key for slot in present}
    is_first = not taken
    number = 0
    while count:
        number += 1
        if number in taken:
            continue
        cause = "service created" if is_first else f"scaled to {service.spec.replicas}"
        tending.create_task(decisions, service, number, cause=cause, revision=service.revision)
        count -= 1


def _remove(
    decisions: Decisions, service: objects.Service, present: list[Slot], count: int
) -> None:
    crowd = Counter(slot.latest.node_id for slot in present)
    remaining = list(present)
    cause = f"scaled to {service.spec.replicas}"
    for _ in range(count):
        victim = max(remaining, key=lambda slot: _removal_rank(slot, crowd))
        remaining.remove(victim)
        crowd[victim.latest.node_id] -= 1
        for task in victim.tasks:
            decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))


def _removal_rank(slot: Slot, crowd: Counter[str]) -> tuple[bool, int, int]:
    is_running = any(task.status.state == TaskState.RUNNING for task in slot.live)
    number = slot.key if isinstance(slot.key, int) else 0
    return (not is_running, crowd[slot.latest.node_id], number)
