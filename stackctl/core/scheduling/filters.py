"""Filters: each says whether a node may take a task, and how to explain it when it may not.

Order and words are Swarm's. A node is counted at the first filter that it fails; reservations
count, limits do not.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.model import constraints, specs
from stackctl.model.objects import Availability, NodeState


class Demand(msgspec.Struct, frozen=True):
    """What one group of equal tasks needs of a node."""

    reservations: specs.Resources
    constraints: tuple[constraints.Constraint, ...]
    host_ports: tuple[specs.PortSpec, ...]
    replicas_per_node_max: int
    spread: tuple[str, ...] = ()


def demand_of(task: specs.TaskSpec, host_ports: tuple[specs.PortSpec, ...]) -> Demand:
    """The demand of tasks of that spec."""
    return Demand(
        reservations=task.reservations,
        constraints=tuple(constraints.parse(text) for text in task.placement.constraints),
        host_ports=host_ports,
        replicas_per_node_max=task.placement.replicas_per_node_max,
        spread=task.placement.spread,
    )


def is_ready(room: NodeRoom) -> bool:
    """True when the node takes new tasks at all."""
    node = room.node
    return node.state == NodeState.READY and node.availability == Availability.ACTIVE


def has_resources(room: NodeRoom, demand: Demand) -> bool:
    """True when the reservations fit into what is free."""
    wanted = demand.reservations
    return (not wanted.nano_cpus or room.nano_cpus >= wanted.nano_cpus) and (
        not wanted.memory_bytes or room.memory_bytes >= wanted.memory_bytes
    )


def meets_constraints(room: NodeRoom, demand: Demand) -> bool:
    """True when every constraint holds."""
    return all(constraints.is_met(constraint, room.node) for constraint in demand.constraints)


def has_ports(room: NodeRoom, demand: Demand) -> bool:
    """True when no task on the node publishes one of the host-mode ports."""
    return not any(
        (port.published, port.protocol) in room.host_ports
        for port in demand.host_ports
        if port.published
    )


def is_below_maximum(demand: Demand, tasks_of_service: int) -> bool:
    """True when the node may take one more task of the service."""
    return not demand.replicas_per_node_max or tasks_of_service < demand.replicas_per_node_max


def has_room(room: NodeRoom, demand: Demand, tasks_of_service: int) -> bool:
    """True when nothing that placing tasks uses up is in short supply."""
    return (
        has_resources(room, demand)
        and has_ports(room, demand)
        and is_below_maximum(demand, tasks_of_service)
    )


def first_refusal(room: NodeRoom, demand: Demand, tasks_of_service: int) -> str:
    """The name of the first filter that the node fails, or ""."""
    if not is_ready(room):
        return "ready"
    if not has_resources(room, demand):
        return "resources"
    if not meets_constraints(room, demand):
        return "constraints"
    if not has_ports(room, demand):
        return "ports"
    if not is_below_maximum(demand, tasks_of_service):
        return "maximum"
    return ""


def explain(refusals: Iterable[str]) -> str:
    """`no suitable node (insufficient resources on 2 nodes; …)`, most frequent reason first."""
    counts = Counter(refusal for refusal in refusals if refusal)
    in_filter_order = [(name, counts[name]) for name in _WORDS if counts[name]]
    by_frequency = sorted(in_filter_order, key=lambda item: -item[1])
    reasons = [_WORDS[name](count) for name, count in by_frequency]
    return f"no suitable node ({'; '.join(reasons)})" if reasons else "no suitable node"


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


_WORDS = {
    "ready": lambda count: f"{_nodes(count)} not available for new tasks",
    "resources": lambda count: f"insufficient resources on {_nodes(count)}",
    "constraints": lambda count: f"scheduling constraints not satisfied on {_nodes(count)}",
    "ports": lambda count: f"host-mode port already in use on {_nodes(count)}",
    "maximum": lambda count: f"max replicas per node limit exceed on {_nodes(count)}",
}
