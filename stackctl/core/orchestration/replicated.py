"""Replicated services: as many slots as replicas.

Scaling up takes the lowest free slot numbers. Scaling down takes first what has no node, then from
the node with most tasks of the service, prefers slots that are not running, then higher numbers
(Swarm's rule, except that Swarm counts tasks without a node as a node of their own).
"""

import heapq

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import handover, rolling_update, tending
from stackctl.core.orchestration.slots import Slot, SlotKey
from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetDesired


def reconcile(decisions: Decisions, service: objects.Service) -> None:
    """Brings the service's slots to the number asked for, and tends each."""
    present = _present(decisions, service)
    service = rolling_update.judge(decisions, service, {slot.key: slot for slot in present})
    surplus = len(present) - service.spec.replicas
    if surplus > 0:
        present = _remove(decisions, service, present, surplus)
    allowed = _allowed_to_leave(decisions, service, present)
    for slot in present:
        tending.tend(decisions, service, slot, may_move=slot.key in allowed)
    if surplus < 0:
        _add(decisions, service, present, -surplus)
    rolling_update.advance(
        decisions, service, {slot.key: slot for slot in _present(decisions, service)}
    )


def _present(decisions: Decisions, service: objects.Service) -> list[Slot]:
    return [slot for slot in decisions.slots(service.id).values() if slot.is_present]


def _allowed_to_leave(
    decisions: Decisions, service: objects.Service, present: list[Slot]
) -> set[SlotKey]:
    """Slots that may leave their nodes now: all that nothing drives away or that have begun to go,
    and of the others `parallelism` at a time. During an update nothing leaves because of
    constraints: it replaces its slots one after another anyway.
    """
    driven = {
        slot.key: why
        for slot in present
        if len(slot.live) == 1
        and (why := tending.drives_away(decisions, service, slot.live[0])) is not None
    }
    if not driven:
        return {slot.key for slot in present}
    left = service.spec.update.parallelism or len(present)
    left -= sum(tending.is_moving(decisions, service, slot) for slot in present)
    allowed = set()
    for slot in present:
        why = driven.get(slot.key)
        if why is None or tending.is_moving(decisions, service, slot):
            allowed.add(slot.key)
        elif left > 0 and (why.is_ordered or not rolling_update.is_moving(service)):
            allowed.add(slot.key)
            left -= 1
    return allowed


def _add(decisions: Decisions, service: objects.Service, present: list[Slot], count: int) -> None:
    taken = {slot.key for slot in present}
    is_first = not taken and service.updated_at == service.created_at
    cause = "service created" if is_first else f"scaled to {service.spec.replicas}"
    left_behind = decisions.slots(service.id)
    number = 0
    while count:
        number += 1
        if number in taken:
            continue
        # A slot that was scaled away a moment ago may still have a task that is stopping.
        former = left_behind.get(number)
        tending.create_task(
            decisions,
            service,
            number,
            cause=cause,
            revision=service.revision,
            desired_state=handover.first_wish(decisions, former.tasks if former else ()),
        )
        count -= 1


def _remove(
    decisions: Decisions, service: objects.Service, present: list[Slot], count: int
) -> list[Slot]:
    """Takes slots away; returns those that stay."""
    victims = {slot.key for slot in choose_victims(present, count)}
    cause = f"scaled to {service.spec.replicas}"
    for slot in present:
        for task in slot.tasks if slot.key in victims else ():
            decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))
    return [slot for slot in present if slot.key not in victims]


def choose_victims(present: list[Slot], count: int) -> list[Slot]:
    """So many of the slots, those that are missed least."""
    by_node: dict[str, list[Slot]] = {}
    for slot in sorted(present, key=_removal_rank):
        by_node.setdefault(slot.node_id, []).append(slot)
    victims: list[Slot] = []
    placeless = by_node.pop("", [])
    while placeless and len(victims) < count:
        victims.append(placeless.pop())
    heap = [_node_rank(node_id, slots) for node_id, slots in by_node.items()]
    heapq.heapify(heap)
    while len(victims) < count:
        node_id = heapq.heappop(heap)[-1]
        slots = by_node[node_id]
        victims.append(slots.pop())
        if slots:
            heapq.heappush(heap, _node_rank(node_id, slots))
    return victims


def _node_rank(node_id: str, slots: list[Slot]) -> tuple[int, tuple[bool, int], str]:
    """The node with most slots first; of equal ones that whose next victim is the better one."""
    is_idle, number = _removal_rank(slots[-1])
    return (-len(slots), (not is_idle, -number), node_id)


def _removal_rank(slot: Slot) -> tuple[bool, int]:
    is_running = any(task.status.state == TaskState.RUNNING for task in slot.live)
    return (not is_running, slot.key if isinstance(slot.key, int) else 0)
