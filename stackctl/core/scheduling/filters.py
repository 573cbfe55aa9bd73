"""Filters: each says whether a node may take a task, and how to explain it when it may not.

Order and words are Swarm's. A node is counted at the first filter that it fails; reservations
count, limits do not.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from stackctl.core.scheduling.apart import NOBODY, Neighbours
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import Availability, NodeState


class Demand(msgspec.Struct, frozen=True):
    """What one group of equal tasks needs of a node; `home` is the node where its volumes are."""

    reservations: specs.Resources
    host_ports: tuple[specs.PortSpec, ...]
    placement: specs.Placement
    platform: str = ""
    home: str = ""
    neighbours: Neighbours = NOBODY


def is_ready(room: NodeRoom) -> bool:
    """True when the node takes new tasks at all."""
    node = room.node
    return node.state == NodeState.READY and node.availability == Availability.ACTIVE


def has_resources(room: NodeRoom, wanted: specs.Resources) -> bool:
    """True when the reservations fit into what is free."""
    if wanted.nano_cpus and room.nano_cpus < wanted.nano_cpus:
        return False
    if wanted.memory_bytes and room.memory_bytes < wanted.memory_bytes:
        return False
    return not wanted.generic or all(
        room.free(kind) >= number for kind, number in wanted.generic.items()
    )


def meets_constraints(node: objects.Node, texts: tuple[str, ...]) -> bool:
    """True when every constraint holds."""
    return all(constraints.is_met(constraints.parse(text), node) for text in texts)


def has_platform(node: objects.Node, platform: str) -> bool:
    """True when the node runs containers of the platform, `OS[/ARCH[/VARIANT]]`. A variant says
    how new an ARM is, which nodes do not tell.
    """
    os, _, rest = platform.partition("/")
    arch = rest.partition("/")[0]
    described = node.description
    return os.lower() in ("", described.os.lower()) and (
        not arch or constraints.architecture(arch) == constraints.architecture(described.arch)
    )


def has_ports(room: NodeRoom, demand: Demand) -> bool:
    """True when no task on the node publishes one of the host-mode ports."""
    return not any(
        (port.published, port.protocol) in room.host_ports
        for port in demand.host_ports
        if port.published
    )


def is_below_maximum(demand: Demand, tasks_of_service: int) -> bool:
    """True when the node may take one more task of the service."""
    most = demand.placement.replicas_per_node_max
    return not most or tasks_of_service < most


def has_room(room: NodeRoom, demand: Demand, tasks_of_service: int) -> bool:
    """True when nothing that placing tasks uses up is in short supply."""
    return (
        has_resources(room, demand.reservations)
        and (not demand.host_ports or has_ports(room, demand))
        and is_below_maximum(demand, tasks_of_service)
        and room.node.id not in demand.neighbours.excluded
    )


def first_refusal(room: NodeRoom, demand: Demand, tasks_of_service: int) -> str:
    """The name of the first filter that the node fails, or ""."""
    if not is_ready(room):
        return "ready"
    if not has_resources(room, demand.reservations):
        return "resources"
    if not meets_constraints(room.node, demand.placement.constraints):
        return "constraints"
    if not has_platform(room.node, demand.platform):
        return "platform"
    if not has_ports(room, demand):
        return "ports"
    if not is_below_maximum(demand, tasks_of_service):
        return "maximum"
    if room.node.id in demand.neighbours.excluded:
        return "apart"
    if demand.home not in ("", room.node.id):
        return "volumes"
    return ""


def explain(refusals: Iterable[str], *, is_preassigned: bool = False) -> str:
    """`no suitable node (insufficient resources on 2 nodes; …)`, most frequent reason first; of a
    task whose node is given the reasons alone.
    """
    counts = Counter(refusal for refusal in refusals if refusal)
    in_filter_order = [(name, counts[name]) for name in _WORDS if counts[name]]
    by_frequency = sorted(in_filter_order, key=lambda item: -item[1])
    reasons = "; ".join(_WORDS[name](count) for name, count in by_frequency)
    if is_preassigned and reasons:
        return reasons
    return f"no suitable node ({reasons})" if reasons else "no suitable node"


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


_WORDS = {
    "ready": lambda count: f"{_nodes(count)} not available for new tasks",
    "resources": lambda count: f"insufficient resources on {_nodes(count)}",
    "constraints": lambda count: f"scheduling constraints not satisfied on {_nodes(count)}",
    "platform": lambda count: f"unsupported platform on {_nodes(count)}",
    "ports": lambda count: f"host-mode port already in use on {_nodes(count)}",
    "maximum": lambda count: f"max replicas per node limit exceed on {_nodes(count)}",
    "apart": lambda count: f"a service to be kept apart from on {_nodes(count)}",
    "volumes": lambda count: f"its volumes are not on {_nodes(count)}",
}
