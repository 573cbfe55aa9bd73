"""Small assignments for tests of the node's network: a few services on a few networks.

Node `n1` has the data address 192.168.50.1 and so on; address `10.77.1.11` belongs to the first
task of the first network.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stackctl.model import specs
from stackctl.model.assignment import (
    AssignmentSet,
    Backend,
    EndpointAssignment,
    IngressAssignment,
    Neighbour,
    NetworkAssignment,
    TaskAssignment,
)

FRONT = "front0network0id0000000001"
BACK = "back00network0id0000000002"
SPEC = specs.TaskSpec(container=specs.ContainerSpec(image="stackctl/busybox:test"))


def network(network_id: str = FRONT, *, node: int = 1, **changes: Any) -> NetworkAssignment:
    """The first or the second network, as node number `node` takes part in it."""
    number = 1 if network_id == FRONT else 2
    known: dict[str, Any] = {
        "id": network_id,
        "name": "shop_front" if network_id == FRONT else "shop_back",
        "vni": 5000 + number,
        "subnet": f"10.77.{number}.0/24",
        "gateway": f"10.77.{number}.{node}",
    }
    return NetworkAssignment(**(known | changes))


def backend(slot: int, address: str, *, node: int = 1, name: str = "shop_web") -> Backend:
    """One task behind a service; its id is `NAME-SLOT`."""
    return Backend(
        task_id=f"{name}-{slot}",
        task_name=f"{name}.{slot}",
        slot=slot,
        node_id=f"n{node}",
        hostname="",
        address=address,
    )


def endpoint(
    vip: str,
    backends: Iterable[Backend] = (),
    *,
    name: str = "shop_web",
    aliases: Iterable[str] = ("web",),
    network_id: str = FRONT,
) -> EndpointAssignment:
    """A service on a network; `vip` "" is endpoint mode dnsrr."""
    return EndpointAssignment(
        service_id=f"id-of-{name}",
        service_name=name,
        network_id=network_id,
        names=(name, *aliases),
        vip=vip,
        backends=tuple(backends),
    )


def ingress(
    published: int,
    backends: Iterable[Backend] = (),
    *,
    target: int = 80,
    protocol: str = "tcp",
    name: str = "shop_web",
    network_id: str = FRONT,
) -> IngressAssignment:
    """A published port of a service."""
    return IngressAssignment(
        service_id=f"id-of-{name}",
        service_name=name,
        network_id=network_id,
        published=published,
        target=target,
        protocol=protocol,
        backends=tuple(backends),
    )


def task(task_id: str, addresses: Mapping[str, str], **changes: Any) -> TaskAssignment:
    """A task of this node."""
    known: dict[str, Any] = {
        "id": task_id,
        "name": task_id,
        "service_id": "id-of-shop_web",
        "service_name": "shop_web",
        "slot": 1,
        "revision": 1,
        "stack_name": "shop",
        "spec": SPEC,
        "addresses": addresses,
    }
    return TaskAssignment(**(known | changes))


def neighbour(
    address: str, *, node: int = 0, network_id: str = FRONT, data_address: str = ""
) -> Neighbour:
    """An address that lives on another node, given by its number or its data address."""
    data_address = data_address or f"192.168.50.{node}"
    return Neighbour(network_id=network_id, address=address, data_address=data_address)


def assignment(*, node: int = 1, index: int = 1, **parts: Any) -> AssignmentSet:
    """What node number `node` is assigned."""
    return AssignmentSet(node_id=f"n{node}", term=1, index=index, **parts)
