"""The one place that turns wire and log structs into bytes: msgpack between programs, JSON for
people.

msgpack is about half the size of JSON and keeps bytes as bytes; the API speaks JSON.
"""

from typing import TypeVar

import msgspec

T = TypeVar("T")


class Undecodable(ValueError):
    """Bytes that do not hold what they should; the message names the path and the reason."""


# Recursion: nothing of ours nests deeply, but what arrives may.
_UNREADABLE = (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError)

_pack = msgspec.msgpack.Encoder()


def pack(value: object) -> bytes:
    """The msgpack form of a struct."""
    return _pack.encode(value)


def unpack(data: bytes, kind: type[T]) -> T:
    """The struct of `kind` in msgpack bytes. Raises Undecodable."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except _UNREADABLE as error:
        raise Undecodable(str(error)) from error


def to_json(value: object) -> bytes:
    """The JSON form of a struct (bytes fields become base 64)."""
    return msgspec.json.encode(value)


def from_json(data: bytes, kind: type[T]) -> T:
    """The struct of `kind` in JSON bytes. Raises Undecodable."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _UNREADABLE as error:
        raise Undecodable(str(error)) from error
