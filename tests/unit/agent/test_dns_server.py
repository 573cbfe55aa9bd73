"""The DNS server over loopback: UDP, TCP, held answers, other servers."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from agent.core import dns_zone
from agent.core.dns_zone import Client
from agent.drivers.dns_forwarder import DnsForwarder
from agent.drivers.dns_server import DnsServer
from agent.drivers.resolvers import NodeResolvers
from stackctl.errors import TemporaryFailure
from tests import overlay_assignments as given_
from tests.eventually import eventually
from tests.overlay_assignments import FRONT

MANY = [given_.backend(slot, f"10.77.1.{slot}") for slot in range(2, 120)]
ZONE = dns_zone.build_zone(
    given_.assignment(
        networks=(given_.network(),),
        endpoints=(
            given_.endpoint("10.77.1.200", MANY[:2]),
            given_.endpoint("", MANY, name="shop_many", aliases=["many"]),
        ),
    )
)
READY = Client(networks=(FRONT,), has_rules=True)
NOT_READY = Client(networks=(FRONT,), has_rules=False)
GATEWAY = "127.0.0.1"
TASK = "127.0.0.2"

Ask = Callable[..., dns.message.Message]


class Upstream:
    """A name server on a loopback address; `answer` makes the answer, None stays silent."""

    def __init__(self, address: str, port: int) -> None:
        self.asked: list[str] = []
        self.code = dns.rcode.NOERROR
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self.port: int = self._udp.getsockname()[1]
        self._tcp = socket.create_server((address, self.port))
        self._threads = [
            threading.Thread(target=self._udp_loop),
            threading.Thread(target=self._tcp_loop),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._udp.getsockname())
        for thread in self._threads:
            thread.join()
        self._udp.close()

    def _answer(self, wire: bytes) -> bytes:
        query = dns.message.from_wire(wire)
        self.asked.append(query.question[0].name.to_text())
        answer = dns.message.make_response(query)
        answer.set_rcode(self.code)
        if self.code == dns.rcode.NOERROR:
            text = f"{query.question[0].name} 60 IN A 192.0.2.9"
            answer.answer = dns.message.from_text(f";ANSWER\n{text}").answer
        return answer.to_wire()

    def _udp_loop(self) -> None:
        while True:
            wire, source = self._udp.recvfrom(4096)
            if not wire:
                return
            self._udp.sendto(b"\x00\x00 a forged answer", source)
            self._udp.sendto(self._answer(wire), source)

    def _tcp_loop(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _source = self._tcp.accept()
                with connection, connection.makefile("rwb") as file:
                    size = int.from_bytes(file.read(2), "big")
                    answer = self._answer(file.read(size))
                    file.write(len(answer).to_bytes(2, "big") + answer)


def _free_port() -> int:
    """A port free for both protocols on all of 127.0.0.0/8 (the server's addresses share it)."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            tcp.bind(("0.0.0.0", 0))
            port: int = tcp.getsockname()[1]
            udp.bind(("0.0.0.0", port))
            return port


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream("127.0.0.9", 0)
    yield made
    made.close()


@pytest.fixture
def port() -> int:
    return _free_port()


@pytest.fixture
def resolvers(tmp_path: Path) -> NodeResolvers:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nnameserver 127.0.0.8\nnameserver 127.0.0.9\n")
    return NodeResolvers(path)


@pytest.fixture
def hold_seconds() -> float:
    return 10


@pytest.fixture
def server(
    upstream: Upstream, port: int, resolvers: NodeResolvers, hold_seconds: float
) -> Iterator[DnsServer]:
    made = DnsServer(
        resolvers=resolvers,
        port=port,
        forwarder=DnsForwarder(port=upstream.port),
        hold_seconds=hold_seconds,
    )
    made.publish(ZONE, {TASK: READY})
    made.listen({GATEWAY: FRONT})
    yield made
    made.close()


@pytest.fixture
def ask(server: DnsServer, port: int) -> Ask:
    def ask(
        name: str, *, kind: str = "A", source: str = TASK, tcp: bool = False, edns: int = 0
    ) -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        if edns:
            query.use_edns(0, payload=edns)
        send = dns.query.tcp if tcp else dns.query.udp
        return send(query, GATEWAY, port=port, source=source, timeout=5)

    return ask


def records(answer: dns.message.Message) -> list[str]:
    return sorted(record.to_text() for rrset in answer.answer for record in rrset)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_tasks_question_is_answered(ask: Ask, *, tcp: bool) -> None:
    assert records(ask("web", tcp=tcp)) == ["10.77.1.200"]


def test_a_stranger_is_given_working_addresses(ask: Ask) -> None:
    assert records(ask("web", source="127.0.0.3")) == ["10.77.1.2", "10.77.1.3"]


def test_an_answer_that_is_too_long_is_cut_and_whole_over_tcp(ask: Ask) -> None:
    cut = ask("many")
    assert cut.flags & dns.flags.TC
    assert 0 < len(records(cut)) < len(MANY)
    assert len(records(ask("many", edns=1232))) > len(records(cut))
    assert len(records(ask("many", tcp=True))) == len(MANY)


@pytest.mark.parametrize("tcp", [False, True])
def test_a_vip_is_held_until_the_task_has_its_rules(
    server: DnsServer, ask: Ask, *, tcp: bool
) -> None:
    server.publish(ZONE, {TASK: NOT_READY})
    with ThreadPoolExecutor(1) as pool:
        held: Future[dns.message.Message] = pool.submit(ask, "web", tcp=tcp)
        # What needs no rules is answered meanwhile, and shows that the first question came in.
        eventually(lambda: records(ask("tasks.web")), timeout_seconds=2)
        assert not held.done()
        server.publish(ZONE, {TASK: NOT_READY})
        server.publish(ZONE, {TASK: READY})
        assert records(held.result()) == ["10.77.1.200"]


@pytest.mark.parametrize("hold_seconds", [0.05])
def test_a_held_answer_comes_with_working_addresses_in_the_end(server: DnsServer, ask: Ask) -> None:
    server.publish(ZONE, {TASK: NOT_READY})
    assert records(ask("web")) == ["10.77.1.2", "10.77.1.3"]


@pytest.mark.parametrize("tcp", [False, True])
def test_foreign_names_are_asked_elsewhere_past_servers_that_refuse(
    ask: Ask, upstream: Upstream, *, tcp: bool
) -> None:
    assert records(ask("example.com", tcp=tcp)) == ["192.0.2.9"]
    assert upstream.asked == ["example.com."]


def test_another_servers_word_that_a_name_does_not_exist_is_passed_on(
    ask: Ask, upstream: Upstream
) -> None:
    upstream.code = dns.rcode.NXDOMAIN
    assert ask("missing.example.com").rcode() == dns.rcode.NXDOMAIN


def test_failing_servers_give_a_failure(ask: Ask, upstream: Upstream) -> None:
    upstream.code = dns.rcode.SERVFAIL
    assert ask("example.com").rcode() == dns.rcode.SERVFAIL


def test_a_services_own_servers_are_asked_instead(server: DnsServer, ask: Ask) -> None:
    own = Client(networks=(FRONT,), has_rules=True, servers=("127.0.0.7",))
    server.publish(ZONE, {TASK: own})
    assert ask("example.com").rcode() == dns.rcode.SERVFAIL
    assert ask("nobody").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("noise", [b"", b"x", b"\x00" * 12, b"\xff" * 40, b"\x00" * 5000])
def test_noise_does_not_silence_the_server(ask: Ask, port: int, noise: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(noise, (GATEWAY, port))
    with socket.create_connection((GATEWAY, port)) as stream:
        stream.sendall(noise)
    assert records(ask("web")) == ["10.77.1.200"]


def test_listening_elsewhere_ends_listening_here(server: DnsServer, ask: Ask, port: int) -> None:
    server.listen({"127.0.0.4": FRONT})
    query = dns.message.make_query("tasks.web", "A")
    assert dns.query.udp(query, "127.0.0.4", port=port, timeout=5).rcode() == dns.rcode.NOERROR
    with pytest.raises(OSError, match="refused"):
        dns.query.tcp(query, GATEWAY, port=port, timeout=5)


def test_an_address_in_use_is_named_and_the_others_are_served(server: DnsServer, port: int) -> None:
    query = dns.message.make_query("tasks.web", "A")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.5", port))
        with pytest.raises(TemporaryFailure, match=r"127\.0\.0\.5"):
            server.listen({"127.0.0.5": FRONT, "127.0.0.6": FRONT})
    assert dns.query.udp(query, "127.0.0.6", port=port, timeout=5).rcode() == dns.rcode.NOERROR
    server.listen({"127.0.0.5": FRONT})
    assert dns.query.udp(query, "127.0.0.5", port=port, timeout=5).rcode() == dns.rcode.NOERROR


def test_a_closed_server_takes_orders_without_harm(server: DnsServer) -> None:
    server.close()
    server.publish(ZONE, {})
    server.listen({GATEWAY: FRONT})
    server.close()
