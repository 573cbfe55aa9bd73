"""VNIs and subnets of networks.

Subnets are /22 pieces (1,021 usable addresses; Swarm's /24 runs out at about 100 services) of a
pool in the middle of the private range 10/8, next-fit, never overlapping a route that some node
has, nor another network. VNIs start at 4096, as in Swarm, and are next-fit too: a device of a
network removed a moment ago may still be there.
"""

import contextlib
from collections.abc import Iterable
from ipaddress import IPv4Network

from stackctl.core.decisions import Decisions
from stackctl.model import objects
from stackctl.state.changes import AllocateNetwork

POOL = IPv4Network("10.64.0.0/10")
SUBNET_PREFIX = 22
ROUTE_PREFIX_MIN = 8  # wider routes are ways out, not networks of their own
VNI_FIRST = 4096
VNI_LAST = (1 << 24) - 1

_PIECES = 1 << (SUBNET_PREFIX - POOL.prefixlen)
_PIECE_ADDRESSES = 1 << (32 - SUBNET_PREFIX)


def allocate_network(decisions: Decisions, network: objects.Network) -> str:
    """Decides VNI and subnet of a new network; returns "" or why that is impossible."""
    cluster = decisions.draft.cluster
    vni_start = cluster.vni_next if cluster is not None else VNI_FIRST
    subnet_start = cluster.subnet_next if cluster is not None else 0
    others = [other for other in decisions.draft.networks.values() if other.vni]
    vni = free_vni({other.vni for other in others}, start=vni_start)
    taken = [IPv4Network(other.subnet) for other in others]
    taken += _routes(decisions.draft.nodes.values())
    if network.spec.subnet:
        subnet, subnet_next = IPv4Network(network.spec.subnet), subnet_start
        clash = next((other for other in taken if other.overlaps(subnet)), None)
        if clash is not None:
            return f"subnet {subnet} of network {network.name} overlaps {clash}"
    else:
        found = free_subnet(taken, start=subnet_start)
        if found is None:
            return f"no free subnet for network {network.name} in {POOL}"
        subnet, subnet_next = found
    decisions.do(
        AllocateNetwork(
            network_id=network.id,
            vni=vni,
            subnet=str(subnet),
            vni_next=vni + 1 if vni < VNI_LAST else VNI_FIRST,
            subnet_next=subnet_next,
        )
    )
    return ""


def free_vni(taken: set[int], *, start: int) -> int:
    """The first VNI from `start` on, around the end, that is not taken."""
    span = VNI_LAST - VNI_FIRST + 1
    offset = start - VNI_FIRST
    return next(
        vni for step in range(span) if (vni := VNI_FIRST + (offset + step) % span) not in taken
    )


def free_subnet(taken: list[IPv4Network], *, start: int) -> tuple[IPv4Network, int] | None:
    """The first free piece of the pool from number `start` on, and where to start next."""
    base = int(POOL.network_address)
    for step in range(_PIECES):
        number = (start + step) % _PIECES
        piece = IPv4Network((base + number * _PIECE_ADDRESSES, SUBNET_PREFIX))
        if not any(piece.overlaps(other) for other in taken):
            return piece, (number + 1) % _PIECES
    return None


def _routes(nodes: Iterable[objects.Node]) -> list[IPv4Network]:
    """Routes that a node had before us; default routes overlap everything and say nothing.

    What an agent reports is not checked when it is stored, so a text that is no route is passed
    over here.
    """
    found = []
    for node in nodes:
        for text in node.description.routes:
            with contextlib.suppress(ValueError):
                route = IPv4Network(text, strict=False)
                if route.prefixlen >= ROUTE_PREFIX_MIN:
                    found.append(route)
    return found
