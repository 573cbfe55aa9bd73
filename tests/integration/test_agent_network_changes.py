"""The node's network while things change: backends go, somebody damages it, parts fail, it ends."""

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator

import dns.message
import dns.query
import msgspec
import pytest

from agent.core import overlay_plan
from agent.network import ContainerSandbox
from stackctl.errors import DriverFailure, PermanentFailure, TemporaryFailure
from tests import overlay_assignments as given_
from tests.eventually import eventually
from tests.namespaces import TestNamespace, ask_tcp
from tests.overlay_assignments import BACK, FRONT
from tests.overlay_cluster import PORT, Container, Node, OverlayCluster

pytestmark = pytest.mark.integration

VIP = "10.77.1.200"
PUBLISHED = 8080
BRIDGE = overlay_plan.bridge_name(FRONT)
VXLAN = overlay_plan.vxlan_name(FRONT)


@pytest.fixture
def shop() -> Iterator[OverlayCluster]:
    """Two nodes: on 1 a backend and a client, on 2 a backend."""
    with OverlayCluster(2) as cluster:
        cluster.add_container(1, node=1)
        cluster.add_container(2, node=2)
        cluster.add_container(1, node=1, name="shop_client")
        balance(cluster, "shop_web-1", "shop_web-2")
        yield cluster


@pytest.fixture
def client(shop: OverlayCluster) -> Container:
    return shop.containers["shop_client-1"]


@pytest.fixture
def node(shop: OverlayCluster) -> Node:
    return shop.nodes[1]


def balance(cluster: OverlayCluster, *task_ids: str, gone_nodes: tuple[int, ...] = ()) -> None:
    """From now on these are the backends, on every node."""
    backends = [cluster.containers[task_id].backend for task_id in task_ids]
    cluster.endpoints = (given_.endpoint(VIP, backends),)
    cluster.ingress = (given_.ingress(PUBLISHED, backends),)
    cluster.apply(gone_nodes=gone_nodes)


def names_behind(client: TestNamespace, address: str, port: int) -> set[str]:
    return {client.run(lambda: ask_tcp(address, port))[0] for _ in range(30)}


def by_vip(_shop: OverlayCluster, client: Container) -> Callable[[], set[str]]:
    return lambda: names_behind(client.namespace, VIP, PORT)


def by_port(shop: OverlayCluster, _client: Container) -> Callable[[], set[str]]:
    return lambda: names_behind(shop.outside, shop.nodes[1].address, PUBLISHED)


# Withdrawing


def test_a_withdrawn_backend_is_chosen_no_more(shop: OverlayCluster, client: Container) -> None:
    for see in (by_vip(shop, client), by_port(shop, client)):
        balance(shop, "shop_web-1", "shop_web-2")
        assert see() == {"shop_web-1", "shop_web-2"}
        balance(shop, "shop_web-1")
        assert see() == {"shop_web-1"}


@contextlib.contextmanager
def echo(container: Container, port: int) -> Iterator[None]:
    """A service in the container that gives back what one client sends."""
    sockets = [container.namespace.run(lambda: socket.create_server(("0.0.0.0", port)))]

    def serve() -> None:
        with contextlib.suppress(OSError):
            sockets.append(sockets[0].accept()[0])
            while received := sockets[1].recv(100):
                sockets[1].sendall(received)

    thread = container.namespace.start(serve)
    try:
        yield
    finally:
        for opened in tuple(sockets):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        thread.join()
        for opened in sockets:
            opened.close()


def is_reset(connection: socket.socket) -> bool:
    try:
        return exchange(connection) != b"ping"
    except ConnectionError:
        return True


def exchange(connection: socket.socket) -> bytes:
    connection.sendall(b"ping")
    return connection.recv(100)


@pytest.mark.parametrize("from_outside", [False, True])
def test_connections_outlive_a_withdrawal_and_are_reset_when_the_node_is_lost(
    shop: OverlayCluster, client: Container, *, from_outside: bool
) -> None:
    port = 8100
    backend = shop.containers["shop_web-2"]

    def publish(*served: str, gone_nodes: tuple[int, ...] = ()) -> None:
        backends = [shop.containers[task_id].backend for task_id in served]
        shop.endpoints = (given_.endpoint(VIP, backends),)
        shop.ingress = (given_.ingress(port, backends, target=port),)
        shop.apply(gone_nodes=gone_nodes)

    publish("shop_web-2")
    where = shop.outside if from_outside else client.namespace
    target = (shop.nodes[1].address, port) if from_outside else (VIP, port)
    with (
        echo(backend, port),
        where.run(lambda: socket.create_connection(target, timeout=3)) as connection,
    ):
        assert exchange(connection) == b"ping"
        publish("shop_web-1")
        assert exchange(connection) == b"ping"
        publish("shop_web-1", gone_nodes=(2,))
        eventually(lambda: is_reset(connection), timeout_seconds=5)


@pytest.mark.parametrize("from_outside", [False, True])
def test_a_connection_begun_with_a_silent_backend_ends_at_another(
    shop: OverlayCluster, client: Container, *, from_outside: bool
) -> None:
    silent = shop.containers["shop_web-2"]
    balance(shop, silent.task_id)
    silent.namespace.ip("link set eth0 down")
    where = shop.outside if from_outside else client.namespace
    target = (shop.nodes[1].address, PUBLISHED) if from_outside else (VIP, PORT)
    answers: list[str] = []

    def ask() -> None:
        answers.append(ask_tcp(*target, timeout_seconds=8)[0])

    thread = where.start(ask)
    tracker = shop.nodes[1].namespace if from_outside else client.namespace
    eventually(
        lambda: "SYN_SENT" in tracker.run(lambda: _read("/proc/thread-self/net/nf_conntrack")),
        timeout_seconds=3,
    )
    balance(shop, "shop_web-1")
    thread.join()
    assert answers == ["shop_web-1"]


def _read(path: str) -> str:
    with open(path) as file:  # noqa: PTH123  # a kernel file of the thread
        return file.read()


def test_a_vip_whose_backends_are_gone_refuses_and_one_whose_come_back_serves(
    shop: OverlayCluster, client: Container
) -> None:
    balance(shop)
    for ask in (
        functools.partial(client.namespace.run, lambda: ask_tcp(VIP, PORT)),
        functools.partial(shop.outside.run, lambda: ask_tcp(shop.nodes[2].address, PUBLISHED)),
    ):
        with pytest.raises(ConnectionRefusedError):
            ask()
    balance(shop, "shop_web-2")
    assert by_vip(shop, client)() == by_port(shop, client)() == {"shop_web-2"}


# Containers that come and go


def test_a_container_has_its_vips_when_its_start_returns(shop: OverlayCluster, node: Node) -> None:
    late = shop.add_container(2, node=1, name="shop_client")
    # The assignment knows the task before its container runs.
    known = shop.assignment(1)
    running = {key: value for key, value in shop.sandboxes(1).items() if key != late.task_id}
    node.namespace.run(lambda: node.network.apply(known, running))
    shop.apply_on(2, shop.assignment(2))
    answers: list[str] = []

    def look_up() -> None:
        query = dns.message.make_query("web", "A")
        answers.append(str(dns.query.udp(query, "10.77.1.1", timeout=5).answer[0][0]))

    thread = late.namespace.start(look_up)
    node.namespace.run(lambda: node.network.container_started(late.sandbox))
    assert names_behind(late.namespace, VIP, PORT) == {"shop_web-1", "shop_web-2"}
    thread.join()
    assert answers == [VIP]


def test_a_container_that_has_ended_is_no_failure(shop: OverlayCluster, node: Node) -> None:
    ended = shop.containers["shop_web-1"]
    ended.namespace.end_process()
    node.namespace.run(lambda: node.network.container_started(ended.sandbox))
    shop.apply()
    node.namespace.run(lambda: node.network.container_ended(ended.task_id))
    node.namespace.run(lambda: node.network.container_ended("never-there"))


def test_a_process_id_that_was_used_again_is_not_mistaken_for_the_task(
    shop: OverlayCluster, node: Node
) -> None:
    other = shop.add_container(3, node=1, name="shop_other", network_id=FRONT)
    mistaken = ContainerSandbox(
        task_id="shop_ghost-1", pid=other.namespace.pid, addresses={FRONT: "10.77.1.99"}
    )
    node.namespace.run(lambda: node.network.container_started(mistaken))
    assert other.namespace.command("nft", "list", "ruleset") == ""


def test_no_container_keeps_older_rules_when_starts_and_assignments_cross(
    shop: OverlayCluster, node: Node
) -> None:
    late = [shop.add_container(slot, node=1, name="shop_client") for slot in range(2, 6)]
    backends = [shop.containers["shop_web-1"].backend]
    shop.endpoints = (given_.endpoint(VIP, backends),)
    newest = msgspec.structs.replace(shop.assignment(1), index=100)
    begin = threading.Barrier(len(late) + 1)

    def start(container: Container) -> None:
        begin.wait()
        node.network.container_started(container.sandbox)

    threads = [node.namespace.start(functools.partial(start, container)) for container in late]
    begin.wait()
    node.namespace.run(lambda: node.network.apply(newest, {}))
    for thread in threads:
        thread.join()
    assert node.network.rules_index == 100
    shop.apply_on(2, shop.assignment(2))
    for container in late:
        assert names_behind(container.namespace, VIP, PORT) == {"shop_web-1"}


# Damage


@pytest.mark.parametrize(
    "damage",
    [
        "nft delete table ip stackctl",
        "nft flush ruleset",
        f"ip link del {VXLAN}",
        f"ip link del {BRIDGE}",
        f"ip neigh flush dev {VXLAN} nud permanent",
        f"ip link set {VXLAN} nomaster",
        "iptables -F DOCKER-USER",
    ],
)
def test_damage_on_the_node_is_put_right_by_the_next_apply(
    shop: OverlayCluster, client: Container, node: Node, damage: str
) -> None:
    node.namespace.command(*damage.split())
    if damage == "nft flush ruleset":
        node.namespace.command("iptables", "-P", "FORWARD", "ACCEPT")
    shop.apply()
    assert by_vip(shop, client)() == {"shop_web-1", "shop_web-2"}
    assert by_port(shop, client)() == {"shop_web-1", "shop_web-2"}


def test_rules_that_a_container_has_lost_come_back(shop: OverlayCluster, client: Container) -> None:
    client.namespace.command("nft", "flush", "ruleset")
    shop.apply()
    assert by_vip(shop, client)() == {"shop_web-1", "shop_web-2"}


def test_the_firewalls_rule_is_there_once_and_after_those_of_the_user(
    shop: OverlayCluster, node: Node
) -> None:
    accepted = "-A DOCKER-USER -m connmark --mark 0x10000000/0x10000000 -j ACCEPT"

    def rules() -> list[str]:
        listed = node.namespace.command("iptables", "-S", "DOCKER-USER")
        return [line for line in listed.splitlines() if line.startswith("-A")]

    shop.apply()
    assert rules() == [accepted, "-A DOCKER-USER -j RETURN"]
    node.namespace.command("iptables", "-F", "DOCKER-USER")
    for words in ("-s 192.0.2.0/24 -j DROP", "-j RETURN"):
        node.namespace.command("iptables", "-A", "DOCKER-USER", *words.split())
    shop.apply()
    assert rules() == [
        "-A DOCKER-USER -s 192.0.2.0/24 -j DROP",
        accepted,
        "-A DOCKER-USER -j RETURN",
    ]


# Parts that fail


def test_an_engine_that_does_not_answer_holds_up_no_rules(
    shop: OverlayCluster, client: Container, node: Node
) -> None:
    node.engine.is_silent = True
    with pytest.raises(TemporaryFailure, match="the engine does not answer"):
        balance(shop, "shop_web-1")
    assert node.network.rules_index == shop.assignment(1).index
    assert by_vip(shop, client)() == {"shop_web-1"}


def test_a_network_that_cannot_be_made_is_named_and_the_others_are_made(
    shop: OverlayCluster, node: Node
) -> None:
    node.engine.foreign = {"shop_back"}
    networks = [shop.network(FRONT, 1), shop.network(BACK, 1)]
    with pytest.raises(PermanentFailure, match="shop_back"):
        node.namespace.run(lambda: node.network.ensure_networks(networks))
    both = msgspec.structs.replace(shop.assignment(1), networks=tuple(networks), index=50)
    with pytest.raises(PermanentFailure, match="shop_back"):
        shop.apply_on(1, both)
    assert node.network.rules_index == 50
    node.engine.foreign = set()
    made = node.namespace.run(lambda: node.network.ensure_networks(networks))
    assert made == {FRONT: "shop_front", BACK: "shop_back"}
    assert node.network.dns_servers([BACK, FRONT]) == ("10.77.2.1", "10.77.1.1")


# Networks that go


def test_a_network_goes_when_nothing_uses_it_any_more(shop: OverlayCluster, node: Node) -> None:
    node.namespace.ip("link add sc-foreign type bridge")
    node.engine.in_use = {"shop_front"}
    nothing = given_.assignment(index=60)
    shop.apply_on(1, nothing)
    assert VXLAN in node.namespace.ip("link")
    node.engine.in_use = set()
    node.namespace.run(lambda: node.network.container_ended("shop_web-1"))
    links = node.namespace.ip("link")
    assert VXLAN not in links
    assert BRIDGE not in links
    assert "sc-foreign" in links


def test_a_network_that_was_asked_for_survives_one_older_assignment(
    shop: OverlayCluster, node: Node
) -> None:
    back = shop.network(BACK, 1)
    node.namespace.run(lambda: node.network.ensure_networks([back]))
    shop.apply()
    assert "shop_back" in node.engine.networks
    shop.apply()
    assert "shop_back" not in node.engine.networks


def test_a_network_made_anew_under_its_name_replaces_the_old_one(
    shop: OverlayCluster, client: Container, node: Node
) -> None:
    moved = msgspec.structs.replace(shop.network(FRONT, 1), gateway="10.77.1.5")
    assigned = msgspec.structs.replace(shop.assignment(1), networks=(moved,), index=70)
    node.engine.in_use = {"shop_front"}
    with pytest.raises(TemporaryFailure, match="shop_front has changed"):
        shop.apply_on(1, assigned)
    node.engine.in_use = set()
    shop.apply_on(1, assigned)
    assert "10.77.1.5/24" in node.namespace.ip(f"addr show {BRIDGE}")
    assert node.network.dns_servers([FRONT]) == ("10.77.1.5",)


def test_an_internal_network_publishes_nothing(shop: OverlayCluster) -> None:
    assigned = shop.assignment(1)
    internal = tuple(
        msgspec.structs.replace(network, internal=True) for network in assigned.networks
    )
    shop.nodes[1].engine.networks.clear()
    shop.nodes[1].namespace.ip(f"link del {BRIDGE}")
    shop.apply_on(1, msgspec.structs.replace(assigned, networks=internal))
    with pytest.raises(ConnectionRefusedError):
        shop.outside.run(lambda: ask_tcp(shop.nodes[1].address, PUBLISHED))


# The end


def test_closing_leaves_traffic_alone_and_silences_names(
    shop: OverlayCluster, client: Container, node: Node
) -> None:
    node.namespace.run(lambda: node.network.close(remove=False))
    assert by_vip(shop, client)() == {"shop_web-1", "shop_web-2"}
    assert by_port(shop, client)() == {"shop_web-1", "shop_web-2"}
    query = dns.message.make_query("web", "A")
    with pytest.raises(ConnectionRefusedError):
        client.namespace.run(lambda: dns.query.tcp(query, "10.77.1.1", timeout=2))


def test_removal_leaves_nothing_of_ours_and_everything_of_others(
    shop: OverlayCluster, client: Container, node: Node
) -> None:
    node.namespace.command("nft", "add", "table", "ip", "foreign")
    node.namespace.ip("link add sc-foreign type bridge")
    node.namespace.run(lambda: node.network.close(remove=True))
    links = node.namespace.ip("link")
    assert VXLAN not in links
    assert BRIDGE not in links
    assert "sc-foreign" in links
    rules = node.namespace.command("nft", "list", "ruleset")
    assert "stackctl" not in rules
    assert "0x10000000" not in rules
    assert "table ip foreign" in rules
    assert client.namespace.command("nft", "list", "ruleset") == ""
    assert node.engine.networks == {}
    assert ":53 " not in node.namespace.command("ss", "-lnu")


def test_removal_says_which_networks_are_still_in_use(shop: OverlayCluster, node: Node) -> None:
    node.engine.in_use = {"shop_front"}
    with pytest.raises(DriverFailure, match="shop_front"):
        node.namespace.run(lambda: node.network.close(remove=True))
