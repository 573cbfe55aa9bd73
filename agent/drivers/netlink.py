"""Bare netlink: packing, sending and dumping.

By hand, because pyroute2 costs twenty times more per message, some milliseconds for each link that
it reads, and a seventh of the agent's memory; entries, links and connections are looked through in
every round, and many namespaces are entered for one question each.
"""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

ROUTE = 0
NETFILTER = 12

REQUEST = 0x001
ACKNOWLEDGE = 0x004
DUMP = 0x300
REPLACE = 0x100
CREATE = 0x400

NESTED = 0x8000

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_KIND_ERROR = 2
_KIND_DONE = 3
_SOL_NETLINK = 270
_STRICT_CHECK = 12
_BATCH = 100  # messages per send: their acknowledgements fit into the default receive buffer
_RECEIVE_BYTES = 1 << 17
_TIMEOUT_SECONDS = 10


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(len(value) + 4, kind) + value + b"\x00" * (-len(value) % 4)


def attributes(payload: bytes) -> dict[int, bytes]:
    """The attributes in a payload; of repeated ones the last."""
    found: dict[int, bytes] = {}
    position = 0
    while position + 4 <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, position)
        if length < 4:
            break
        found[kind & 0x3FFF] = payload[position + 4 : position + length]
        position += (length + 3) & ~3
    return found


class NetlinkSocket:
    """A netlink socket; it belongs to the namespace of the thread that opened it.

    A context manager; not for several threads at a time.
    """

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        self._socket.bind((0, 0))
        self._sequence = 0
        if family == ROUTE:
            # Without it the kernel ignores the filters of a dump and sends everything.
            self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def execute(self, messages: Sequence[tuple[int, int, bytes]]) -> list[int]:
        """Send (kind, flags, payload) messages; the error numbers in their order, 0 for success."""
        codes: list[int] = []
        for start in range(0, len(messages), _BATCH):
            codes += self._execute_batch(messages[start : start + _BATCH])
        return codes

    def ask(self, kind: int, payload: bytes) -> bytes:
        """The payload of the one message that answers. Raises `OSError`."""
        self._send([(kind, REQUEST, payload)])
        for found, _sequence, body in self._receive():
            if found == _KIND_ERROR:
                raise _os_error(-_ERROR.unpack_from(body)[0])
            return body
        raise OSError("no answer over netlink")

    def dump(self, kind: int, payload: bytes) -> Iterator[bytes]:
        """The payloads of all messages of a dump. Raises `OSError`."""
        self._send([(kind, REQUEST | DUMP, payload)])
        while True:
            for found, _sequence, body in self._receive():
                if found == _KIND_DONE:
                    return
                if found == _KIND_ERROR:
                    raise _os_error(-_ERROR.unpack_from(body)[0])
                yield body

    def _execute_batch(self, messages: Sequence[tuple[int, int, bytes]]) -> list[int]:
        first = self._send(
            [(kind, flags | REQUEST | ACKNOWLEDGE, payload) for kind, flags, payload in messages]
        )
        codes: dict[int, int] = {}
        while len(codes) < len(messages):
            for found, sequence, body in self._receive():
                if found == _KIND_ERROR:
                    codes[sequence - first] = -_ERROR.unpack_from(body)[0]
        return [codes[number] for number in range(len(messages))]

    def _send(self, messages: Sequence[tuple[int, int, bytes]]) -> int:
        first = self._sequence + 1
        packed = bytearray()
        for kind, flags, payload in messages:
            self._sequence += 1
            size = _HEADER.size + len(payload)
            packed += _HEADER.pack(size, kind, flags, self._sequence, 0) + payload
            packed += b"\x00" * (-size % 4)
        self._socket.send(packed)
        return first

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        received = self._socket.recv(_RECEIVE_BYTES)
        position = 0
        while position + _HEADER.size <= len(received):
            size, kind, _flags, sequence, _port = _HEADER.unpack_from(received, position)
            if size < _HEADER.size:
                return
            yield kind, sequence, received[position + _HEADER.size : position + size]
            position += (size + 3) & ~3


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
