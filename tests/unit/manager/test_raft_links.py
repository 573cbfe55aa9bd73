"""Links: only managers of the cluster are heard, and what they send is typed and bounded."""

import logging
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.errors import ClusterUnavailable, InputError
from stackctl.manager import certificates
from stackctl.manager.identity import IdentityDirectory, Role, client_ssl_context
from stackctl.manager.raft import messages
from stackctl.manager.raft.addresses import split_address
from stackctl.manager.raft.connection import Connected, Disconnected, Event, Received, frame
from stackctl.manager.raft.links import Links
from tests.contract.consensus_cluster import free_port
from tests.eventually import eventually

SECONDS = 5.0


class Network:
    """Nodes with certificates of one authority, and their links."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.authority = certificates.create_cluster_authority()
        self.links: dict[str, Links] = {}
        self.addresses: dict[str, str] = {}
        self.events: dict[str, list[Event]] = {}

    def identity(
        self,
        node_id: str,
        *,
        role: Role = "manager",
        authority: certificates.Authority | None = None,
    ) -> IdentityDirectory:
        signer = authority or self.authority
        identity = IdentityDirectory(self._directory / f"{node_id}-{role}-{os.urandom(4).hex()}")
        key_pem = certificates.create_key()
        subject = certificates.Subject(node_id=node_id, role=role, cluster_id="c")
        identity.write_authority(certificate_pem=signer.certificate_pem, key_pem=None)
        identity.write_node(
            certificate_pem=certificates.issue_for_key(key_pem, authority=signer, subject=subject),
            key_pem=key_pem,
        )
        return identity

    def open(self, node_id: str, *, identity: IdentityDirectory | None = None) -> Links:
        address = self.addresses.setdefault(node_id, f"127.0.0.1:{free_port()}")
        links = Links(
            node_id=node_id,
            listen=address,
            tls=(identity or self.identity(node_id)).tls_files(),
            retry_seconds=0.02,
            wake=lambda: None,
        )
        links.start()
        self.links[node_id] = links
        self.events[node_id] = []
        return links

    def introduce(self, *node_ids: str) -> None:
        for one in node_ids:
            for other in node_ids:
                if one != other:
                    self.links[one].set_peer(other, self.addresses[other])

    def wait(self, node_id: str, condition: Callable[[list[Event]], bool]) -> list[Event]:
        def seen() -> bool:
            self.events[node_id] += self.links[node_id].drain(1000)
            return condition(self.events[node_id])

        eventually(seen, timeout_seconds=SECONDS, period_seconds=0.005)
        return self.events[node_id]

    def close(self) -> None:
        for links in self.links.values():
            links.stop()


@pytest.fixture
def network(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Network]:
    network = Network(tmp_path)
    yield network
    network.close()
    failed = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert failed == [], "the event loop's thread hides its exceptions in the log"


def stranger_gets(network: Network, identity: IdentityDirectory, content: bytes) -> bytes:
    """What a hand-made connection to n1 receives after it sent `content`."""
    ip, port = split_address(network.addresses["n1"])
    context = client_ssl_context(identity.tls_files())
    with (
        socket.create_connection((ip, port), timeout=SECONDS) as connection,
        context.wrap_socket(connection) as secure,
    ):
        received = b""
        try:
            secure.sendall(content)
            while piece := secure.recv(65536):
                received += piece
        except (ssl.SSLError, ConnectionError):
            pass
        return received


def test_two_members_talk_in_both_directions(network: Network) -> None:
    network.open("n1")
    network.open("n2")
    network.introduce("n1", "n2")
    for one, other in (("n1", "n2"), ("n2", "n1")):
        network.wait(one, lambda events, other=other: Connected(other) in events)  # type: ignore[misc]  # the default binds the loop's value
        assert network.links[one].send(other, messages.StaleTerm(term=7))
    for one, other in (("n1", "n2"), ("n2", "n1")):
        expected = Received(other, messages.StaleTerm(term=7))
        network.wait(one, lambda events, expected=expected: expected in events)  # type: ignore[misc]  # the default binds the loop's value


def test_sending_without_a_link_says_so(network: Network) -> None:
    links = network.open("n1")
    assert not links.send("n2", messages.Ping())


def test_a_large_message_arrives_whole_and_in_order(network: Network) -> None:
    network.open("n1")
    network.open("n2")
    network.introduce("n1", "n2")
    network.wait("n1", lambda events: Connected("n2") in events)
    large = messages.Propose(commands=[os.urandom(1 << 20) for _ in range(4)])
    network.links["n1"].send("n2", large)
    network.links["n1"].send("n2", messages.StaleTerm(term=1))
    events = network.wait("n2", lambda events: len(events) >= 3)
    assert events == [
        Connected("n1"),
        Received("n1", large),
        Received("n1", messages.StaleTerm(term=1)),
    ]


def test_a_restarted_member_is_connected_again(network: Network) -> None:
    network.open("n1")
    network.open("n2")
    network.introduce("n1", "n2")
    network.wait("n1", lambda events: Connected("n2") in events)
    network.links["n2"].stop()
    network.wait("n1", lambda events: events[-1] == Disconnected("n2"))
    network.open("n2")
    network.introduce("n1", "n2")
    network.wait("n1", lambda events: events[-1] == Connected("n2"))


def test_a_removed_peer_gets_the_last_word_and_no_more(network: Network) -> None:
    network.open("n1")
    network.open("n2")
    network.introduce("n1", "n2")
    network.wait("n1", lambda events: Connected("n2") in events)
    network.links["n1"].send("n2", messages.Removed(index=5))
    network.links["n1"].remove_peer("n2")
    events = network.wait("n2", lambda events: Disconnected("n1") in events)
    assert events == [
        Connected("n1"),
        Received("n1", messages.Removed(index=5)),
        Disconnected("n1"),
    ]
    network.wait("n1", lambda events: Disconnected("n2") in events)


def test_a_worker_of_the_cluster_is_refused(network: Network) -> None:
    network.open("n1")
    network.links["n1"].set_peer("n2", "127.0.0.1:1")
    worker = network.identity("n2", role="worker")
    assert stranger_gets(network, worker, frame(messages.Hello(protocol=1))) == b""
    assert network.links["n1"].drain(10) == []


def test_a_manager_that_is_no_member_is_refused(network: Network) -> None:
    network.open("n1")
    manager = network.identity("n2")
    assert stranger_gets(network, manager, frame(messages.Hello(protocol=1))) == b""
    assert network.links["n1"].drain(10) == []


def test_a_node_of_another_cluster_is_refused(network: Network) -> None:
    network.open("n1")
    network.links["n1"].set_peer("n2", "127.0.0.1:1")
    foreign = certificates.create_cluster_authority()
    identity = network.identity("n2", authority=foreign)
    # It trusts our authority as it would after reading it somewhere; we do not trust its.
    identity.write_authority(certificate_pem=network.authority.certificate_pem, key_pem=None)
    assert stranger_gets(network, identity, frame(messages.Hello(protocol=1))) == b""
    assert network.links["n1"].drain(10) == []


@pytest.mark.parametrize(
    "content",
    [
        frame(messages.StaleTerm(term=1)),
        frame(messages.Hello(protocol=99)),
        frame(messages.Hello(protocol=1)) + (100 << 20).to_bytes(4, "big"),
        frame(messages.Hello(protocol=1)) + b"\0\0\0\x04ABCD",
        frame(messages.Hello(protocol=1)) + frame({"type": "apply_command", "command": b"x"}),
    ],
    ids=["no hello", "other protocol", "too long", "garbage", "not on the list"],
)
def test_a_member_that_breaks_the_protocol_is_cut_off(network: Network, content: bytes) -> None:
    network.open("n1")
    network.links["n1"].set_peer("n2", "127.0.0.1:1")
    answer = stranger_gets(network, network.identity("n2"), content)
    assert answer == frame(messages.Hello(protocol=1)), "it was greeted, then nothing"
    assert not [event for event in network.links["n1"].drain(10) if isinstance(event, Received)]


def test_a_peer_that_is_another_node_than_expected_is_refused(network: Network) -> None:
    network.open("n1")
    network.open("n2", identity=network.identity("n7"))
    network.links["n2"].set_peer("n1", network.addresses["n1"])
    network.links["n1"].set_peer("n2", network.addresses["n2"])
    network.open("n3")
    network.links["n3"].set_peer("n2", network.addresses["n2"])
    network.introduce("n1", "n3")
    network.wait("n3", lambda events: Connected("n1") in events)
    assert network.links["n1"].drain(10) == [Connected("n3")]


def test_an_address_in_use_is_reported_with_a_hint(network: Network) -> None:
    network.open("n1")
    network.addresses["n2"] = network.addresses["n1"]
    with pytest.raises(ClusterUnavailable, match="cannot listen on 127"):
        network.open("n2")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.1:80", ("192.0.2.1", 80)), ("[2001:db8::1]:4242", ("2001:db8::1", 4242))],
)
def test_addresses_are_literals(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize("address", ["manager1:80", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:x", ""])
def test_host_names_and_half_addresses_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="is not an address of a manager"):
        split_address(address)
