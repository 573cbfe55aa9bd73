"""The output of a container as the engine sends it: frames of stdout and stderr in one stream.

Without a terminal every piece has a header of eight bytes: the number of the stream, three zeros,
and the length. With a terminal (`tty`) there is one stream and no header.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

STDIN, STDOUT, STDERR = 0, 1, 2
_HEADER_BYTES = 8


class Frame(NamedTuple):
    """A piece of output; `stream` is 1 for stdout and 2 for stderr."""

    stream: int
    content: bytes


def frames(pieces: Iterable[bytes], *, tty: bool) -> Iterator[Frame]:
    """The pieces of a body as frames, in the order in which they were written."""
    if tty:
        for piece in pieces:
            yield Frame(STDOUT, piece)
        return
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= _HEADER_BYTES:
            length = int.from_bytes(pending[4:_HEADER_BYTES], "big")
            end = _HEADER_BYTES + length
            if len(pending) < end:
                break
            content = bytes(pending[_HEADER_BYTES:end])
            stream = pending[0]
            del pending[:end]
            yield Frame(stream, content)
