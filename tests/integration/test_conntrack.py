"""Tracked connections are forgotten in time: those that were read, and not what began meanwhile."""

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.core import nft_rules
from agent.core.stale_connections import Connection
from agent.drivers import conntrack
from tests import overlay_assignments as given_
from tests.namespaces import TestNamespace
from tests.overlay_cluster import OverlayCluster

pytestmark = pytest.mark.integration

VIP = "10.77.1.200"
PORT = 8100
PUBLISHED = 8080
OWN_PORT = 40_000


@pytest.fixture
def shop() -> Iterator[OverlayCluster]:
    """A client whose connections to the VIP go to a server that gives back what it gets."""
    with OverlayCluster(1) as cluster:
        backend = cluster.add_container(1, node=1)
        cluster.add_container(1, node=1, name="shop_client")
        cluster.endpoints = (given_.endpoint(VIP, [backend.backend]),)
        cluster.ingress = (given_.ingress(PUBLISHED, [backend.backend], target=PORT),)
        cluster.apply()
        with _echo_server(backend.namespace):
            yield cluster


@pytest.fixture
def client(shop: OverlayCluster) -> TestNamespace:
    return shop.containers["shop_client-1"].namespace


@contextlib.contextmanager
def _echo_server(namespace: TestNamespace) -> Iterator[None]:
    """Serves one after the other, and closes first."""
    listening = namespace.run(lambda: socket.create_server(("0.0.0.0", PORT)))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(connection.recv(100))

    thread = namespace.start(serve)
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()


def _connect() -> socket.socket:
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.settimeout(5)
    opened.bind(("", OWN_PORT))
    opened.connect((VIP, PORT))
    return opened


def _exchange(connection: socket.socket) -> bytes:
    with connection:
        connection.sendall(b"ping")
        received = b""
        while part := connection.recv(100):
            received += part
        return received


def test_a_connection_that_takes_the_port_of_one_that_is_over_is_not_cut_in_its_place(
    client: TestNamespace,
) -> None:
    def replace_and_forget_all() -> tuple[bytes, set[int]]:
        assert _exchange(_connect()) == b"ping"
        opened: list[socket.socket] = []

        def open_again(found: Iterable[Connection]) -> Sequence[Connection]:
            opened.append(_connect())
            return tuple(found)  # as if the backend of all that were read had gone

        with contextlib.ExitStack() as stack:
            conntrack.forget_stale(open_again, stack)
        tracked = tracked_ports()
        return _exchange(opened[0]), tracked

    # The kernel gives most but not all of them the identity of their predecessor. One that was
    # forgotten would find its way again here, because there is one backend only.
    for _ in range(50):
        assert client.run(replace_and_forget_all) == (b"ping", {OWN_PORT})


def test_a_connection_that_begins_while_others_get_their_second_look_gets_its_own(
    shop: OverlayCluster, client: TestNamespace
) -> None:
    shop.containers["shop_web-1"].namespace.ip("link set eth0 down")  # it answers nobody

    def begin_twice() -> tuple[list[int], set[int]]:
        with contextlib.ExitStack() as stack:
            begun: list[int] = []

            def begin_another(found: Iterable[Connection]) -> Sequence[Connection]:
                begun.append(_begin(stack))
                return tuple(found)

            begun.append(_begin(stack))
            conntrack.forget_stale(begin_another, stack)
            return begun, tracked_ports()

    (first, second, _third), tracked = client.run(begin_twice)
    assert first not in tracked
    assert second in tracked


def _begin(stack: contextlib.ExitStack) -> int:
    """A connection of which nobody has heard the answer; its own port."""
    opened = stack.enter_context(socket.socket())
    opened.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        opened.connect((VIP, PORT))
    return int(opened.getsockname()[1])


def test_a_published_connection_is_forgotten_seconds_after_its_end(shop: OverlayCluster) -> None:
    ask_published_port(shop)
    remaining = [
        int(line.split()[4]) for line in tracked(shop.nodes[1].namespace) if "TIME_WAIT" in line
    ]
    assert remaining
    assert max(remaining) <= nft_rules.ENDED_SECONDS


def test_a_node_that_cannot_forget_them_soon_serves_all_the_same(
    shop: OverlayCluster, caplog: pytest.LogCaptureFixture
) -> None:
    node = shop.nodes[1].namespace
    # The table is taken, by a chain of another kind.
    hook = "type nat hook postrouting priority 0;"
    node.command("nft", nft_rules.render_ends_removal().replace("\n", "; "))
    node.command("nft", f"table ip {nft_rules.ENDS_TABLE} {{ chain postrouting {{ {hook} }} ; }}")
    shop.ingress = (given_.ingress(PUBLISHED + 1, shop.ingress[0].backends, target=PORT),)
    shop.apply()
    assert "stay tracked for as long as the kernel likes" in caplog.text
    ask_published_port(shop, PUBLISHED + 1)


def test_a_node_without_networks_has_no_table_for_it(shop: OverlayCluster) -> None:
    node = shop.nodes[1]
    assert nft_rules.ENDS_TABLE in node.namespace.command("nft", "list", "tables")
    node.namespace.run(lambda: node.network.apply(given_.assignment(index=100), {}))
    assert nft_rules.ENDS_TABLE not in node.namespace.command("nft", "list", "tables")


def ask_published_port(shop: OverlayCluster, port: int = PUBLISHED) -> None:
    """One connection from another host, that ends on both sides."""

    def ask() -> bytes:
        return _exchange(socket.create_connection((shop.nodes[1].address, port), timeout=5))

    assert shop.outside.run(ask) == b"ping"


def tracked(namespace: TestNamespace) -> list[str]:
    """The published connections of a node."""
    table = namespace.run(Path("/proc/thread-self/net/nf_conntrack").read_text)
    mark = f"mark={nft_rules.INGRESS_MARK} "
    return [line for line in table.splitlines() if mark in line]


def tracked_ports() -> set[int]:
    """The clients' ports of connections to the VIP, as the calling thread's namespace has them."""
    table = Path("/proc/thread-self/net/nf_conntrack").read_text()
    return {int(port) for port in re.findall(rf"dst={VIP} sport=(\d+) ", table)}
