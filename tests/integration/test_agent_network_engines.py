"""The node's network under real engines: their bridges, firewall and embedded resolver."""

import contextlib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from agent.drivers.docker_engine import DockerEngine
from agent.drivers.docker_networks import DockerNetworks
from agent.drivers.resolvers import NodeResolvers
from agent.network import ContainerSandbox, NodeNetwork
from stackctl.lab import faults
from stackctl.model.assignment import AssignmentSet, mac_address
from tests import overlay_assignments as given_
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE
from tests.namespaces import NamespaceThread, thread_inside
from tests.overlay_assignments import FRONT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

VIP = "10.77.1.200"
PUBLISHED = 8080
WEB = {1: "10.77.1.11", 2: "10.77.1.12"}  # node to address of its backend
CLIENT = "10.77.1.13"  # on node 3
CLUSTER = "network-on-engines"
SERVE = "echo web-$0 > /tmp/index.html; exec httpd -f -p 80 -h /tmp"
ATTEMPTS = 20
WGET = "timeout 3 wget -q -O-"  # its own -T crashes Debian's static busybox


class EngineNode:
    """A node with a real engine and the real network piece, and the containers made on it."""

    def __init__(self, number: int, engine: EngineForTests) -> None:
        self.number = number
        self.engine = engine
        self.client = docker.APIClient(engine.url, version="auto")
        self.thread: NamespaceThread = thread_inside(engine.namespace)
        self.driver = DockerEngine(engine.url)
        self.network = self.thread.run(self._make_network)
        self.containers: dict[str, str] = {}
        self.sandboxes: dict[str, ContainerSandbox] = {}

    def _make_network(self) -> NodeNetwork:
        return NodeNetwork(
            cluster_id=CLUSTER,
            node_id=f"n{self.number}",
            data_address=self.engine.address,
            engine_networks=DockerNetworks(self.driver, cluster_id=CLUSTER),
            resolvers=NodeResolvers(Path("/nonexistent")),
        )

    def start(self, task_id: str, address: str, command: list[str]) -> None:
        """A container as the agent makes it: address and MAC ours, DNS at the gateway."""
        configuration: Any = {
            "EndpointsConfig": {"shop_front": {"IPAMConfig": {"IPv4Address": address}}}
        }
        made = self.client.create_container(
            BUSYBOX_IMAGE,
            command,
            name=f"{task_id}.{CLUSTER}",
            stop_signal="SIGKILL",  # what an engine that shuts down waits for
            mac_address=mac_address(address),
            networking_config=configuration,
            host_config=self.client.create_host_config(
                network_mode="shop_front", dns=list(self.network.dns_servers([FRONT]))
            ),
        )
        self.containers[task_id] = made["Id"]
        self._start_known(task_id, address)

    def start_again(self, task_id: str) -> None:
        """The same container, stopped by something, under a new process id."""
        self._start_known(task_id, self.sandboxes[task_id].addresses[FRONT])

    def _start_known(self, task_id: str, address: str) -> None:
        container = self.containers[task_id]
        self.client.start(container)
        pid = self.client.inspect_container(container)["State"]["Pid"]
        self.sandboxes[task_id] = ContainerSandbox(
            task_id=task_id, pid=pid, addresses={FRONT: address}
        )

    def run(self, task_id: str, *command: str) -> str:
        """Output of a command in a container."""
        made = self.client.exec_create(self.containers[task_id], list(command))
        output: bytes = self.client.exec_start(made["Id"])
        return output.decode()

    def apply(self, assignment: AssignmentSet) -> None:
        self.thread.run(lambda: self.network.apply(assignment, self.sandboxes))

    def close(self) -> None:
        for container in self.containers.values():
            self.client.remove_container(container, force=True)
        self.thread.run(lambda: self.network.close(remove=True))
        self.driver.close()
        self.client.close()
        self.thread.close()


def assignment(node: int, engines: tuple[EngineForTests, ...]) -> AssignmentSet:
    lives = {**{address: number for number, address in WEB.items()}, CLIENT: 3}
    lives |= {f"10.77.1.{number}": number for number in (1, 2, 3)}
    backends = [given_.backend(number, address, node=number) for number, address in WEB.items()]
    neighbours = [
        given_.neighbour(address, data_address=engines[number - 1].address)
        for address, number in lives.items()
        if number != node
    ]
    return given_.assignment(
        node=node,
        tasks=(given_.task("client", {FRONT: CLIENT}),) if node == 3 else (),
        networks=(given_.network(node=node),),
        neighbours=tuple(neighbours),
        endpoints=(
            given_.endpoint(VIP, backends),
            given_.endpoint("10.77.1.201", name="shop_down", aliases=["down"]),
        ),
        ingress=(given_.ingress(PUBLISHED, backends), given_.ingress(PUBLISHED + 1)),
    )


@pytest.fixture(scope="module")
def nodes(three_engines: tuple[EngineForTests, ...]) -> Iterator[dict[int, EngineNode]]:
    """Backends of `web` on the nodes 1 and 2, a client on 3, all known everywhere."""
    with contextlib.ExitStack() as stack:
        made: dict[int, EngineNode] = {}
        for number, engine in enumerate(three_engines, 1):
            node = made[number] = EngineNode(number, engine)
            stack.callback(node.close)
            # As an engine sets it on a machine that did not forward before.
            node.thread.command("iptables", "-P", "FORWARD", "DROP")
            stack.callback(node.thread.command, "iptables", "-P", "FORWARD", "ACCEPT")
            node.apply(assignment(number, three_engines))
            if number in WEB:
                node.start(f"web-{number}", WEB[number], ["sh", "-c", SERVE, str(number)])
            else:
                node.start("client", CLIENT, ["sleep", "3600"])
        for number, node in made.items():
            node.apply(assignment(number, three_engines))
        eventually(lambda: _check_served(made), timeout_seconds=10)
        yield made


def _check_served(nodes: dict[int, EngineNode]) -> bool:
    for number, address in WEB.items():
        assert fetch(nodes[3], f"http://{address}/").strip() == f"web-{number}"
    return True


def fetch(node: EngineNode, url: str) -> str:
    return node.run("client", *WGET.split(), url)


def seen(node: EngineNode, url: str) -> set[str]:
    """What the attempts printed. A busy engine may close an exec's stream before its output came
    through, though each attempt prints something: then the attempts are made again.
    """
    loop = f"for i in $(seq {ATTEMPTS}); do {WGET} {url} || echo failed; done"
    return set(eventually(lambda: node.run("client", "sh", "-c", loop).split(), timeout_seconds=20))


def test_a_name_asked_of_the_engines_resolver_leads_to_every_backend(
    nodes: dict[int, EngineNode],
) -> None:
    assert seen(nodes[3], "http://web/") == {"web-1", "web-2"}
    assert VIP in nodes[3].run("client", "nslookup", "shop_web")


def test_a_vip_without_backends_refuses_at_once(nodes: dict[int, EngineNode]) -> None:
    assert "refused" in nodes[3].run("client", "timeout", "3", "wget", "-O-", "http://down/")


def outside(node: EngineNode, port: int = PUBLISHED) -> str:
    """What the port answers to a client that is not on the node."""
    with urllib.request.urlopen(f"http://{node.engine.address}:{port}/", timeout=3) as answer:
        return str(answer.read().decode().strip())


@pytest.mark.parametrize("number", [1, 3])
def test_a_published_port_passes_the_engines_firewall(
    nodes: dict[int, EngineNode], number: int
) -> None:
    assert {outside(nodes[number]) for _ in range(ATTEMPTS)} == {"web-1", "web-2"}


def test_a_published_port_without_backends_refuses_at_once(nodes: dict[int, EngineNode]) -> None:
    with pytest.raises(OSError, match="refused"):
        outside(nodes[1], PUBLISHED + 1)


def test_containers_reach_published_ports_of_any_node(nodes: dict[int, EngineNode]) -> None:
    for number in (1, 3):
        url = f"http://{nodes[number].engine.address}:{PUBLISHED}/"
        assert seen(nodes[3], url) == {"web-1", "web-2"}


def test_the_engine_knows_the_network_by_its_own_name(nodes: dict[int, EngineNode]) -> None:
    found = nodes[1].client.inspect_network("shop_front")
    assert found["IPAM"]["Config"] == [{"Subnet": "10.77.1.0/24", "Gateway": "10.77.1.1"}]
    assert [body["IPv4Address"] for body in found["Containers"].values()] == ["10.77.1.11/24"]


def test_a_lost_bridge_and_a_lost_accept_rule_are_put_right(
    nodes: dict[int, EngineNode], three_engines: tuple[EngineForTests, ...]
) -> None:
    node = nodes[1]
    node.thread.command("iptables", "-F", "DOCKER-USER")
    node.thread.ip("link del sc-front0networ")
    node.apply(assignment(1, three_engines))
    assert {outside(node) for _ in range(ATTEMPTS)} == {"web-1", "web-2"}
    assert seen(nodes[3], "http://web/") == {"web-1", "web-2"}


def test_after_a_restart_of_the_engine_everything_works_again(
    nodes: dict[int, EngineNode], three_engines: tuple[EngineForTests, ...]
) -> None:
    node = nodes[1]
    faults.restart_engine(node.engine.node)
    node.network.container_ended("web-1")
    node.start_again("web-1")
    node.apply(assignment(1, three_engines))

    def both_answer() -> bool:
        return {outside(node) for _ in range(ATTEMPTS)} == {"web-1", "web-2"}

    eventually(both_answer, timeout_seconds=10)
    assert seen(nodes[3], "http://web/") == {"web-1", "web-2"}
