"""The replicated state machine as consensus sees it: bytes in, bytes out, one immutable state.

`apply`, `capture` and `restore` run on the consensus thread. Everybody else reads `state`, which is
one assignment and therefore needs no lock, and is told through `on_change` (called on the consensus
thread) that `take` has something. Changes are collected until taken, so that a burst of entries
costs the event loop one wake-up.
"""

import threading
from collections.abc import Callable, Iterable, Iterator

import msgspec

from stackctl.state import apply, results, snapshot
from stackctl.state.cluster import ClusterState
from stackctl.state.events import Event


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What happened since the last one. `everything`: a snapshot was loaded, look at it all."""

    before: ClusterState
    state: ClusterState
    events: tuple[Event, ...]
    everything: bool = False


class ReplicatedState:
    """Holds the current cluster state of this manager."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = ClusterState()
        self._taken = self._state
        self._events: list[Event] = []
        self._everything = False
        self._announced = False

    @property
    def state(self) -> ClusterState:
        """The newest applied state; from any thread."""
        return self._state

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        """Applies one entry; the bytes of its `Result`."""
        applied = apply.apply(self._state, entry, index=index, term=term)
        self._publish(applied.state, applied.events)
        return results.encode_result(applied.result)

    def capture(self) -> Callable[[], Iterator[bytes]]:
        """Holds on to the state as of now; the returned function encodes it."""
        state = self._state
        return lambda: snapshot.encode_state(state)

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replaces the state by that of a snapshot. Raises DamagedSnapshot."""
        self._publish(snapshot.decode_state(chunks), (), everything=True)

    def take(self) -> Publication:
        """What happened since the last call; on the event loop's thread only."""
        with self._lock:
            publication = Publication(
                before=self._taken,
                state=self._state,
                events=tuple(self._events),
                everything=self._everything,
            )
            self._taken = self._state
            self._events.clear()
            self._everything = False
            self._announced = False
        return publication

    def _publish(
        self, state: ClusterState, events: tuple[Event, ...], *, everything: bool = False
    ) -> None:
        with self._lock:
            self._state = state
            self._events.extend(events)
            self._everything |= everything
            announce, self._announced = not self._announced, True
        if announce:
            self._on_change()
