"""What an entry of the replicated log looks like: kind, format version, then msgpack.

    kind 0  Command     key, base index, payload      the one replicated command
    kind 1  NoOp        the Raft core writes it, one byte, at the start of a term
    kind 2  Membership  key, operation, node id, address
    kind 4  Barrier     key                           commits nothing; a reader waits for it

The kinds 0-2 are the Raft core's own numbers (it looks at the first byte), 3 is one of it that we
never use. `key` is the idempotency key. `base_index` is what the proposer had applied when it
first sent the command: every copy of it lies behind that index, which is what makes the bounded
memory of keys exact (see `replica`).
"""

from enum import IntEnum
from typing import Any, Literal

import msgspec

from stackctl.errors import StackctlError

FORMAT_VERSION = 1
KEY_CHARACTERS_MAX = 128


class Kind(IntEnum):
    """The first byte of an entry."""

    COMMAND = 0
    NO_OP = 1
    MEMBERSHIP = 2
    BARRIER = 4


class UnreadableEntry(StackctlError):
    """An entry that this version cannot read; applying anything after it would diverge."""


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One user intention or one controller round, opaque here."""

    key: str
    base_index: int
    payload: bytes


class Membership(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One member joins or leaves."""

    key: str
    operation: Literal["add", "remove"]
    node_id: str
    address: str


class Barrier(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An empty command: whoever sees it applied has seen everything before it."""

    key: str


class NoOp(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The Raft core's own entry at the start of a term."""


Content = Command | Membership | Barrier | NoOp

NO_OP_ENTRY = bytes([Kind.NO_OP])

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[int, msgspec.msgpack.Decoder[Any]] = {
    Kind.COMMAND: msgspec.msgpack.Decoder(Command),
    Kind.MEMBERSHIP: msgspec.msgpack.Decoder(Membership),
    Kind.BARRIER: msgspec.msgpack.Decoder(Barrier),
}
_kinds = {Command: Kind.COMMAND, Membership: Kind.MEMBERSHIP, Barrier: Kind.BARRIER}


def seal(content: Command | Membership | Barrier) -> bytes:
    """The bytes of an entry."""
    return bytes((_kinds[type(content)], FORMAT_VERSION)) + _encoder.encode(content)


def open_entry(entry: bytes) -> Content:
    """The content of an entry. Raises UnreadableEntry."""
    if entry == NO_OP_ENTRY:
        return NoOp()
    kind, version = (entry[0], entry[1]) if len(entry) > 1 else (-1, -1)
    if kind not in _decoders:
        raise UnreadableEntry(f"unknown kind {kind} of entry", hint=_UPGRADE)
    if version != FORMAT_VERSION:
        raise UnreadableEntry(
            f"entry of format {version}, this stackctl-manager reads {FORMAT_VERSION}",
            hint=_UPGRADE,
        )
    try:
        content: Content = _decoders[kind].decode(memoryview(entry)[2:])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableEntry(f"an entry cannot be decoded: {error}", hint=_UPGRADE) from error
    return content


def is_membership(entry: bytes) -> bool:
    """Whether the entry changes who takes part, without decoding it."""
    return entry[:1] == _MEMBERSHIP


_MEMBERSHIP = bytes([Kind.MEMBERSHIP])
_UPGRADE = "upgrade stackctl-manager on this node to the version of the other managers"
