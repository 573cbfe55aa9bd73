"""What entries mean: applied exactly once per idempotency key, in order, identically everywhere.

Terms: an *outcome* is what became of one key. The newest outcomes are remembered, as part of the
replicated state, so that a command that was sent twice is applied once and answered twice. The
memory is bounded and still exact: the *floor* is the index below which keys may be forgotten, and
a command whose base index lies below the floor *expires* unapplied, because an earlier copy of it
may have been applied and forgotten. Every copy lies behind its base index, so a command that does
not expire is either remembered or new.

Members are replicated state as well: who takes part, as of the last applied entry.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, Protocol

import msgspec

from stackctl.manager.raft import envelope

KEYS_MAX = 10_000
RESULT_BYTES_MAX = 8 << 20

_log = logging.getLogger(__name__)


class StateMachine(Protocol):
    """What is replicated. Called on the consensus thread only."""

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        """Change the state by one entry and return what its proposer gets. Total: never raises."""
        ...

    def capture(self) -> Callable[[], Iterator[bytes]]:
        """Grab the immutable state, cheaply; the returned function encodes it on another thread."""
        ...

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace the state by what the chunks of a capture hold."""
        ...


class Outcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of a key at `index`. `result` is the machine's answer, or why it failed."""

    status: Literal["applied", "failed", "expired"]
    index: int
    result: bytes = b""


class RememberedOutcome(NamedTuple):
    """One row of the replicated memory of keys."""

    key: str
    outcome: Outcome


class Capture(NamedTuple):
    """A consistent copy of everything replicated; `encode` may run on another thread."""

    members: tuple[tuple[str, str], ...]
    floor: int
    outcomes: tuple[RememberedOutcome, ...]
    encode: Callable[[], Iterator[bytes]]


class Replica:
    """The replicated state of this member. Owned by the consensus thread."""

    def __init__(self, machine: StateMachine, *, members: Mapping[str, str]) -> None:
        self._machine = machine
        self._members = dict(members)
        self._outcomes: dict[str, Outcome] = {}
        self._order: deque[str] = deque()
        self._result_bytes = 0
        self._floor = 0

    def members(self) -> dict[str, str]:
        """Node id to address, as of the last applied entry."""
        return dict(self._members)

    def outcome_of(self, key: str) -> Outcome | None:
        """The remembered outcome of a key."""
        return self._outcomes.get(key)

    def apply(self, content: envelope.Content, *, index: int, term: int) -> tuple[str, Outcome]:
        """Apply one entry; returns its key ("" where nobody waits) and its outcome."""
        match content:
            case envelope.Command():
                return content.key, self._apply_command(content, index=index, term=term)
            case envelope.Membership(operation="add"):
                self._members[content.node_id] = content.address
                return content.key, Outcome("applied", index)
            case envelope.Membership():
                self._members.pop(content.node_id, None)
                return content.key, Outcome("applied", index)
            case envelope.Barrier():
                return content.key, Outcome("applied", index)
            case envelope.NoOp():
                return "", Outcome("applied", index)

    def _apply_command(self, command: envelope.Command, *, index: int, term: int) -> Outcome:
        known = self._outcomes.get(command.key)
        if known is not None:
            return known
        if command.base_index < self._floor:
            return Outcome("expired", index)
        try:
            result = self._machine.apply(command.payload, index=index, term=term)
            outcome = Outcome("applied", index, result)
        except Exception as error:  # noqa: BLE001 - the one guard around apply: an entry that raises
            # would raise on every member and after every restart. The state is immutable, so a
            # failed apply has changed nothing, here and everywhere.
            _log.exception("entry %d (key %s) could not be applied", index, command.key)
            # The type only: outcomes must be equal on all members, and messages hold addresses.
            outcome = Outcome("failed", index, type(error).__name__.encode())
        self._remember(command.key, outcome)
        return outcome

    def _remember(self, key: str, outcome: Outcome) -> None:
        self._outcomes[key] = outcome
        self._order.append(key)
        self._result_bytes += len(outcome.result)
        # The newest is always kept: its own proposer has not read it yet.
        while len(self._order) > 1 and (
            len(self._order) > KEYS_MAX or self._result_bytes > RESULT_BYTES_MAX
        ):
            forgotten = self._outcomes.pop(self._order.popleft())
            self._result_bytes -= len(forgotten.result)
            self._floor = forgotten.index

    def capture(self) -> Capture:
        """Everything replicated, as of now."""
        return Capture(
            members=tuple(self._members.items()),
            floor=self._floor,
            outcomes=tuple(RememberedOutcome(key, self._outcomes[key]) for key in self._order),
            encode=self._machine.capture(),
        )

    def restore(
        self,
        *,
        members: Mapping[str, str],
        floor: int,
        outcomes: Iterable[RememberedOutcome],
        chunks: Iterable[bytes],
    ) -> None:
        """Replace everything replicated by what a snapshot holds."""
        self._machine.restore(chunks)
        self._members = dict(members)
        self._floor = floor
        self._outcomes = dict(outcomes)
        self._order = deque(self._outcomes)
        self._result_bytes = sum(len(outcome.result) for outcome in self._outcomes.values())
