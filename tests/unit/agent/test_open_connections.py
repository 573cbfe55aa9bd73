"""A stop waits for connections that nobody has taken up, and for no others."""

import os
import socket
import threading

import pytest

from agent.drivers.open_connections import await_taken_up, waiting_count
from tests.eventually import eventually


@pytest.fixture
def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=8)


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


def test_a_process_that_is_gone_has_nobody_waiting() -> None:
    assert await_taken_up(2**22 + 1)
