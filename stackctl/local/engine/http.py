"""HTTP/1.1 to the engine over a unix socket, TCP or TLS: one request, one connection, one answer.

How messages look is `stackctl.wire.http_message`'s matter. A connection per request is cheap on a
unix socket, lets steps run beside each other without a pool, and may be taken over (`take_over`),
as attaching to a container wants.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from stackctl.local.engine.endpoint import Endpoint
from stackctl.local.failures import EngineUnavailable
from stackctl.wire import http_message

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT_SECONDS = 10.0
ANSWER_TIMEOUT_SECONDS = 60.0


class Request(NamedTuple):
    """One request; `timeout_seconds` bounds each wait for bytes of the answer, None is for ever.

    A `body` in pieces is sent as it comes. `upgrades` asks for the connection itself, to speak
    `protocol` on it. A header with several values is sent once for each.
    """

    method: str
    target: str
    body: bytes | Iterable[bytes] | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str | Sequence[str]] = {}
    timeout_seconds: float | None = ANSWER_TIMEOUT_SECONDS
    upgrades: bool = False
    protocol: str = "tcp"


class Answer:
    """An answer whose head has been read; the body is read on demand, and must be closed."""

    def __init__(self, connection: socket.socket, stream: BinaryIO) -> None:
        self._connection = connection
        self._stream = stream
        self.status, self.headers = http_message.read_head(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        # The descriptor lives as long as the stream. `close` leaves it to whoever reads from it.
        self._stream.close()

    def close(self) -> None:
        """End the connection, from any thread; whoever reads sees the end."""
        with suppress(OSError):  # the engine may have gone first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def read(self) -> bytes:
        """The whole body. Raises EngineUnavailable when it ends too early."""
        with self:
            return b"".join(self.pieces())

    def lines(self) -> Iterator[bytes]:
        """The body line by line, as it arrives, without line ends."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives."""
        if self.status in (204, 304):
            return
        with _translated():
            yield from http_message.body_pieces(self.headers, self._stream)

    def take_over(self) -> tuple[socket.socket, BinaryIO]:
        """The connection to write to, and the stream to read from (it may hold bytes already)."""
        return self._connection, self._stream


def send(endpoint: Endpoint, request: Request) -> Answer:
    """Send a request and read the head of the answer. Raises EngineUnavailable."""
    connection = _connect(endpoint)
    try:
        with _translated():
            connection.settimeout(request.timeout_seconds)
            _send_all(connection, endpoint, request)
            return Answer(connection, connection.makefile("rb"))
    except BaseException:
        connection.close()
        raise


def _send_all(connection: socket.socket, endpoint: Endpoint, request: Request) -> None:
    body = request.body
    if body is None or isinstance(body, bytes):
        connection.sendall(_head(endpoint, request) + (body or b""))
        return
    connection.sendall(_head(endpoint, request))
    http_message.send_chunks(connection, body)


def _connect(endpoint: Endpoint) -> socket.socket:
    try:
        if not endpoint.path:
            address = (endpoint.host, endpoint.port)
            plain = socket.create_connection(address, timeout=CONNECT_TIMEOUT_SECONDS)
            return plain if endpoint.tls is None else _encrypt(plain, endpoint)
        return _connect_unix(endpoint.path)
    except OSError as error:
        raise _unreachable(endpoint, error) from error


def _connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(CONNECT_TIMEOUT_SECONDS)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _encrypt(plain: socket.socket, endpoint: Endpoint) -> socket.socket:
    try:
        return _tls_context(endpoint).wrap_socket(plain, server_hostname=endpoint.host)
    except BaseException:
        plain.close()
        raise


def _tls_context(endpoint: Endpoint) -> "ssl.SSLContext":
    import ssl  # noqa: PLC0415 - costs 25 ms, and most commands talk to a unix socket

    folder = endpoint.tls or ""
    context = ssl.create_default_context(cafile=f"{folder}/ca.pem" if endpoint.verifies else None)
    if not endpoint.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return context


def _unreachable(endpoint: Endpoint, error: OSError) -> EngineUnavailable:
    if isinstance(error, PermissionError):
        return EngineUnavailable(
            f"permission denied on the engine's socket {endpoint}",
            hint="run as a member of the group docker: sudo usermod -aG docker $USER, "
            "then log in again",
        )
    hint = "is it running? systemctl status docker"
    if not endpoint.path or isinstance(error, FileNotFoundError):
        hint += "; DOCKER_HOST or DOCKER_CONTEXT name another engine"
    return EngineUnavailable(f"no engine answers at {endpoint}: {_reason(error)}", hint=hint)


@contextmanager
def _translated() -> Iterator[None]:
    """Faults of the connection, and of what comes through it, as EngineUnavailable."""
    try:
        yield
    except http_message.BrokenOff as error:
        raise _ended("broke off its answer") from error
    except http_message.NotHttp as error:
        raise EngineUnavailable(f"what answers is no engine: {error}") from error
    except (OSError, ValueError) as error:
        # ValueError: another thread has closed the stream that is being read.
        raise _ended(f"gave no whole answer: {_reason(error)}") from error


def _ended(how: str) -> EngineUnavailable:
    """The engine answered, and does not any more."""
    return EngineUnavailable(
        f"the engine {how}",
        hint="has it stopped? systemctl status docker; then the same command goes on from there",
    )


def _head(endpoint: Endpoint, request: Request) -> bytes:
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        f"Host: {endpoint.host or 'docker'}",
        "User-Agent: stackctl",
    ]
    if request.upgrades:
        lines += ["Connection: Upgrade", f"Upgrade: {request.protocol}"]
    else:
        lines.append("Connection: close")
    for name, given in request.headers.items():
        lines += [f"{name}: {it}" for it in ((given,) if isinstance(given, str) else given)]
    body = request.body
    if body is not None:
        lines.append(f"Content-Type: {request.content_type}")
    if isinstance(body, bytes) or (body is None and request.method == "POST"):
        lines.append(f"Content-Length: {len(body or b'')}")
    elif body is not None:
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = (error.strerror if isinstance(error, OSError) else "") or str(error)
    return words[:1].lower() + words[1:]
