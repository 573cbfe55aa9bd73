"""What members say to each other: the allow-list, typed, and nothing else is ever decoded.

The Raft core speaks in dicts with a `type`; its five kinds are here under its own field names (as
encoded), so that a dict of it can be sent as it is and a received message turned back into one. The
others are ours:

    pre_vote, pre_vote_granted   ask before an election whether it could succeed, so that a member
                                 that was away does not depose a healthy leader when it returns
    stale_term                   the answer to an old term; the core ignores old terms in silence
    snapshot_piece               a piece of a snapshot file, for who is too far behind the log
    propose                      commands of a follower's callers, for the leader to append
    change, change_answer        a membership change, and why the leader did not begin it
    removed                      the last word to a member that no longer is one
"""

from typing import Annotated, Any, Literal

import msgspec

PROTOCOL_VERSION = 1
# A batch of entries is at most 4 MiB plus one entry of 1 MiB; the rest is room for the headers.
FRAME_BYTES_MAX = 8 << 20

Index = Annotated[int, msgspec.Meta(ge=0)]
_Entry = tuple[bytes, Index, Index]


class _Message(msgspec.Struct, frozen=True, tag_field="type", gc=False):
    pass


class Hello(_Message, frozen=True, tag="hello"):
    """The first frame in both directions, after the certificates were checked."""

    protocol: int


class Ping(_Message, frozen=True, tag="ping"):
    """Sent on a silent link, so that a dead peer is noticed."""


class AppendEntries(_Message, frozen=True, tag="append_entries"):
    """The leader's log after `previous_index`; without entries, its heartbeat."""

    term: Index
    commit_index: Index
    previous_index: Index = msgspec.field(name="prevLogIdx")
    previous_term: Index = msgspec.field(name="prevLogTerm")
    entries: list[_Entry] = []


class Acknowledgement(_Message, frozen=True, tag="next_node_idx"):
    """A follower's answer: everything before `next_index` is durable there, or the log differs."""

    next_index: Index = msgspec.field(name="next_node_idx")
    reset: bool
    success: bool


class RequestVote(_Message, frozen=True, tag="request_vote"):
    """A candidate's question, with the end of its log."""

    term: Index
    last_log_index: Index
    last_log_term: Index


class ResponseVote(_Message, frozen=True, tag="response_vote"):
    """A granted vote, durable at the voter."""

    term: Index


class TimeoutNow(_Message, frozen=True, tag="timeout_now"):
    """The leader asks its successor to stand for election at once."""

    term: Index


class PreVote(_Message, frozen=True, tag="pre_vote"):
    """Would you vote for me in `term`?"""

    term: Index
    last_log_index: Index
    last_log_term: Index


class PreVoteGranted(_Message, frozen=True, tag="pre_vote_granted"):
    """Yes, I would; nothing is promised."""

    term: Index


class StaleTerm(_Message, frozen=True, tag="stale_term"):
    """Your term is old; mine is this."""

    term: Index


class SnapshotPiece(_Message, frozen=True, tag="snapshot_piece"):
    """`data` of the snapshot file at `offset`; also a heartbeat."""

    term: Index
    snapshot_index: Index
    offset: Index
    data: bytes
    is_last: bool


class Propose(_Message, frozen=True, tag="propose"):
    """Sealed entries that a follower's callers wait for."""

    commands: list[bytes]


class Change(_Message, frozen=True, tag="change"):
    """One membership change; the leader answers only when it refuses or it is so already."""

    key: str
    operation: Literal["add", "remove"]
    node_id: str
    address: str
    timeout_seconds: float


class ChangeAnswer(_Message, frozen=True, tag="change_answer"):
    """`done`: it was so already. Otherwise why not, in words for a person."""

    key: str
    status: Literal["done", "conflict", "unavailable"]
    reason: str = ""
    hint: str = ""


class Removed(_Message, frozen=True, tag="removed"):
    """You are no longer a member: the entry that removed you is committed."""

    index: Index


Message = (
    Hello
    | Ping
    | AppendEntries
    | Acknowledgement
    | RequestVote
    | ResponseVote
    | TimeoutNow
    | PreVote
    | PreVoteGranted
    | StaleTerm
    | SnapshotPiece
    | Propose
    | Change
    | ChangeAnswer
    | Removed
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)

# What the Raft core itself understands.
CORE_KINDS = (AppendEntries, Acknowledgement, RequestVote, ResponseVote, TimeoutNow)


def encode(message: Message | dict[str, Any]) -> bytes:
    """The bytes of a message of ours, or of a dict of the Raft core."""
    return _encoder.encode(message)


class Undecodable(ValueError):
    """Bytes that are no message of ours; the text says why."""


def decode(frame: bytes | memoryview) -> Message:
    """A message. Raises Undecodable for everything that is not on the list."""
    try:
        return _decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Undecodable(str(error)) from error


def to_core(message: Message) -> dict[str, Any]:
    """The Raft core's dict for one of its own kinds."""
    kind = type(message)
    content = {name: getattr(message, field) for field, name in _core_fields[kind]}
    content["type"] = _core_types[kind]
    return content


_core_fields: dict[type, list[tuple[str, str]]] = {
    kind: [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]
    for kind in CORE_KINDS
}
_core_types: dict[type, Any] = {kind: kind.__struct_config__.tag for kind in CORE_KINDS}
