"""Calls that come on a connection are answered, also when callers misbehave."""

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stackctl.local.building.grpc_connection import (
    Call,
    CallRefused,
    GrpcConnection,
    Handler,
    Status,
)
from stackctl.local.failures import EngineUnavailable
from tests.fakes.grpc_caller import GrpcCaller

LARGE = bytes(range(256)) * 1024  # four times the window of a stream

held = threading.Event()
flooded = threading.Event()


def echo(call: Call) -> None:
    for message in call.messages():
        call.send(message)


def hold(call: Call) -> None:
    call.send(b"begun")
    assert call.receive() is None
    held.set()


def flood(call: Call) -> None:
    for _ in range(100):
        call.send(LARGE)
    flooded.set()


def refuse(_call: Call) -> None:
    raise CallRefused(Status.NOT_FOUND, "no such thing: ä")


def break_down(_call: Call) -> None:
    raise KeyError("x")


def fail(_call: Call) -> None:
    raise EngineUnavailable("nobody answers")


def answer_at_once(call: Call) -> None:
    call.send(b"at once")


METHODS: dict[str, Handler] = {
    "/echo": echo,
    "/hold": hold,
    "/flood": flood,
    "/refuse": refuse,
    "/break": break_down,
    "/fail": fail,
    "/at-once": answer_at_once,
}


@pytest.fixture
def served() -> Iterator[tuple[GrpcConnection, GrpcCaller]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        caller = GrpcCaller(theirs)
        connection = GrpcConnection(ours, METHODS, received=ours.recv(65536))
        connection.start()
        yield connection, caller
        connection.close()


Served = tuple[GrpcConnection, GrpcCaller]


def test_messages_of_any_size_come_and_go(served: Served) -> None:
    _, caller = served
    assert caller.call("/echo", (b"", b"one", LARGE)) == (0, "", (b"", b"one", LARGE))


def test_a_call_may_go_on_while_others_end(served: Served) -> None:
    _, caller = served
    stream = caller.begin("/echo")
    caller.send(stream, b"first")
    assert caller.answer(stream) == b"first"
    assert caller.call("/echo", (b"other",)).answers == (b"other",)
    caller.send(stream, b"second")
    caller.end(stream)
    assert caller.outcome(stream).answers == (b"second",)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/refuse", Status.NOT_FOUND, "no such thing: %C3%A4"),
        ("/unknown", Status.UNIMPLEMENTED, "/unknown is not served here"),
        ("/fail", Status.UNKNOWN, "nobody answers"),
        ("/break", Status.INTERNAL, "KeyError: 'x'"),
    ],
)
def test_a_call_that_fails_says_why_and_others_are_served(
    served: Served, path: str, status: Status, message: str
) -> None:
    _, caller = served
    assert caller.call(path) == (status, message, ())
    assert caller.call("/echo", (b"x",)).answers == (b"x",)


def test_a_call_may_be_answered_before_it_was_heard_to_its_end(served: Served) -> None:
    _, caller = served
    stream = caller.begin("/at-once")
    assert caller.outcome(stream) == (0, "", (b"at once",))


def test_a_call_that_is_given_up_ends_its_handler(served: Served) -> None:
    _, caller = served
    held.clear()
    stream = caller.begin("/hold")
    assert caller.answer(stream) == b"begun"
    caller.cancel(stream)
    assert held.wait(5)
    assert caller.call("/echo", (b"x",)).answers == (b"x",)


def test_a_call_that_is_given_up_in_the_same_breath_harms_no_other(served: Served) -> None:
    _, caller = served
    for _ in range(50):
        caller.cancel(caller.begin("/hold"))
    assert caller.call("/echo", (b"x",)).answers == (b"x",)


def test_closing_ends_the_connection_and_the_calls_on_it(served: Served) -> None:
    connection, caller = served
    held.clear()
    assert caller.answer(caller.begin("/hold")) == b"begun"
    connection.close()
    assert caller.is_hung_up()
    assert held.wait(5)


@pytest.mark.parametrize("garbage", [b"\x01\0\0\0\x01x", b"\0\xff\xff\xff\xff"])
def test_what_is_no_message_ends_the_connection(served: Served, garbage: bytes) -> None:
    _, caller = served
    stream = caller.begin("/echo")
    caller.send_raw(stream, garbage)
    assert caller.is_hung_up()


def test_who_speaks_no_http2_is_hung_up_on() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = GrpcConnection(ours, METHODS)
        connection.start()
        theirs.settimeout(5)
        theirs.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while theirs.recv(65536):
            pass
        connection.close()


def test_a_caller_who_goes_away_ends_the_serving() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            GrpcCaller(theirs)
            connection = GrpcConnection(ours, METHODS)
            connection.start()
        connection.close()


def test_who_sends_more_than_is_read_waits_until_the_caller_goes_away() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            caller = GrpcCaller(theirs)
            connection = GrpcConnection(ours, METHODS)
            connection.start()
            caller.begin("/flood")
            assert not flooded.wait(0.1)
        assert flooded.wait(1)
        connection.close()


def write_certificate(path: Path) -> None:
    """A key and a certificate for it in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "engine")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )


def test_calls_come_over_tls_as_well(tmp_path: Path) -> None:
    write_certificate(tmp_path / "engine.pem")
    engine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    engine.load_cert_chain(tmp_path / "engine.pem")
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    ours, theirs = socket.socketpair()
    accepted: list[ssl.SSLSocket] = []
    accepting = threading.Thread(
        target=lambda: accepted.append(engine.wrap_socket(theirs, server_side=True))
    )
    accepting.start()
    encrypted = trusting.wrap_socket(ours)
    accepting.join()
    with encrypted, accepted[0] as at_engine:
        connection = GrpcConnection(encrypted, METHODS)
        connection.start()
        caller = GrpcCaller(at_engine)
        assert caller.call("/echo", (b"one", LARGE)) == (0, "", (b"one", LARGE))
        connection.close()
