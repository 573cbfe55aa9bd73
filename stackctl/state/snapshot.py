"""Snapshots: the whole state as a sequence of small chunks, and back.

Each chunk is one msgpack array of up to `CHUNK_OBJECTS` objects of one kind behind its kind's name,
so that encoding 100,000 tasks never holds the interpreter for long. Indexes are rebuilt, not
stored.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec

from stackctl.model import objects
from stackctl.state.cluster import ClusterState, Draft

FORMAT_VERSION = 1
CHUNK_OBJECTS = 500

T = TypeVar("T")


class DamagedSnapshot(ValueError):
    """Chunks that do not make a state of this format."""


class _Header(msgspec.Struct, frozen=True):
    format_version: int
    index: int
    term: int
    cluster: objects.Cluster | None
    config_ids: dict[str, str]
    secret_ids: dict[str, str] = {}


class _Chunk(msgspec.Struct, frozen=True):
    kind: str
    objects: msgspec.Raw


_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "nodes": msgspec.msgpack.Decoder(list[objects.Node]),
    "stacks": msgspec.msgpack.Decoder(list[objects.Stack]),
    "networks": msgspec.msgpack.Decoder(list[objects.Network]),
    "configs": msgspec.msgpack.Decoder(list[objects.Config]),
    "secrets": msgspec.msgpack.Decoder(list[objects.Secret]),
    "services": msgspec.msgpack.Decoder(list[objects.Service]),
    "tasks": msgspec.msgpack.Decoder(list[objects.Task]),
}


def encode_state(state: ClusterState) -> Iterator[bytes]:
    """The chunks of a state, header first."""
    encode = msgspec.msgpack.Encoder().encode
    yield encode(
        _Header(
            FORMAT_VERSION,
            state.index,
            state.term,
            state.cluster,
            dict(state.config_ids),
            dict(state.secret_ids),
        )
    )
    for kind in _DECODERS:
        for part in _parts(getattr(state, kind).values()):
            yield encode(_Chunk(kind, msgspec.Raw(encode(part))))


def decode_state(chunks: Iterable[bytes]) -> ClusterState:
    """The state in those chunks. Raises DamagedSnapshot."""
    remaining = iter(chunks)
    try:
        header = msgspec.msgpack.decode(next(remaining), type=_Header)
        if header.format_version != FORMAT_VERSION:
            raise DamagedSnapshot(f"snapshot of format {header.format_version}")
        loaded: dict[str, list[object]] = {kind: [] for kind in _DECODERS}
        for chunk in remaining:
            part = msgspec.msgpack.decode(chunk, type=_Chunk)
            loaded[part.kind].extend(_DECODERS[part.kind].decode(part.objects))
    except StopIteration as error:
        raise DamagedSnapshot("snapshot without a header") from error
    except (
        msgspec.DecodeError,
        msgspec.ValidationError,
        UnicodeDecodeError,
        RecursionError,
        KeyError,
    ) as error:
        raise DamagedSnapshot(str(error)) from error
    return _rebuild(header, loaded)


def _rebuild(header: _Header, loaded: dict[str, list[object]]) -> ClusterState:
    draft = Draft(ClusterState(), index=header.index, term=header.term)
    draft.cluster = header.cluster
    for values in loaded.values():
        for value in values:
            _put(draft, value, header)
    draft.index = header.index
    return draft.finish()


def _put(draft: Draft, value: object, header: _Header) -> None:
    """Puts a loaded object with the version that it had, not with the index of the snapshot."""
    draft.index = value.version  # type: ignore[attr-defined]  # every kind of _DECODERS has one
    match value:
        case objects.Node():
            draft.put_node(value)
        case objects.Stack():
            draft.put_stack(value)
        case objects.Network():
            draft.put_network(value)
        case objects.Config():
            is_current = header.config_ids.get(value.name) == value.id
            draft.put_config(value, is_current=is_current)
        case objects.Secret():
            is_current = header.secret_ids.get(value.name) == value.id
            draft.put_secret(value, is_current=is_current)
        case objects.Service():
            draft.put_service(value)
        case objects.Task():
            draft.put_task(value)


def _parts(values: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(values)
    while part := list(islice(remaining, CHUNK_OBJECTS)):
        yield part
