"""HTTP/1.1 over a unix socket or TLS: one request, one connection, one answer.

How messages look is `stackctl.wire.http_message`'s matter. A connection per request is cheap on a
unix socket and keeps failover simple: the next request may go to another manager.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from stackctl.errors import InputError
from stackctl.wire import http_message

if TYPE_CHECKING:
    import ssl

DEFAULT_PORT = 2477
CONNECT_TIMEOUT_SECONDS = 3.0

_MANAGER_UNIT = ("organizationalUnitName", "stackctl-manager")


class TransportFailure(Exception):
    """An endpoint could not be asked, or gave no whole answer; `reason` is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotConnected(TransportFailure):
    """Nothing was sent: asking another endpoint is always safe."""


class NoAnswer(TransportFailure):
    """The request was sent; whether it was carried out is not known."""


class Endpoint(NamedTuple):
    """Where a manager listens: the path of a unix socket, or an address for TLS."""

    path: str = ""
    host: str = ""
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        if self.path:
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


class Request(NamedTuple):
    """One request; `timeout_seconds` bounds each wait for bytes of the answer.

    `answer_after_seconds` is how long the manager is asked to take (a long poll). A `body` in
    pieces is sent as it comes, and once only.
    """

    method: str
    target: str
    body: bytes | Iterable[bytes] = b""
    timeout_seconds: float = 15.0
    answer_after_seconds: float = 0.0


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint in `unix:///path`, `/path`, `https://host:port` or `host:port`.

    Raises InputError.
    """
    form = "write unix:///path/of/manager.sock or https://ADDRESS:PORT"
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = ("unix" if text.startswith("/") else "https"), text
    if scheme == "unix" and rest.startswith("/"):
        return Endpoint(path=rest)
    if scheme not in {"https", "tcp"}:
        raise InputError(f"{text!r} is not an endpoint", hint=form)
    host, port = _split_address(rest.rstrip("/"))
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(f"{text!r} is not an endpoint", hint=form)
    return Endpoint(host=host, port=int(port))


def _split_address(text: str) -> tuple[str, str]:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":") or str(DEFAULT_PORT)
    host, _, port = text.partition(":")
    return host, port or str(DEFAULT_PORT)


def client_tls(folder: Path) -> "ssl.SSLContext":
    """TLS as the node (or person) whose `ca.pem`, `node.pem` and `node.key` lie in `folder`.

    The server's chain must end in that authority and be a manager's (see `send`); its address is
    not checked, because managers may move. Raises InputError.
    """
    import ssl  # noqa: PLC0415 - costs 25 ms, and most commands talk to a unix socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    try:
        context.load_verify_locations(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(str(folder / "node.pem"), str(folder / "node.key"))
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"the identity in {folder} cannot be used: {error}",
            hint="--identity names a folder with ca.pem, node.pem and node.key",
        ) from error
    return context


class Answer:
    """An answer whose head has been read; the rest is read on demand, and must be closed."""

    def __init__(self, connection: socket.socket, stream: BinaryIO) -> None:
        self._connection = connection
        self._stream = stream
        self.status, self._headers = http_message.read_head(stream)
        self._body: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; a stream of lines ends too."""
        self._stream.close()
        self._connection.close()

    def wait_up_to(self, seconds: float) -> None:
        """How long to wait for each further part of the body."""
        self._connection.settimeout(seconds)

    def read(self) -> bytes:
        """The whole body, as often as wanted. Raises NoAnswer when it ends too early."""
        if self._body is None:
            with self:
                self._body = b"".join(self._pieces())
        return self._body

    def lines(self) -> Iterator[bytes]:
        """The body line by line, as it arrives, without line ends. Raises NoAnswer."""
        rest = b""
        for piece in self._pieces():
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def _pieces(self) -> Iterator[bytes]:
        with _translated():
            yield from http_message.body_pieces(self._headers, self._stream)


@contextmanager
def _translated() -> Iterator[None]:
    """Faults of the connection, and of what comes through it, as NoAnswer."""
    try:
        yield
    except OSError as error:
        raise NoAnswer(_reason(error)) from error
    except (http_message.BrokenOff, http_message.NotHttp) as error:
        raise NoAnswer(str(error)) from error


def send(endpoint: Endpoint, request: Request, tls: "ssl.SSLContext | None" = None) -> Answer:
    """Send a request and read the head of the answer.

    Raises NotConnected when nothing was sent, NoAnswer when the answer did not come.
    """
    connection = _connect(endpoint, tls)
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
    if isinstance(body, bytes):
        connection.sendall(_head(endpoint, request) + body)
        return
    connection.sendall(_head(endpoint, request))
    http_message.send_chunks(connection, body)


def _connect(endpoint: Endpoint, tls: "ssl.SSLContext | None") -> socket.socket:
    try:
        if endpoint.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(CONNECT_TIMEOUT_SECONDS)
                connection.connect(endpoint.path)
            except BaseException:
                connection.close()
                raise
            return connection
        if tls is None:
            raise NotConnected("needs an identity: --identity FOLDER or STACKCTL_IDENTITY")
        address = (endpoint.host, endpoint.port)
        plain = socket.create_connection(address, timeout=CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        raise NotConnected(_reason(error)) from error
    return _encrypt(plain, tls)


def _encrypt(plain: socket.socket, tls: "ssl.SSLContext") -> socket.socket:
    try:
        connection = tls.wrap_socket(plain)
    except OSError as error:
        plain.close()
        raise NotConnected(f"TLS: {_reason(error)}") from error
    if not _is_manager(connection.getpeercert()):
        connection.close()
        raise NotConnected("the certificate shown is not a manager's")
    return connection


def _is_manager(certificate: object) -> bool:
    """Any node of the cluster has a certificate of its authority; only managers may be believed."""
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    return any(_MANAGER_UNIT in part for part in subject)


def _head(endpoint: Endpoint, request: Request) -> bytes:
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        f"Host: {endpoint.host or 'localhost'}",
        "Accept: application/json",
        "Connection: close",
    ]
    body = request.body
    if not isinstance(body, bytes):
        lines.append("Content-Type: application/octet-stream")
        lines.append("Transfer-Encoding: chunked")
    elif body or request.method in {"PUT", "POST", "PATCH"}:
        lines.append("Content-Type: application/json")
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    words = error.strerror or str(error)
    return words[:1].lower() + words[1:]
