"""One connection on which the other side calls us: gRPC over HTTP/2.

The one module that uses the library h2, which knows HTTP/2's frames and rules and no socket. It
costs 30 ms to import, so this module is imported where a build begins, and nowhere else. gRPC
itself is little: a message is five bytes of head and its content, a call is a stream, its outcome
is in the trailers. The official library of gRPC can only serve connections that it accepts itself.

One thread reads, writes and speaks to h2, as neither h2 nor TLS may be used by two at once. Every
call has a thread of its own, because a helper program for credentials may ask the user something.
"""

import queue
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import IntEnum
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from stackctl.errors import StackctlError

_HEAD_BYTES = 5
_PIECE_BYTES = 64 * 1024
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_BACKLOG_BYTES_MAX = 4 * 1024 * 1024
_SEND_TIMEOUT_SECONDS = 60.0
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError)
_RESPONSE_HEAD = ((":status", "200"), ("content-type", "application/grpc"))


class Status(IntEnum):
    """How a call ended; the numbers are gRPC's."""

    OK = 0
    UNKNOWN = 2
    NOT_FOUND = 5
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAUTHENTICATED = 16


class CallRefused(Exception):
    """What a handler raises to end its call with a status other than OK."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


class Call:
    """One call: messages come and go until the handler returns. Used by the handler's thread."""

    def __init__(self, metadata: Mapping[str, str], send: Callable[[bytes], None]) -> None:
        self.metadata = metadata
        self.send = send
        self._incoming = queue.SimpleQueue[bytes | None]()
        self._pending = bytearray()
        self.is_heard = False  # to its end

    def receive(self) -> bytes | None:
        """The next message; None when there will be none. Waits without a limit."""
        message = self._incoming.get()
        if message is None:
            self._incoming.put(None)  # whoever asks again is not to wait
        return message

    def messages(self) -> Iterator[bytes]:
        """All messages as they come."""
        return iter(self.receive, None)

    def feed(self, content: bytes) -> None:
        """Bytes of the stream, from the connection's thread. Raises ValueError."""
        self._pending += content
        while len(self._pending) >= _HEAD_BYTES:
            length = int.from_bytes(self._pending[1:_HEAD_BYTES], "big")
            if self._pending[0] or length > _MESSAGE_BYTES_MAX:
                raise ValueError("a message that is compressed or too long")
            end = _HEAD_BYTES + length
            if len(self._pending) < end:
                return
            self._incoming.put(bytes(self._pending[_HEAD_BYTES:end]))
            del self._pending[:end]

    def finish(self) -> None:
        """No message will come any more."""
        self.is_heard = True
        self._incoming.put(None)


Handler = Callable[[Call], None]


class _Outgoing:
    """What a stream has still to send: bytes, then how the call ended."""

    def __init__(self) -> None:
        self.has_begun = False
        self.content = bytearray()
        self.trailers: tuple[tuple[str, str], ...] | None = None


class GrpcConnection:
    """Serves the methods to whoever calls on a connection, until one of both sides ends it."""

    def __init__(
        self, connection: socket.socket, methods: Mapping[str, Handler], *, received: bytes = b""
    ) -> None:
        """`methods` are handlers by their paths; `received` was read from the connection before."""
        self._connection = connection
        self._methods = methods
        self._received = received
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._calls: dict[int, Call] = {}
        self._outgoing: dict[int, _Outgoing] = {}
        self._asked = queue.SimpleQueue[tuple[int, bytes, tuple[Status, str] | None]]()
        self._backlog = 0  # bytes that have still to be sent
        self._room = threading.Condition()
        self._awake, self._alarm = socket.socketpair()
        self._alarm.setblocking(False)
        self._is_closing = False  # we end it
        self._is_over = False  # the other side ends it
        self._has_ended = False
        self._thread = threading.Thread(target=self._serve, name="buildkit session", daemon=True)

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """End the connection, and wait until nothing is served any more."""
        self._is_closing = True
        self._ring()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._http.initiate_connection()
            self._take(self._received)
            with selectors.DefaultSelector() as ready:
                ready.register(self._connection, selectors.EVENT_READ)
                ready.register(self._awake, selectors.EVENT_READ)
                while not (self._is_closing or self._is_over):
                    self._send_what_is_asked()
                    ready.select()
                    self._drain_alarm()
                    self._take(self._read())
        except (OSError, EOFError, ProtocolError, ValueError):
            pass  # the other side is gone, or speaks something else; the build says what it lacked
        finally:
            self._end()

    def _end(self) -> None:
        for call in self._calls.values():
            call.finish()
        with self._room:
            self._has_ended = True
            self._room.notify_all()
        with suppress(OSError, ProtocolError):
            if self._is_closing:
                self._http.close_connection()
                self._send_frames()
        with suppress(OSError):  # the other side may have gone first
            self._connection.shutdown(socket.SHUT_RDWR)
        for connection in (self._connection, self._awake, self._alarm):
            connection.close()

    def _read(self) -> bytes:
        """What has come; empty if nothing has. Raises EOFError, OSError.

        All of it: what TLS has taken from the socket, no selector sees. Windows bound it.
        """
        self._connection.settimeout(0)
        found = bytearray()
        with suppress(*_WOULD_BLOCK):
            while True:
                piece = self._connection.recv(_PIECE_BYTES)
                if not piece:
                    raise EOFError
                found += piece
        return bytes(found)

    def _take(self, content: bytes) -> None:
        for event in self._http.receive_data(content) if content else ():
            self._note(event)
        self._send_frames()

    def _note(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            metadata: dict[str, str] = {}
            for name, value in event.headers:
                known = f"{metadata[str(name)]}, " if str(name) in metadata else ""
                metadata[str(name)] = f"{known}{value!s}"
            self._begin(event.stream_id, metadata)
        elif isinstance(event, DataReceived):
            self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if call := self._calls.get(event.stream_id):
                call.feed(event.data)
        elif isinstance(event, StreamEnded):
            if call := self._calls.get(event.stream_id):
                call.finish()
        elif isinstance(event, StreamReset):
            self._forget(event.stream_id)
        elif isinstance(event, ConnectionTerminated):
            self._is_over = True

    def _begin(self, stream: int, metadata: dict[str, str]) -> None:
        call = Call(metadata, lambda content: self._ask(stream, content))
        self._calls[stream] = call
        self._outgoing[stream] = _Outgoing()
        threading.Thread(target=self._answer, args=(stream, call), daemon=True).start()

    def _answer(self, stream: int, call: Call) -> None:
        ended = (Status.OK, "")
        try:
            self._methods.get(call.metadata.get(":path", ""), _refuse)(call)
        except CallRefused as refused:
            ended = (refused.status, str(refused))
        except StackctlError as error:
            ended = (Status.UNKNOWN, error.message)
        except Exception as error:  # noqa: BLE001 - the top of a thread: the caller waits for an end
            ended = (Status.INTERNAL, f"{type(error).__name__}: {error}")
        self._asked.put((stream, b"", ended))
        self._ring()

    def _ask(self, stream: int, content: bytes) -> None:
        """Waits while the other side is slow. What is sent to one that is gone goes nowhere."""
        message = b"\0" + len(content).to_bytes(4, "big") + content
        with self._room:
            self._room.wait_for(lambda: self._has_ended or self._backlog < _BACKLOG_BYTES_MAX)
            self._backlog += len(message)
        self._asked.put((stream, message, None))
        self._ring()

    def _no_longer_behind(self, size: int) -> None:
        with self._room:
            self._backlog -= size
            self._room.notify_all()

    def _ring(self) -> None:
        with suppress(OSError):  # full: it rings already; closed: nobody listens
            self._alarm.send(b"\0")

    def _drain_alarm(self) -> None:
        self._awake.settimeout(0)
        with suppress(BlockingIOError):
            self._awake.recv(_PIECE_BYTES)

    def _send_what_is_asked(self) -> None:
        while not self._asked.empty():
            stream, content, ended = self._asked.get()
            if outgoing := self._outgoing.get(stream):
                outgoing.content += content
                outgoing.trailers = _trailers(*ended) if ended else None
            else:
                self._no_longer_behind(len(content))
        for stream, outgoing in list(self._outgoing.items()):
            self._send_stream(stream, outgoing)
        self._send_frames()

    def _send_stream(self, stream: int, outgoing: _Outgoing) -> None:
        """As much as the other side has room for."""
        # Not as soon as a call comes: it may be given up in the same breath.
        if not outgoing.has_begun and (outgoing.content or outgoing.trailers):
            outgoing.has_begun = True
            self._http.send_headers(stream, _RESPONSE_HEAD)
        while outgoing.content:
            room = self._http.local_flow_control_window(stream)
            size = min(room, self._http.max_outbound_frame_size, len(outgoing.content))
            if size <= 0:
                return
            self._http.send_data(stream, bytes(outgoing.content[:size]))
            del outgoing.content[:size]
            self._no_longer_behind(size)
        if outgoing.trailers is not None:
            self._http.send_headers(stream, outgoing.trailers, end_stream=True)
            if self._is_half_open(stream):
                # The caller has not ended its side, and nobody reads it any more.
                self._http.reset_stream(stream, ErrorCodes.NO_ERROR)
            self._forget(stream)

    def _is_half_open(self, stream: int) -> bool:
        call = self._calls.get(stream)
        return call is not None and not call.is_heard

    def _forget(self, stream: int) -> None:
        if outgoing := self._outgoing.pop(stream, None):
            self._no_longer_behind(len(outgoing.content))
        if call := self._calls.pop(stream, None):
            call.finish()

    def _send_frames(self) -> None:
        if content := self._http.data_to_send():
            self._connection.settimeout(_SEND_TIMEOUT_SECONDS)
            self._connection.sendall(content)


def _refuse(call: Call) -> None:
    raise CallRefused(Status.UNIMPLEMENTED, f"{call.metadata.get(':path')} is not served here")


def _trailers(status: Status, message: str) -> tuple[tuple[str, str], ...]:
    found = [("grpc-status", str(int(status)))]
    if message:
        found.append(("grpc-message", quote(message, safe=" /:,.'()=")))
    return tuple(found)
