"""Global services: one task on each eligible node, placed there from the start.

Eligible is a node that is READY and ACTIVE and meets the constraints. A node that is DOWN or PAUSEd
keeps its task; a drained one, or one that no longer meets the constraints, loses it. Nothing moves
elsewhere.
"""

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import rolling_update, tending
from stackctl.core.orchestration.slots import Slot, SlotKey
from stackctl.model import constraints, objects
from stackctl.model.objects import Availability, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.changes import SetDesired


def reconcile(decisions: Decisions, service: objects.Service) -> None:
    """Gives each eligible node its task, and takes it from those that may not have one."""
    service = rolling_update.judge(decisions, service, decisions.slots(service.id))
    slots = dict(decisions.slots(service.id))
    reachable: set[SlotKey] = set()
    for node in sorted(decisions.draft.nodes.values(), key=lambda node: (node.hostname, node.id)):
        slot = slots.pop(node.id, None)
        if not meets_constraints(service, node):
            cause = f"node {node.hostname} no longer meets the constraints"
            _evict(decisions, service, slot, cause)
        elif node.availability == Availability.DRAIN:
            _evict(decisions, service, slot, f"node {node.hostname} is drained")
        elif node.state == NodeState.READY:
            _tend(decisions, service, node, slot)
            if node.availability == Availability.ACTIVE:
                reachable.add(node.id)
    for left_over in slots.values():
        forget(decisions, left_over)
    after = decisions.slots(service.id)
    rolling_update.advance(
        decisions,
        service,
        {key: slot for key, slot in after.items() if key in reachable and slot.is_present},
    )


def meets_constraints(service: objects.Service, node: objects.Node) -> bool:
    """True when every constraint of the service holds for the node."""
    return all(
        constraints.is_met(constraints.parse(text), node)
        for text in service.spec.task.placement.constraints
    )


def is_eligible(service: objects.Service, node: objects.Node) -> bool:
    """True when the node is to have a task of the service."""
    return (
        node.state == NodeState.READY
        and node.availability == Availability.ACTIVE
        and meets_constraints(service, node)
    )


def _tend(
    decisions: Decisions, service: objects.Service, node: objects.Node, slot: Slot | None
) -> None:
    if node.availability != Availability.ACTIVE:
        if slot is not None:
            tending.close_ended(decisions, service, slot)
    elif slot is not None and slot.is_present:
        tending.tend(decisions, service, slot)
    else:
        tending.create_task(
            decisions,
            service,
            node.id,
            cause=f"node {node.hostname} is eligible",
            revision=service.revision,
        )


def _evict(decisions: Decisions, service: objects.Service, slot: Slot | None, cause: str) -> None:
    if slot is None:
        return
    for task in slot.live:
        decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.SHUTDOWN, cause=cause))
    tending.close_ended(decisions, service, slot)


def forget(decisions: Decisions, slot: Slot) -> None:
    """Nothing is left to run or to remember on a node that was removed."""
    for task in slot.tasks:
        decisions.do(
            SetDesired(
                task_id=task.id, desired_state=TaskState.REMOVE, cause="its node was removed"
            )
        )
