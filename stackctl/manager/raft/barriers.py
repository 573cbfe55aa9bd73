"""Read barriers: concurrent readers wait for one empty command together.

At most one is on its way. Who comes meanwhile waits for the next, because the one on its way may
have been proposed before a change that this reader must see.
"""

import secrets
import threading
from concurrent.futures import Future
from functools import partial

import msgspec

from stackctl.errors import ClusterUnavailable, StackctlError
from stackctl.manager.raft.library import now
from stackctl.manager.raft.proposals import Proposal, Proposals


class _Reader(msgspec.Struct, eq=False):
    deadline: float
    future: Future[int]


class Barriers:
    """All readers of this member. `wait` is for any thread, the rest for the consensus one."""

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals
        self._lock = threading.Lock()
        self._waiting: list[_Reader] = []
        self._flying: list[_Reader] = []
        # Unknown to any earlier run of this member: its old barriers may still lie in the log.
        self._prefix = secrets.token_hex(8)
        self._count = 0
        self._closed_by: StackctlError | None = None

    def wait(self, timeout_seconds: float) -> Future[int]:
        """Join the next barrier."""
        reader = _Reader(now() + timeout_seconds, Future())
        reader.future.set_running_or_notify_cancel()
        with self._lock:
            if self._closed_by is not None:
                reader.future.set_exception(self._closed_by)
            else:
                self._waiting.append(reader)
        return reader.future

    def step(self) -> None:
        """Send the next barrier when none is on its way; fail readers whose time is over."""
        if not self._waiting and not self._flying:
            return
        moment = now()
        late = [reader for reader in (*self._flying, *self._waiting) if reader.deadline <= moment]
        if late:
            self._drop(late)
        if not self._flying:
            self._send()

    def close(self, error: StackctlError) -> None:
        """Fail every reader, and every one that comes."""
        with self._lock:
            self._closed_by = error
            readers = [*self._flying, *self._waiting]
            self._flying, self._waiting = [], []
        for reader in readers:
            reader.future.set_exception(error)

    def _send(self) -> None:
        with self._lock:
            self._flying, self._waiting = self._waiting, []
        if not self._flying:
            return
        self._count += 1
        proposal = Proposal(
            f"barrier-{self._prefix}-{self._count}",
            deadline=max(reader.deadline for reader in self._flying),
            read_result=lambda outcome: outcome.index,
        )
        landed = partial(self._has_landed, self._count)
        self._proposals.submit(proposal).add_done_callback(landed)

    def _has_landed(self, number: int, barrier: Future[int]) -> None:
        """Runs on the consensus thread, which resolves proposals."""
        if number != self._count:
            return  # all its readers had gone; those who fly now must not see its older index
        readers, self._flying = self._flying, []
        error = barrier.exception()
        for reader in readers:
            if error is None:
                reader.future.set_result(barrier.result())
            else:
                reader.future.set_exception(error)
        if self._closed_by is None:
            self._send()

    def _drop(self, late: list[_Reader]) -> None:
        with self._lock:
            self._flying = [reader for reader in self._flying if reader not in late]
            self._waiting = [reader for reader in self._waiting if reader not in late]
        for reader in late:
            reader.future.set_exception(
                ClusterUnavailable(
                    "no majority of the managers confirmed in time that this one is up to date",
                    hint="more than half of the managers must run and reach each other",
                )
            )
