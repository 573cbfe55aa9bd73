"""Which tracked connections must be forgotten because the backend they were given to is gone.

The kernel keeps sending a tracked connection to the backend that was chosen for its first packet,
whatever the rules say by now. Forgetting it makes the client's next packet choose anew: the
repeated SYN of a connection that was never answered reaches another backend, and a packet of an
established one is answered with a reset, so that the client knows.

A backend that is merely withdrawn finishes what it has begun: its *answered* connections stay. One
that is no longer alive (its container has ended here, or its address is no neighbour any more)
keeps nothing.
"""

from collections.abc import Collection, Iterable, Mapping

from agent.core.nft_rules import INGRESS_MARK
from stackctl.model.assignment import AssignmentSet, EndpointAssignment
from stackctl.model.structs import Model


class Connection(Model, frozen=True, kw_only=True):
    """A tracked connection whose destination was translated; `handle` is the driver's."""

    protocol: str  # tcp | udp | … as in a port's spec
    address: str  # to which the client speaks
    port: int
    backend: str  # from which the answers come
    answered: bool  # packets went both ways
    mark: int
    handle: bytes


def alive_addresses(assignment: AssignmentSet, local: Iterable[str]) -> frozenset[str]:
    """Addresses that can still answer; `local` are those of this node's running containers."""
    return frozenset(local) | {neighbour.address for neighbour in assignment.neighbours}


def stale_ingress(
    connections: Iterable[Connection], assignment: AssignmentSet, *, alive: Collection[str]
) -> tuple[Connection, ...]:
    """Those of the node's own namespace that came in by a published port."""
    backends = {
        (port.protocol, port.published): {backend.address for backend in port.backends}
        for port in assignment.ingress
    }
    return tuple(
        connection
        for connection in connections
        if connection.mark & INGRESS_MARK
        and _is_stale(connection, backends.get((connection.protocol, connection.port), ()), alive)
    )


def stale_vips(
    connections: Iterable[Connection],
    endpoints: Iterable[EndpointAssignment],
    *,
    alive: Collection[str],
) -> tuple[Connection, ...]:
    """Those of a task's namespace that were sent to a VIP of `endpoints`."""
    backends: Mapping[str, set[str]] = {
        endpoint.vip: {backend.address for backend in endpoint.backends}
        for endpoint in endpoints
        if endpoint.vip
    }
    return tuple(
        connection
        for connection in connections
        if connection.address in backends
        and _is_stale(connection, backends[connection.address], alive)
    )


def _is_stale(connection: Connection, backends: Collection[str], alive: Collection[str]) -> bool:
    if connection.backend in backends:
        return False
    return not connection.answered or connection.backend not in alive
