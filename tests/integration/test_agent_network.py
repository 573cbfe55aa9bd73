"""The node's network on three nodes: overlay, VIPs, published ports, names."""

import errno
import functools
import socket
from collections.abc import Callable, Iterator

import dns.message
import dns.query
import pytest

from agent.core import overlay_plan
from tests import overlay_assignments as given_
from tests.namespaces import TestNamespace, ask_tcp, ask_udp
from tests.overlay_cluster import OUTSIDE, PORT, Container, OverlayCluster

pytestmark = pytest.mark.integration

VIP = "10.77.1.200"
DOWN_VIP = "10.77.1.201"
VXLAN = overlay_plan.vxlan_name(given_.FRONT)
PUBLISHED = 8080
DOWN_PORT = 8081
ENOUGH = 40  # asks that hit each of two backends, but for a chance of 2 in 2^40

Ask = Callable[[str, int], tuple[str, str]]


@pytest.fixture(scope="module")
def shop() -> Iterator[OverlayCluster]:
    """Backends of `web` on the nodes 1 and 2, a client without service on 1 and on 3."""
    with OverlayCluster() as cluster:
        backends = [
            cluster.add_container(1, node=1).backend,
            cluster.add_container(2, node=2).backend,
        ]
        cluster.add_container(1, node=1, name="shop_client")
        cluster.add_container(3, node=3, name="shop_client")
        cluster.endpoints = (
            given_.endpoint(VIP, backends),
            given_.endpoint(DOWN_VIP, name="shop_down", aliases=["down"]),
        )
        cluster.ingress = tuple(
            given_.ingress(port, served, protocol=protocol)
            for port, served in ((PUBLISHED, backends), (DOWN_PORT, []))
            for protocol in ("tcp", "udp")
        )
        cluster.apply()
        yield cluster


@pytest.fixture
def web(shop: OverlayCluster) -> Container:
    return shop.containers["shop_web-1"]


@pytest.fixture
def near(shop: OverlayCluster) -> Container:
    """A client beside the first backend."""
    return shop.containers["shop_client-1"]


@pytest.fixture
def far(shop: OverlayCluster) -> Container:
    """A client on a node without backends."""
    return shop.containers["shop_client-3"]


def answers(
    client: TestNamespace, address: str, port: int, *, ask: Ask = ask_tcp
) -> dict[str, set[str]]:
    """By name of the backend, the client addresses that it saw."""
    seen: dict[str, set[str]] = {}
    for _ in range(ENOUGH):
        name, source = client.run(lambda: ask(address, port))
        seen.setdefault(name, set()).add(source)
    return seen


def send_udp(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", (address, port))


def test_containers_reach_each_other_across_nodes(web: Container, far: Container) -> None:
    assert far.namespace.run(lambda: ask_tcp(web.address, PORT)) == (web.task_id, far.address)
    assert far.namespace.run(lambda: ask_udp(web.address, PORT)) == (web.task_id, far.address)
    assert web.namespace.run(lambda: ask_tcp(far.address, PORT)) == (far.task_id, web.address)


def test_a_full_packet_passes_whole(web: Container, far: Container) -> None:
    # 1450 bytes of packet are 1422 of data; -s counts the data only.
    far.namespace.command("busybox", "ping", "-c1", "-W2", "-s1422", web.address)


@pytest.mark.parametrize("ask", [ask_tcp, ask_udp])
def test_a_vip_reaches_every_backend_and_shows_them_the_client(
    near: Container, far: Container, ask: Ask
) -> None:
    for client in (near, far):
        assert answers(client.namespace, VIP, PORT, ask=ask) == {
            "shop_web-1": {client.address},
            "shop_web-2": {client.address},
        }


def test_a_backend_reaches_itself_by_its_vip(web: Container) -> None:
    assert answers(web.namespace, VIP, PORT) == {
        "shop_web-1": {web.address},
        "shop_web-2": {web.address},
    }


def test_a_vip_without_backends_refuses_at_once(near: Container) -> None:
    with pytest.raises(ConnectionRefusedError):
        near.namespace.run(lambda: ask_tcp(DOWN_VIP, PORT))
    # The kernel tells the sender of a rejected datagram so in the call itself.
    with pytest.raises(PermissionError) as refused:
        near.namespace.run(lambda: ask_udp(DOWN_VIP, PORT))
    assert refused.value.errno == errno.EPERM


@pytest.mark.parametrize("ask", [ask_tcp, ask_udp])
@pytest.mark.parametrize("node", [1, 2, 3])
def test_a_published_port_answers_on_every_node(shop: OverlayCluster, node: int, ask: Ask) -> None:
    seen = answers(shop.outside, shop.nodes[node].address, PUBLISHED, ask=ask)
    assert seen.keys() == {"shop_web-1", "shop_web-2"}


def test_a_backend_on_the_asked_node_sees_the_clients_address(shop: OverlayCluster) -> None:
    seen = answers(shop.outside, shop.nodes[1].address, PUBLISHED)
    assert seen == {"shop_web-1": {OUTSIDE}, "shop_web-2": {"10.77.1.1"}}


def test_the_node_itself_reaches_published_ports_by_all_its_addresses(shop: OverlayCluster) -> None:
    for address in ("127.0.0.1", shop.nodes[1].address, "10.77.1.1"):
        seen = answers(shop.nodes[1].namespace, address, PUBLISHED)
        assert seen.keys() == {"shop_web-1", "shop_web-2"}


def test_a_container_reaches_published_ports_even_when_it_is_the_backend(
    shop: OverlayCluster, web: Container, far: Container
) -> None:
    for client, address in (
        (web, "10.77.1.1"),
        (web, shop.nodes[1].address),
        (web, shop.nodes[2].address),
        (far, "10.77.1.3"),
    ):
        seen = answers(client.namespace, address, PUBLISHED)
        assert seen.keys() == {"shop_web-1", "shop_web-2"}


@pytest.mark.parametrize("ask", [ask_tcp, ask_udp])
def test_a_published_port_without_backends_refuses_at_once(shop: OverlayCluster, ask: Ask) -> None:
    for client, address in (
        (shop.outside, shop.nodes[1].address),
        (shop.nodes[3].namespace, "127.0.0.1"),
    ):
        with pytest.raises(ConnectionRefusedError):
            client.run(functools.partial(ask, address, DOWN_PORT))


def test_the_nodes_loopback_is_closed_to_containers(shop: OverlayCluster, near: Container) -> None:
    node = shop.nodes[1].namespace
    # A container that may change its routes sends packets for the node's loopback.
    near.namespace.write_setting("ipv4/conf/eth0/route_localnet", "1")
    near.namespace.ip("route del local 127.0.0.0/8 dev lo table local")
    near.namespace.ip("route del local 127.0.0.1 dev lo table local")
    near.namespace.ip("route add 127.0.0.1 via 10.77.1.1 src " + near.address)
    private = node.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with private:
        private.bind(("127.0.0.1", 9999))
        private.settimeout(0.3)
        send = functools.partial(near.namespace.run, functools.partial(send_udp, "127.0.0.1", 9999))
        send()
        with pytest.raises(TimeoutError):
            private.recv(100)
        node.command("nft", "flush", "chain", "ip", "stackctl", "loopback-guard")
        send()
        assert private.recv(100) == b"hello"
    shop.apply()


def test_names_lead_to_vips_that_work(shop: OverlayCluster, far: Container) -> None:
    def look_up() -> str:
        query = dns.message.make_query("web", "A")
        answer = dns.query.udp(query, "10.77.1.3", timeout=3)
        return str(answer.answer[0][0])

    assert far.namespace.run(look_up) == VIP
    # The node itself has no rules for VIPs.
    assert shop.nodes[3].namespace.run(look_up) in {"10.77.1.10", "10.77.1.11"}
    assert shop.nodes[3].network.dns_servers([given_.FRONT, "another"]) == ("10.77.1.3",)


def test_a_second_apply_changes_nothing(shop: OverlayCluster) -> None:
    node = shop.nodes[1].namespace

    def state() -> list[str]:
        return [
            node.ip("-4 addr show"),
            node.ip("neigh show nud permanent"),
            node.command("bridge", "fdb", "show", "dev", VXLAN),
            node.command("nft", "list", "ruleset"),
        ]

    before = state()
    shop.apply()
    assert state() == before
