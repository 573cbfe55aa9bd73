"""A few nodes with the real network piece on each, and containers that are bare namespaces.

Everything lives in one test process: nodes hang on a switch (`outside`, which is also where clients
from outside the cluster are), each with a firewall like an engine's. Containers answer on port 80,
TCP and UDP, with their own name and the client's address.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from agent.core import overlay_plan
from agent.drivers.resolvers import NodeResolvers
from agent.network import ContainerSandbox, NodeNetwork
from stackctl.model.assignment import (
    AssignmentSet,
    Backend,
    EndpointAssignment,
    IngressAssignment,
    Neighbour,
    NetworkAssignment,
    mac_address,
)
from tests import overlay_assignments as given_
from tests.fakes.bridge_networks import BridgeNetworks
from tests.namespaces import Listener, TestNamespace, connect_namespaces
from tests.overlay_assignments import FRONT

PORT = 80
OUTSIDE = "192.168.50.254"

_ENGINE_FIREWALL = """*filter
:FORWARD DROP
:DOCKER-USER -
-A DOCKER-USER -j RETURN
-A FORWARD -j DOCKER-USER
-A FORWARD -o sc-+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i sc-+ -o sc-+ -j ACCEPT
-A FORWARD -i sc-+ ! -o sc-+ -j ACCEPT
COMMIT
*nat
-A POSTROUTING -s 10.77.0.0/16 ! -o sc-+ -j MASQUERADE
COMMIT
"""


class Container:
    """A task's container: a namespace with an address on one network."""

    def __init__(self, name: str, slot: int, node: int, address: str, network_id: str) -> None:
        self.task_id = f"{name}-{slot}"
        self.node = node
        self.address = address
        self.network_id = network_id
        self.namespace = TestNamespace()
        self.listener = Listener(self.namespace, self.task_id, PORT)
        self.backend: Backend = given_.backend(slot, address, node=node, name=name)
        self.link = f"v{address.rpartition('.')[2]}"
        self.also: dict[str, str] = {}  # further networks and the addresses there

    @property
    def addresses(self) -> dict[str, str]:
        return {self.network_id: self.address, **self.also}

    @property
    def sandbox(self) -> ContainerSandbox:
        return ContainerSandbox(
            task_id=self.task_id, pid=self.namespace.pid, addresses=self.addresses
        )

    def close(self) -> None:
        self.listener.close()
        self.namespace.close()


class Node:
    """One node: a namespace, the network piece in it, and a stand-in for the engine."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.address = f"192.168.50.{number}"
        self.namespace = TestNamespace()
        self.engine = BridgeNetworks()
        self.network = self.namespace.run(self._make_network)

    def _make_network(self) -> NodeNetwork:
        return NodeNetwork(
            cluster_id="c1",
            node_id=f"n{self.number}",
            data_address=self.address,
            engine_networks=self.engine,
            resolvers=NodeResolvers(Path("/nonexistent")),
        )

    def close(self) -> None:
        self.namespace.run(lambda: self.network.close(remove=False))
        self.namespace.close()


class OverlayCluster:
    """Nodes, containers, and what the managers would assign. A context manager."""

    def __init__(self, node_count: int = 3, *, networks: Iterable[str] = (FRONT,)) -> None:
        self._stack = ExitStack()
        self._node_count = node_count
        self._index = 0
        self.network_ids = list(networks)
        self.network_changes: dict[str, object] = {}
        self.containers: dict[str, Container] = {}
        self.nodes: dict[int, Node] = {}
        self.endpoints: tuple[EndpointAssignment, ...] = ()
        self.ingress: tuple[IngressAssignment, ...] = ()

    def __enter__(self) -> Self:
        try:
            self.outside = TestNamespace()
            self._stack.callback(self.outside.close)
            self.outside.ip("link add switch type bridge")
            self.outside.ip("link set switch up")
            self.outside.ip(f"addr add {OUTSIDE}/24 dev switch")
            for number in range(1, self._node_count + 1):
                self._add_node(number)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add_container(
        self, slot: int, *, node: int, name: str = "shop_web", network_id: str = FRONT
    ) -> Container:
        """A running container, attached as an engine does it; `start` or `apply` make it known."""
        number = 1 if network_id == FRONT else 2
        address = f"10.77.{number}.{10 + len(self.containers)}"
        container = Container(name, slot, node, address, network_id)
        self._stack.callback(container.close)
        self.containers[container.task_id] = container
        self._attach(container, network_id, address, "eth0")
        container.namespace.ip(f"route add default via 10.77.{number}.{node}")
        return container

    def attach_also(self, container: Container, network_id: str) -> str:
        """One more network for a container, which becomes its way out; its address there."""
        number = 1 if network_id == FRONT else 2
        address = f"10.77.{number}.{container.address.rpartition('.')[2]}"
        self._attach(container, network_id, address, "eth1")
        container.also[network_id] = address
        container.namespace.ip(f"route replace default via 10.77.{number}.{container.node}")
        return address

    def _attach(self, container: Container, network_id: str, address: str, link: str) -> None:
        where = self.nodes[container.node]
        network = self.network(network_id, container.node)
        where.namespace.run(lambda: where.network.ensure_networks([network]))
        outer = f"{container.link}{link}"
        connect_namespaces(container.namespace, link, where.namespace, outer)
        where.namespace.ip(f"link set {outer} master {overlay_plan.bridge_name(network_id)}")
        container.namespace.ip(f"link set {link} address {mac_address(address)} mtu 1450")
        container.namespace.ip(f"addr add {address}/24 dev {link}")

    def network(self, network_id: str, node: int) -> NetworkAssignment:
        return given_.network(network_id, node=node, **self.network_changes)

    def assignment(self, node: int, *, gone_nodes: Iterable[int] = ()) -> AssignmentSet:
        """What the managers assign to a node; neighbours on `gone_nodes` are left out."""
        present = set(self.nodes) - {node} - set(gone_nodes)
        neighbours: list[Neighbour] = [
            given_.neighbour(
                self.network(network_id, other).gateway, node=other, network_id=network_id
            )
            for other in sorted(present)
            for network_id in self.network_ids
        ]
        neighbours += [
            given_.neighbour(address, node=container.node, network_id=network_id)
            for container in self.containers.values()
            for network_id, address in container.addresses.items()
            if container.node in present
        ]
        return given_.assignment(
            node=node,
            index=self._index,
            tasks=tuple(
                given_.task(container.task_id, container.addresses)
                for container in self.containers.values()
                if container.node == node
            ),
            networks=tuple(self.network(network_id, node) for network_id in self.network_ids),
            neighbours=tuple(neighbours),
            endpoints=self.endpoints,
            ingress=self.ingress,
        )

    def apply(self, *, gone_nodes: Iterable[int] = ()) -> None:
        """Every node gets the newest assignment and applies it."""
        self._index += 1
        for number in self.nodes:
            if number not in set(gone_nodes):
                self.apply_on(number, self.assignment(number, gone_nodes=gone_nodes))

    def apply_on(self, number: int, assignment: AssignmentSet) -> None:
        node = self.nodes[number]
        sandboxes = self.sandboxes(number)
        node.namespace.run(lambda: node.network.apply(assignment, sandboxes))

    def sandboxes(self, node: int) -> Mapping[str, ContainerSandbox]:
        return {
            container.task_id: container.sandbox
            for container in self.containers.values()
            if container.node == node
        }

    def _add_node(self, number: int) -> None:
        node = Node(number)
        self._stack.callback(node.close)
        self.nodes[number] = node
        connect_namespaces(node.namespace, "eth0", self.outside, f"p{number}")
        self.outside.ip(f"link set p{number} master switch")
        node.namespace.ip(f"addr add {node.address}/24 dev eth0")
        node.namespace.write_setting("ipv4/ip_forward", "1")
        node.namespace.command("iptables-restore", text=_ENGINE_FIREWALL)
