"""Carries bytes between this program's streams and a container's, until either side ends.

One thread reads what is typed, the caller's thread reads what the container writes. The typing
thread waits on the descriptor of stdin and on a pipe of its own, so that it ends at once when the
container does and never swallows what is typed for whoever runs next.
"""

import os
import select
import socket
import threading
from collections.abc import Callable
from typing import NamedTuple

from stackctl.local.engine.frames import STDERR, Frame, frames
from stackctl.local.engine.http import Answer
from stackctl.local.failures import EngineUnavailable
from stackctl.local.streams.detach_keys import DetachKeys

_PIECE_BYTES = 32 * 1024

Show = Callable[[bytes, bool], None]  # the bytes, and whether they were written to stderr


class Wiring(NamedTuple):
    """How streams are connected; `stdin` is a descriptor, None leaves the input alone."""

    tty: bool
    show: Show
    stdin: int | None = None
    keys: DetachKeys = DetachKeys(b"")


def interact(answer: Answer, wiring: Wiring) -> bool:
    """Carry bytes until the container's output ends; True if the user detached before.

    Raises EngineUnavailable when the engine goes away.
    """
    with answer:
        connection, _ = answer.take_over()
        typing = None if wiring.stdin is None else _Typing(answer, connection, wiring)
        if typing:
            typing.start()
        try:
            for frame in frames(answer.pieces(), tty=wiring.tty):
                _show(wiring.show, frame)
        except EngineUnavailable:
            if not (typing and typing.has_detached):
                raise
        finally:
            if typing:
                typing.stop()
    return bool(typing and typing.has_detached)


def _show(show: Show, frame: Frame) -> None:
    show(frame.content, frame.stream == STDERR)


class _Typing:
    """The thread that sends what is typed."""

    def __init__(self, answer: Answer, connection: socket.socket, wiring: Wiring) -> None:
        self.has_detached = False
        self._answer = answer
        self._connection = connection
        self._stdin = wiring.stdin if wiring.stdin is not None else -1
        self._keys = wiring.keys
        self._stopped, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        os.close(self._stop)
        self._thread.join()
        os.close(self._stopped)

    def _run(self) -> None:
        try:
            self._send_what_is_typed()
        except OSError:
            return  # the other side has gone first, and the reader says so

    def _send_what_is_typed(self) -> None:
        while True:
            ready, _, _ = select.select([self._stdin, self._stopped], [], [])
            if self._stopped in ready:
                return
            content = os.read(self._stdin, _PIECE_BYTES)
            if not content:
                self._end_input()
                return
            typed = self._keys.feed(content)
            if typed.passed_on:
                self._connection.sendall(typed.passed_on)
            if typed.detaches:
                self.has_detached = True
                self._answer.close()
                return

    def _end_input(self) -> None:
        # TLS cannot end one direction alone in Python: there the container's input stays open.
        if type(self._connection) is socket.socket:
            self._connection.shutdown(socket.SHUT_WR)
