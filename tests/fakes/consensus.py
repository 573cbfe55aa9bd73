"""A replicated log without replication: one member, in memory, everything happens in the call.

For tests of what stands on consensus. It keeps the promises of `ReplicatedLog` (the contract test
runs against both), and offers what a test wants to cause: `lose_leader`, `lead`, `follow`. What a
real member keeps on its disk is a `FakeDisk` here, so that a test can restart a member.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from stackctl.errors import ClusterUnavailable, Conflict, InputError, StackctlError
from stackctl.manager.consensus import Leadership, Member, StateMachine

_ENTRY_BYTES_MAX = 1 << 20
_KEY_CHARACTERS_MAX = 128


@dataclass
class FakeDisk:
    """What survives a restart of a fake member."""

    entries: list[tuple[str, bytes, int]] = field(default_factory=list)
    term: int = 0
    members: tuple[Member, ...] = ()


class FakeConsensus:
    """One member that leads from its start, unless told otherwise."""

    def __init__(
        self,
        machine: StateMachine,
        *,
        on_leadership: Callable[[Leadership], None],
        node_id: str = "n1",
        disk: FakeDisk | None = None,
    ) -> None:
        self.node_id = node_id
        self._machine = machine
        self._on_leadership = on_leadership
        self._disk = disk or FakeDisk()
        self._lock = threading.RLock()
        self._results: dict[str, tuple[bytes, StackctlError | None]] = {}
        self._applied = 0
        self._leadership = Leadership(term=self._disk.term, leader_id=None, is_leader=False)
        self._is_running = False

    def start(self) -> None:
        with self._lock:
            self._is_running = True
            if not self._disk.members:
                self._disk.members = (Member(self.node_id, "192.0.2.1:4242"),)
            for key, entry, term in self._disk.entries:
                self._apply(key, entry, term)
            self.lead()

    def stop(self) -> None:
        with self._lock:
            if self._is_running:
                self._is_running = False
                self._lead_by(None, self._disk.term)

    def lead(self) -> None:
        """This member wins an election."""
        self._lead_by(self.node_id, self._disk.term + 1)

    def follow(self, leader_id: str) -> None:
        """Another member wins an election; proposals reach it."""
        self._lead_by(leader_id, self._disk.term + 1)

    def lose_leader(self) -> None:
        """Nobody leads: proposals fail, as real ones do after their timeout."""
        self._lead_by(None, self._disk.term)

    def propose(self, entry: bytes, *, key: str, timeout_seconds: float) -> Future[bytes]:
        if len(entry) > _ENTRY_BYTES_MAX:
            raise InputError(f"the change is {len(entry)} bytes long")
        if not 0 < len(key) <= _KEY_CHARACTERS_MAX:
            raise InputError(f"a key has 1 to {_KEY_CHARACTERS_MAX} characters")
        with self._lock:
            refusal = self._refusal()
            if refusal is not None:
                return _failed(refusal)
            if key not in self._results:
                self._disk.entries.append((key, entry, self._disk.term))
                self._apply(key, entry, self._disk.term)
            result, error = self._results[key]
            return _failed(error) if error is not None else _done(result)

    def read_barrier(self, *, timeout_seconds: float) -> Future[int]:
        with self._lock:
            refusal = self._refusal()
            return _failed(refusal) if refusal is not None else _done(self._applied)

    def leadership(self) -> Leadership:
        return self._leadership

    def members(self) -> tuple[Member, ...]:
        return self._disk.members

    def add_member(self, member: Member, *, timeout_seconds: float) -> Future[None]:
        with self._lock:
            refusal = self._refusal()
            known = {each.node_id: each.address for each in self._disk.members}
            if refusal is None and known.get(member.node_id, member.address) != member.address:
                refusal = Conflict(f"manager {member.node_id} is a member already")
            if refusal is not None:
                return _failed(refusal)
            if member.node_id not in known:
                self._disk.members = (*self._disk.members, member)
            return _done(None)

    def remove_member(self, node_id: str, *, timeout_seconds: float) -> Future[None]:
        with self._lock:
            refusal = self._refusal()
            rest = tuple(each for each in self._disk.members if each.node_id != node_id)
            if refusal is None and not rest:
                refusal = Conflict(f"{node_id} is the only manager and cannot be removed")
            if refusal is not None:
                return _failed(refusal)
            self._disk.members = rest
            return _done(None)

    def applied_index(self) -> int:
        return self._applied

    def _refusal(self) -> StackctlError | None:
        if not self._is_running:
            return ClusterUnavailable("this manager stops")
        if self._leadership.leader_id is None:
            return ClusterUnavailable("the managers have no leader")
        return None

    def _apply(self, key: str, entry: bytes, term: int) -> None:
        self._applied += 1
        try:
            result = self._machine.apply(entry, index=self._applied, term=term)
            self._results[key] = (result, None)
        except Exception as error:  # noqa: BLE001 - the same guard as the real one's
            refusal = StackctlError(f"the managers could not apply the change: {error!r}")
            self._results[key] = (b"", refusal)

    def _lead_by(self, leader_id: str | None, term: int) -> None:
        with self._lock:
            self._disk.term = term
            self._leadership = Leadership(term, leader_id, leader_id == self.node_id)
            self._on_leadership(self._leadership)


def _done(value: Any) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _failed(error: StackctlError) -> "Future[Any]":
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
