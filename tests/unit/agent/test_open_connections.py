"""A stop waits for connections that nobody has taken up, and for no others."""

import os
import socket
import threading
from pathlib import Path

import pytest

from agent.drivers.open_connections import await_taken_up, is_listening, waiting_count
from tests.eventually import eventually


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("", 0), backlog=8)


def _waiting_here() -> int:
    return waiting_count(os.getpid())


def test_a_connection_in_the_queue_and_an_unread_request_are_waited_for(
    listener: socket.socket,
) -> None:
    before = _waiting_here()
    with listener, socket.create_connection(listener.getsockname()) as client:
        eventually(lambda: _waiting_here() == before + 1, timeout_seconds=2)
        accepted, _ = listener.accept()
        with accepted:
            eventually(lambda: _waiting_here() == before, timeout_seconds=2)
            client.sendall(b"a request")
            eventually(lambda: _waiting_here() == before + 1, timeout_seconds=2)
            accepted.recv(100)
            eventually(lambda: _waiting_here() == before, timeout_seconds=2)


def test_the_wait_ends_when_the_connection_is_taken_up(listener: socket.socket) -> None:
    with listener, socket.create_connection(listener.getsockname()):
        eventually(lambda: _waiting_here() > 0, timeout_seconds=2)
        ended = threading.Event()

        def wait() -> None:
            await_taken_up(os.getpid())
            ended.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        accepted, _ = listener.accept()
        with accepted:
            waiting.join(timeout=5)
            assert ended.is_set()


@pytest.mark.parametrize(
    ("table", "line", "is_open"),
    [
        ("tcp", "0: 00000000:0050 00000000:0000 0A 00000000:00000000", True),
        ("tcp", "0: 0A01400A:0050 00000000:0000 0A 00000000:00000000", True),
        ("tcp", "0: 0B00007F:A1B2 00000000:0000 0A 00000000:00000000", False),  # the engine's DNS
        ("tcp", "0: 0A01400A:0050 0C01400A:9C40 01 00000000:00000000", False),
        ("tcp6", f"0: {'0' * 32}:0050 {'0' * 32}:0000 0A 00000000:00000000", True),
    ],
)
def test_who_listens_for_others_has_connections_to_wait_for(
    tmp_path: Path, table: str, line: str, *, is_open: bool
) -> None:
    (tmp_path / "7" / "net").mkdir(parents=True)
    (tmp_path / "7" / "net" / table).write_text(f"  sl  local_address …\n   {line} …\n")
    assert is_listening(7, processes=tmp_path) == is_open


def test_a_process_that_is_gone_has_nobody_waiting() -> None:
    assert await_taken_up(2**22 + 1)
