"""Who calls on a session of a build, as BuildKit does: a client of gRPC on one end of a socket."""

import socket
from collections.abc import Sequence
from typing import NamedTuple

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded, StreamReset, TrailersReceived

TIMEOUT_SECONDS = 5


class Outcome(NamedTuple):
    """What came of a call."""

    status: int
    message: str
    answers: tuple[bytes, ...]


class GrpcCaller:
    """Calls one method after the other."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT_SECONDS)
        self._connection = connection
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()
        self._received: dict[int, bytearray] = {}
        self._trailers: dict[int, dict[str, str]] = {}
        self._ended: set[int] = set()
        self._flush()

    def call(
        self, path: str, messages: Sequence[bytes] = (b"",), metadata: dict[str, str] | None = None
    ) -> Outcome:
        """Send all messages, and wait for the end."""
        stream = self.begin(path, metadata)
        for message in messages:
            self.send(stream, message)
        self.end(stream)
        return self.outcome(stream)

    def begin(self, path: str, metadata: dict[str, str] | None = None) -> int:
        """Begin a call whose messages follow."""
        stream = self._http.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", path)]
        headers += [(":authority", "localhost"), ("te", "trailers")]
        self._http.send_headers(stream, [*headers, *(metadata or {}).items()])
        self._received[stream] = bytearray()
        self._flush()
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Send one message, in small pieces."""
        content = b"\0" + len(message).to_bytes(4, "big") + message
        while content:
            while not (room := self._http.local_flow_control_window(stream)):
                self._take()
            size = min(room, 1000)
            self._http.send_data(stream, content[:size])
            content = content[size:]
            self._flush()

    def send_raw(self, stream: int, content: bytes) -> None:
        """Send bytes that need not be a message."""
        self._http.send_data(stream, content)
        self._flush()

    def end(self, stream: int) -> None:
        """No message follows."""
        self._http.end_stream(stream)
        self._flush()

    def cancel(self, stream: int) -> None:
        """Give a call up."""
        self._http.reset_stream(stream)
        self._flush()

    def answer(self, stream: int) -> bytes:
        """The next answer of a call that goes on."""
        received = self._received[stream]
        while len(received) < 5 or len(received) < 5 + int.from_bytes(received[1:5], "big"):
            self._take()
        end = 5 + int.from_bytes(received[1:5], "big")
        message = bytes(received[5:end])
        del received[:end]
        return message

    def outcome(self, stream: int) -> Outcome:
        """What became of a call."""
        while stream not in self._ended:
            self._take()
        answers = []
        while self._received[stream]:
            answers.append(self.answer(stream))
        trailers = self._trailers.get(stream, {})
        return Outcome(
            int(trailers.get("grpc-status", -1)), trailers.get("grpc-message", ""), tuple(answers)
        )

    def is_hung_up(self) -> bool:
        """Whether the other side ends the connection; waits for it."""
        while content := self._connection.recv(65536):
            self._http.receive_data(content)
        return True

    def _take(self) -> None:
        content = self._connection.recv(65536)
        if not content:
            raise EOFError("the other side hung up")
        for event in self._http.receive_data(content):
            if isinstance(event, DataReceived):
                self._received[event.stream_id] += event.data
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, TrailersReceived):
                self._trailers[event.stream_id] = {
                    str(name): str(value) for name, value in event.headers
                }
            elif isinstance(event, StreamEnded | StreamReset):
                self._ended.add(event.stream_id)
        self._flush()

    def _flush(self) -> None:
        self._connection.sendall(self._http.data_to_send())
