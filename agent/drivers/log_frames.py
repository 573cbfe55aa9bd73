"""The engine's log streams taken apart.

Without a terminal, the stream is a row of frames: one byte source, three zero, four bytes length,
then one log entry. With a terminal there are only bytes, and an entry is a line. Memory is bounded
in both: a line or frame longer than `PIECE_BYTES_MAX` comes in pieces.
"""

from collections.abc import Callable, Iterator

HEADER_BYTES = 8
PIECE_BYTES_MAX = 32 * 1024
_SOURCES = {0: "stdout", 1: "stdout", 2: "stderr", 3: "stderr"}

Read = Callable[[int], bytes]


def frames(read: Read) -> Iterator[tuple[str, bytes]]:
    """(source, entry) from a multiplexed stream; `read(n)` gives n bytes, fewer only at the end."""
    while True:
        header = read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return
        source = _SOURCES.get(header[0], "stdout")
        left = int.from_bytes(header[4:], "big")
        while left:
            piece = read(min(left, PIECE_BYTES_MAX))
            if not piece:
                return
            left -= len(piece)
            yield source, piece


def terminal_lines(read: Read) -> Iterator[tuple[str, bytes]]:
    """("stdout", line) from a terminal's stream; `read(n)` gives up to n bytes, none at the end."""
    held = b""
    while True:
        chunk = read(PIECE_BYTES_MAX)
        *lines, held = (held + chunk).split(b"\n")
        yield from (("stdout", line) for line in lines)
        if not chunk or len(held) > PIECE_BYTES_MAX:
            if held:
                yield "stdout", held
            held = b""
        if not chunk:
            return
