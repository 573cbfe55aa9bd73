"""What this member's callers wait for: each proposal until its entry is applied *here*.

A proposal is sent to the leader (or appended, when this member leads) and forgotten by nobody: the
*route* names the leader, its term and the connection to it, and whenever the route changes,
everything unresolved is sent again under the same key. Its answer is the entry itself when this
member applies it, so no reply can get lost, and the memory of keys (`replica`) makes the copies
harmless. At its deadline a proposal fails with "outcome unknown".
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from stackctl.errors import ClusterUnavailable, Conflict, StackctlError
from stackctl.manager.raft import envelope
from stackctl.manager.raft.library import now
from stackctl.manager.raft.messages import Change, ChangeAnswer
from stackctl.manager.raft.replica import Outcome

# How late a deadline may be noticed, against looking at everything that waits in every tick.
_EXPIRY_PERIOD_SECONDS = 0.1

_UNKNOWN_HINT = "the outcome is unknown; look before you repeat it ('stackctl node ls')"


class Route(msgspec.Struct, frozen=True):
    """Where proposals go now. A different route means that what was sent may be lost."""

    leader_id: str
    term: int
    connection: int


class Proposal:
    """One thing a caller waits for."""

    def __init__(
        self,
        key: str,
        *,
        deadline: float,
        payload: bytes | None = None,
        change: Change | None = None,
        read_result: Callable[[Outcome], Any],
    ) -> None:
        self.key = key
        self.deadline = deadline
        self.change = change
        self.read_result = read_result
        self.future: Future[Any] = Future()
        # Running, so that nobody can cancel it: the entry may already be in the log.
        self.future.set_running_or_notify_cancel()
        self.size_bytes = len(payload or b"")
        self._payload = payload
        self._entry: bytes | None = None
        self.copies_sent = 0

    def entry(self, *, base_index: int) -> bytes:
        """The sealed entry. Every copy has the base index of the first."""
        if self._entry is None:
            if self._payload is None:
                self._entry = envelope.seal(envelope.Barrier(self.key))
            else:
                command = envelope.Command(self.key, base_index, self._payload)
                self._entry = envelope.seal(command)
        return self._entry

    def begin_again(self) -> None:
        """Forget the sealed entry: no copy of it can be applied any more."""
        self._entry = None
        self.copies_sent = 0


class Proposals:
    """All proposals of this member. `submit` is for any thread, the rest for the consensus one."""

    def __init__(self, *, count_max: int, bytes_max: int) -> None:
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lock = threading.Lock()
        self._by_key: dict[str, Proposal] = {}
        self._unsent: deque[str] = deque()
        self._expiry_at = 0.0
        self._route: Route | None = None
        self._closed_by: StackctlError | None = None

    def submit(self, proposal: Proposal) -> Future[Any]:
        """Wait for a proposal; one with the key of a waiting one waits for the same outcome."""
        with self._lock:
            known = self._by_key.get(proposal.key)
            if known is not None:
                return known.future
            if self._closed_by is not None:
                proposal.future.set_exception(self._closed_by)
            elif self._is_full(proposal):
                proposal.future.set_exception(
                    ClusterUnavailable(
                        f"{len(self._by_key)} changes wait for the managers already",
                        hint="wait for them; more than half of the managers must be up",
                    )
                )
            else:
                self._by_key[proposal.key] = proposal
                self._bytes += proposal.size_bytes
                self._unsent.append(proposal.key)
        return proposal.future

    def _is_full(self, proposal: Proposal) -> bool:
        # One that is larger than everything allowed may still come alone.
        too_large = self._bytes > 0 and self._bytes + proposal.size_bytes > self._bytes_max
        return too_large or len(self._by_key) >= self._count_max

    def _take(self, key: str) -> Proposal | None:
        """Called with the lock held."""
        proposal = self._by_key.pop(key, None)
        if proposal is not None:
            self._bytes -= proposal.size_bytes
        return proposal

    def is_waiting(self) -> bool:
        """Whether something has not been sent on the current route."""
        return bool(self._unsent)

    def take_unsent(self, route: Route, *, count_max: int) -> list[Proposal]:
        """What must be sent now, each once per route."""
        taken: list[Proposal] = []
        with self._lock:
            if route != self._route:
                self._route = route
                self._unsent = deque(self._by_key)
            while self._unsent and len(taken) < count_max:
                proposal = self._by_key.get(self._unsent.popleft())
                if proposal is not None:
                    proposal.copies_sent += 1
                    taken.append(proposal)
        return taken

    def resolve(self, key: str, outcome: Outcome) -> None:
        """The entry with that key was applied here."""
        if key not in self._by_key:
            return
        with self._lock:
            proposal = self._by_key[key]
            if outcome.status == "expired" and proposal.copies_sent == 1:
                # The only copy came too late to be recognised, so it was not applied: try anew.
                proposal.begin_again()
                self._unsent.append(key)
                return
            self._take(key)
        _finish(proposal, outcome)

    def answer(self, answer: ChangeAnswer) -> None:
        """The leader says that a membership change is done already, or why it is not begun."""
        with self._lock:
            proposal = self._take(answer.key)
        if proposal is None:
            return
        if answer.status == "done":
            proposal.future.set_result(None)
        else:
            kind = Conflict if answer.status == "conflict" else ClusterUnavailable
            proposal.future.set_exception(kind(answer.reason, hint=answer.hint or None))

    def send_again(self) -> None:
        """What was sent may have been applied unseen: send everything unresolved again."""
        self._route = None

    def waiting_changes(self) -> list[Change]:
        """The membership changes that somebody waits for."""
        with self._lock:
            waiting = [proposal.change for proposal in self._by_key.values()]
        return [change for change in waiting if change is not None]

    def waiting_keys(self) -> list[str]:
        """The keys that somebody waits for."""
        with self._lock:
            return list(self._by_key)

    def expire(self, *, has_leader: bool) -> None:
        """Fail what has waited for too long."""
        moment = now()
        if moment < self._expiry_at:
            return
        self._expiry_at = moment + _EXPIRY_PERIOD_SECONDS
        with self._lock:
            late = [each for each in self._by_key.values() if each.deadline <= moment]
            for proposal in late:
                self._take(proposal.key)
        why = "did not confirm the change in time" if has_leader else "have no leader"
        for proposal in late:
            error = ClusterUnavailable(f"the managers {why}", hint=_UNKNOWN_HINT)
            proposal.future.set_exception(error)

    def close(self, error: StackctlError) -> None:
        """Fail everything that waits, and everything that comes."""
        with self._lock:
            self._closed_by = error
            proposals = list(self._by_key.values())
            self._by_key.clear()
        for proposal in proposals:
            proposal.future.set_exception(error)


def _finish(proposal: Proposal, outcome: Outcome) -> None:
    match outcome.status:
        case "applied":
            proposal.future.set_result(proposal.read_result(outcome))
        case "failed":
            reason = outcome.result.decode(errors="replace")
            proposal.future.set_exception(
                StackctlError(
                    f"the managers could not apply the change: {reason}",
                    hint="nothing was changed; this is a defect, the managers' logs have the trace",
                )
            )
        case "expired":
            proposal.future.set_exception(
                ClusterUnavailable(
                    "the change came back to the managers too late to tell whether it was made",
                    hint=_UNKNOWN_HINT,
                )
            )
