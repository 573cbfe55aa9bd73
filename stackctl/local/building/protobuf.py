"""The wire form of protocol buffers, as far as BuildKit's messages need it.

Pure. A message is a list of fields, each with its number and either a whole number or bytes; what
the numbers mean stands beside those who use them. Own code because the messages are ten, with two
or three fields of interest each, whereas the official library brings a compiler's output for the
whole of BuildKit's definitions, 300 KiB of import, and a version that must fit that output.
"""

from collections.abc import Iterator

Field = int | bytes

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED_64: 8, _FIXED_32: 4}
_VARINT_BYTES_MAX = 10


class Message:
    """A message that was read. A field that is missing is 0 or empty, as the format says."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for what is no message."""
        self._fields: dict[int, list[Field]] = {}
        for number, value in _fields(content):
            self._fields.setdefault(number, []).append(value)

    def number(self, field: int) -> int:
        """The last value of a field of a whole number."""
        value = self._last(field)
        return value if isinstance(value, int) else 0

    def content(self, field: int) -> bytes:
        """The last value of a field of bytes."""
        value = self._last(field)
        return value if isinstance(value, bytes) else b""

    def text(self, field: int) -> str:
        """The last value of a field of text."""
        return self.content(field).decode("utf-8", "replace")

    def messages(self, field: int) -> "list[Message]":
        """All values of a field of messages. Raises ValueError."""
        return [Message(it) for it in self._fields.get(field, ()) if isinstance(it, bytes)]

    def __contains__(self, field: int) -> bool:
        return field in self._fields

    def _last(self, field: int) -> Field | None:
        values = self._fields.get(field)
        return values[-1] if values else None


def encode(*fields: tuple[int, int | str | bytes]) -> bytes:
    """A message of fields with their numbers; a message within one is given as its bytes."""
    found = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            found += _varint(number << 3 | _VARINT) + _varint(value)
            continue
        content = value.encode() if isinstance(value, str) else value
        found += _varint(number << 3 | _LENGTH) + _varint(len(content)) + content
    return bytes(found)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _fields(content: bytes) -> Iterator[tuple[int, Field]]:
    position = 0
    while position < len(content):
        key, position = _read_varint(content, position)
        kind = key & 7
        if kind == _VARINT:
            number, position = _read_varint(content, position)
            yield key >> 3, number
            continue
        if kind == _LENGTH:
            length, position = _read_varint(content, position)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise ValueError(f"a field of kind {kind}")
        end = position + length
        if end > len(content):
            raise ValueError("a field that is cut off")
        piece = content[position:end]
        yield key >> 3, piece if kind == _LENGTH else int.from_bytes(piece, "little")
        position = end


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(content[position : position + _VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return value, position + count + 1
    raise ValueError("a number that is cut off")
