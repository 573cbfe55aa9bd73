"""Which tracked connections must be forgotten because the backend they were given to is gone.

The kernel keeps sending a tracked connection to the backend that was chosen for its first packet,
whatever the rules say by now. Forgetting it makes the client's next packet choose anew: the
repeated SYN of a connection that was never answered reaches another backend, and a packet of an
established one is answered with a reset, so that the client knows.

A backend that is merely withdrawn finishes what it has begun: its *answered* connections stay. One
that is no longer alive (its container has ended here, or its address is no neighbour any more)
keeps nothing.

Looking through a namespace's connections costs the kernel a walk over the table of the whole
machine (up to 10 ms), so `Offers` remembers what has been offered, and says when looking can find
anything at all.
"""

from collections.abc import Collection, Iterable

from agent.core.nft_rules import INGRESS_MARK
from stackctl.model.assignment import AssignmentSet, EndpointAssignment
from stackctl.model.structs import Model

Offer = tuple[str, str]  # what the client speaks to (VIP, or protocol/port), the backend's address


class Connection(Model, frozen=True, kw_only=True):
    """A tracked connection whose destination was translated; `handle` is the driver's."""

    protocol: str  # tcp | udp | … as in a port's spec
    address: str  # to which the client speaks
    port: int
    backend: str  # from which the answers come
    answered: bool  # packets went both ways
    mark: int
    handle: bytes


class Offers(Model, frozen=True, kw_only=True):
    """What the rules of a namespace choose from, and what they have chosen from before."""

    current: frozenset[Offer] = frozenset()
    withdrawn: frozenset[Offer] = frozenset()  # whose backends were alive when last looked at
    targets: frozenset[str] = frozenset()  # everything that clients were ever offered to speak to


def alive_addresses(assignment: AssignmentSet, local: Iterable[str]) -> frozenset[str]:
    """Addresses that can still answer; `local` are those of this node's running containers."""
    return frozenset(local) | {neighbour.address for neighbour in assignment.neighbours}


def vip_offers(endpoints: Iterable[EndpointAssignment]) -> frozenset[Offer]:
    """What a task's namespace offers."""
    return frozenset(
        (endpoint.vip, backend.address)
        for endpoint in endpoints
        if endpoint.vip
        for backend in endpoint.backends
    )


def ingress_offers(assignment: AssignmentSet) -> frozenset[Offer]:
    """What the node's own namespace offers."""
    return frozenset(
        (_port_target(port.protocol, port.published), backend.address)
        for port in assignment.ingress
        for backend in port.backends
    )


def follow(
    before: Offers | None, current: frozenset[Offer], *, alive: Collection[str]
) -> tuple[Offers, bool]:
    """The offers from now on, and whether connections must be looked through because something
    was withdrawn, or something withdrawn is no longer alive. None is a namespace of which nothing
    is known."""
    targets = {target for target, _backend in current}
    if before is None:
        return Offers(current=current, targets=frozenset(targets)), True
    left = (before.current | before.withdrawn) - current
    withdrawn = frozenset(offer for offer in left if offer[1] in alive)
    after = Offers(current=current, withdrawn=withdrawn, targets=before.targets | targets)
    return after, left != withdrawn or not withdrawn <= before.withdrawn


def while_changing(before: Offers, current: frozenset[Offer]) -> Offers:
    """The offers to judge by from before the rules change until they have changed: what was and
    what comes. Whoever looks meanwhile must not take a connection to a backend that has just
    joined for one to a backend that has gone, and cut it.
    """
    targets = {target for target, _backend in current}
    return Offers(
        current=before.current | current,
        withdrawn=before.withdrawn - current,
        targets=before.targets | targets,
    )


def stale_vips(
    connections: Iterable[Connection], offers: Offers, *, alive: Collection[str]
) -> tuple[Connection, ...]:
    """Those of a task's namespace that were sent to a VIP."""
    return tuple(
        connection
        for connection in connections
        if connection.address in offers.targets
        and _is_stale(connection, connection.address, offers, alive)
    )


def stale_ingress(
    connections: Iterable[Connection], offers: Offers, *, alive: Collection[str]
) -> tuple[Connection, ...]:
    """Those of the node's own namespace that came in by a published port."""
    return tuple(
        connection
        for connection in connections
        if connection.mark & INGRESS_MARK
        and _is_stale(connection, _port_target(connection.protocol, connection.port), offers, alive)
    )


def _port_target(protocol: str, port: int) -> str:
    return f"{protocol}/{port}"


def _is_stale(connection: Connection, target: str, offers: Offers, alive: Collection[str]) -> bool:
    if (target, connection.backend) in offers.current:
        return False
    return not connection.answered or connection.backend not in alive
