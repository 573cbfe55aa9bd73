"""HTTP as raw bytes: what a server may send, whole or broken."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.client import transport
from stackctl.errors import InputError

Serve = Callable[[bytes], transport.Endpoint]


@pytest.fixture
def raw_server(tmp_path: Path) -> Iterator[Serve]:
    """Answers the first connection with given bytes, then closes it."""
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "raw.sock"
    listener.bind(str(path))
    listener.listen(1)
    threads: list[threading.Thread] = []

    def serve(answer: bytes) -> transport.Endpoint:
        def work() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return transport.Endpoint(path=str(path))

    yield serve
    for thread in threads:
        thread.join(5)
    listener.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = transport.Request("GET", "/v1/cluster", timeout_seconds=5)


def body(endpoint: transport.Endpoint) -> bytes:
    with transport.send(endpoint, GET) as answer:
        return answer.read()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", b"{}", id="until-the-end"),
        pytest.param(
            CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
            b"{}",
            id="chunks",
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b"", id="nothing"),
        pytest.param(
            b"HTTP/1.0 200 OK\nContent-Length: 1\n\n1", b"1", id="bare-line-ends-and-old-version"
        ),
    ],
)
def test_whole_answers_are_read(raw_server: Serve, answer: bytes, expected: bytes) -> None:
    assert body(raw_server(answer)) == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(b"", "without an answer", id="nothing-at-all"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "not HTTP", id="another-protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", "middle of a line", id="cut-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "middle", id="cut-body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no length", id="bad-length"),
        pytest.param(
            CHUNKED + b"5\r\nab",
            "middle",
            id="cut-chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "no length",
            id="bad-chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"".join(b"a%d: b\r\n" % number for number in range(200)),
            "too many headers",
            id="endless-head",
        ),
    ],
)
def test_broken_answers_are_no_answer(raw_server: Serve, answer: bytes, reason: str) -> None:
    with pytest.raises(transport.NoAnswer, match=reason):
        body(raw_server(answer))


def test_lines_come_one_by_one_whatever_the_chunks(raw_server: Serve) -> None:
    answer = CHUNKED + b"3\r\na\nb\r\n4\r\nb\nc\n\r\n1\r\nd\r\n0\r\n\r\n"
    with transport.send(raw_server(answer), GET) as found:
        assert list(found.lines()) == [b"a", b"bb", b"c", b"d"]


def test_a_socket_that_is_not_there_is_not_connected(tmp_path: Path) -> None:
    with pytest.raises(transport.NotConnected, match="no such file"):
        transport.send(transport.Endpoint(path=str(tmp_path / "none.sock")), GET)


def test_tls_needs_an_identity() -> None:
    with pytest.raises(transport.NotConnected, match="--identity"):
        transport.send(transport.Endpoint(host="127.0.0.1", port=1), GET)


def test_an_identity_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="identity"):
        transport.client_tls(tmp_path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unix:///run/m.sock", "unix:///run/m.sock"),
        ("/run/m.sock", "unix:///run/m.sock"),
        ("https://n1:2500", "https://n1:2500"),
        ("tcp://10.0.0.1", "https://10.0.0.1:2477"),
        ("10.0.0.1:99/", "https://10.0.0.1:99"),
        ("https://[fd00::1]:7", "https://[fd00::1]:7"),
        ("[fd00::1]", "https://[fd00::1]:2477"),
    ],
)
def test_endpoints_are_read_as_people_write_them(text: str, shown: str) -> None:
    assert str(transport.parse_endpoint(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "unix://m.sock", "ftp://x", "https://n1:x", "n1:0", "n1:99999"]
)
def test_other_endpoints_are_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputError) as caught:
        transport.parse_endpoint(text)
    assert "unix:///" in str(caught.value.hint)
