"""Results: what the proposer of a command gets back, on whichever manager it asked."""

import msgspec

from stackctl.wire import api


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of applying one entry; `error` None means that it was accepted."""

    index: int
    error: api.ErrorBody | None = None
    revision: int = 0  # of the stack, for PutStack
    changes: tuple[api.Change, ...] = ()


class Rejection(Exception):
    """Raised while a command is applied: nothing of it takes effect."""

    def __init__(self, kind: str, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.error = api.ErrorBody(kind=kind, message=message, hint=hint, exit_code=exit_code)


def conflict(message: str, *, hint: str = "") -> Rejection:
    """A rejection because of what the cluster already has."""
    return Rejection("conflict", message, hint=hint)


def unknown(kind: str, name: str) -> Rejection:
    """A rejection because nothing has that name or id."""
    return Rejection("unknown-name", f"no such {kind}: {name}", exit_code=2)


def encode_result(result: Result) -> bytes:
    """The bytes a proposer gets."""
    return msgspec.msgpack.encode(result)


def decode_result(data: bytes) -> Result:
    """The result in those bytes."""
    return msgspec.msgpack.decode(data, type=Result)
