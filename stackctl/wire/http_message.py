"""HTTP/1.1 as the engine and managers speak it to one request per connection.

Own code because importing the standard library's client costs 25 ms, and short commands have 100 to
200 ms as a whole; read are a length, chunks, or everything until the end, and nothing else. Who
asks is somebody else's matter: faults of the connection come as they are (OSError).
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

PIECE_BYTES = 64 * 1024
LINE_BYTES_MAX = 64 * 1024
HEADERS_MAX = 100


class BrokenOff(Exception):
    """The other side spoke HTTP, and ended in the middle or before."""


class NotHttp(Exception):
    """What came is no answer in HTTP; the text says what was seen."""


def send_chunks(connection: socket.socket, pieces: Iterable[bytes]) -> None:
    """A body as it comes. When the other side refuses in the middle, its answer says why."""
    for piece in pieces:
        try:
            if piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        except (BrokenPipeError, ConnectionResetError):
            return
    connection.sendall(b"0\r\n\r\n")


def read_head(stream: BinaryIO) -> tuple[int, dict[str, str]]:
    """Status and headers, by names in small letters. Raises BrokenOff, NotHttp, OSError."""
    first = _line(stream).decode("latin-1")
    if not first:
        raise BrokenOff("the connection ended without an answer")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not code.isdigit():
        raise NotHttp("not HTTP")
    headers: dict[str, str] = {}
    while line := _line(stream):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
        if len(headers) > HEADERS_MAX:
            raise NotHttp("too many headers")
    return int(code), headers


def body_pieces(headers: Mapping[str, str], stream: BinaryIO) -> Iterator[bytes]:
    """The body as it arrives. Raises BrokenOff, NotHttp, OSError."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        yield from _chunks(stream)
        return
    length = headers.get("content-length")
    if length is not None:
        yield from _exactly(stream, _number(length, 10))
        return
    while piece := _receive(stream, PIECE_BYTES):
        yield piece


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := _number(_line(stream).partition(b";")[0].decode("latin-1"), 16):
        yield from _exactly(stream, size)
        _line(stream)
    while _line(stream):
        pass


def _exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = _receive(stream, min(size, PIECE_BYTES))
        if not piece:
            raise BrokenOff("the connection ended in the middle of the answer")
        size -= len(piece)
        yield piece


def _receive(stream: BinaryIO, size: int) -> bytes:
    # A raw read: `read` would wait for all of `size`, and a followed log would stand still.
    return stream.read1(size)  # type: ignore[attr-defined, no-any-return]  # BufferedReader has it, BinaryIO does not say so


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(LINE_BYTES_MAX)
    if line.endswith(b"\n"):
        return line.rstrip(b"\r\n")
    if line:
        raise BrokenOff("the connection ended in the middle of a line")
    return b""


def _number(text: str, base: int) -> int:
    if not text.strip():
        raise BrokenOff("the connection ended in the middle of the answer")
    try:
        return int(text.strip(), base)
    except ValueError:
        raise NotHttp(f"not HTTP: {text[:20]!r} is no length") from None
