"""Membership changes, on the leader: one at a time, and only such as keep the cluster writable.

A new member first is a *learner*: it receives the log, counts in no majority, and only when it
holds everything committed does the change enter the log. So an unreachable or slow newcomer never
blocks writing. A leader that is to be removed hands leadership over first; the proposer asks the
new one. A change that would leave no reachable majority is refused with names.

Requests come from this member's callers or from followers (`origin`), which repeat them under the
same key when the leader changes; nothing of this survives the loss of leadership.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from stackctl.manager.raft import envelope
from stackctl.manager.raft.library import Core, PeerNode, now
from stackctl.manager.raft.messages import Change, ChangeAnswer

# This many entries behind the end counts as caught up: the log never stands still under load.
_BEHIND_MAX = 64
_REQUESTS_MAX = 64
# The leader gives up a little earlier than the caller, because its reason is the better one.
_PATIENCE = 0.9

Answer = Callable[[str | None, ChangeAnswer], None]


class _Request(msgspec.Struct):
    change: Change
    origin: str | None
    deadline: float
    is_learning: bool = False
    is_in_log: bool = False


class Changes:
    """The queue of changes while this member leads. Owned by the consensus thread."""

    def __init__(
        self,
        core: Core,
        *,
        members: Callable[[], dict[str, str]],
        append: Callable[[bytes], bool],
        answer: Answer,
    ) -> None:
        self._core = core
        self._members = members
        self._append = append
        self._answer = answer
        self._requests: deque[_Request] = deque()

    def request(self, change: Change, *, origin: str | None) -> None:
        """Queue a change; the same key again is the same change."""
        for known in self._requests:
            if known.change.key == change.key:
                known.origin = origin
                return
        request = _Request(change, origin, now() + _PATIENCE * change.timeout_seconds)
        if len(self._requests) >= _REQUESTS_MAX:
            self._refuse(request, "unavailable", "too many changes of the managers wait already")
            return
        self._requests.append(request)

    def step(self) -> None:
        """Bring the first change forward. Called every tick while this member leads."""
        if not self._requests or self._core.applied() < self._core.no_op_index():
            return
        request = self._requests[0]
        if request.is_in_log:
            return
        if now() > request.deadline:
            self._give_up(request)
        elif request.change.operation == "add":
            self._step_add(request)
        else:
            self._step_remove(request)

    def entry_was_applied(self, change: envelope.Membership) -> None:
        """A change is committed: the next one may begin."""
        for request in list(self._requests):
            if request.change.key == change.key:
                self._requests.remove(request)

    def leadership_was_lost(self) -> None:
        """Whoever waits asks the new leader."""
        for request in self._requests:
            if request.is_learning:
                self._core.drop_learner(request.change.node_id)
        self._requests.clear()

    def _step_add(self, request: _Request) -> None:
        change = request.change
        known = self._members().get(change.node_id)
        if known is not None:
            if known == change.address:
                self._finish(request, ChangeAnswer(key=change.key, status="done"))
            else:
                self._refuse(
                    request,
                    "conflict",
                    f"manager {change.node_id} is a member at {known} already",
                    hint="remove it first, then add it with its new address",
                )
            return
        if not request.is_learning:
            request.is_learning = True
            self._core.add_learner(PeerNode(change.node_id, change.address))
            return
        behind = self._core.log().journal.last_index - self._core.match_index(change.node_id)
        is_caught_up = (
            change.node_id in self._core.connected_ids()
            and behind <= _BEHIND_MAX
            and self._core.match_index(change.node_id) >= self._core.no_op_index()
        )
        if is_caught_up:
            self._enter_log(request)

    def _step_remove(self, request: _Request) -> None:
        change = request.change
        members = self._members()
        if change.node_id not in members:
            self._finish(request, ChangeAnswer(key=change.key, status="done"))
            return
        if len(members) == 1:
            self._refuse(
                request,
                "conflict",
                f"{change.node_id} is the only manager and cannot be removed",
                hint="add another manager first, or stop this one to end the cluster",
            )
            return
        remaining = set(members) - {change.node_id}
        reachable = remaining & (self._core.connected_ids() | {str(self._core.selfNode.id)})
        if len(reachable) <= len(remaining) / 2:
            lost = ", ".join(sorted(remaining - reachable))
            self._refuse(
                request,
                "conflict",
                f"without {change.node_id} only {len(reachable)} of {len(remaining)} managers "
                f"would be reachable, which is no majority (unreachable: {lost})",
                hint=f"bring them back, or remove {lost} first",
            )
            return
        if change.node_id == self._core.selfNode.id:
            # Followed by the loss of leadership; the proposer then asks the new leader.
            self._core.transferLeadership()
            return
        self._enter_log(request)

    def _enter_log(self, request: _Request) -> None:
        change = request.change
        address = change.address or self._members().get(change.node_id, "")
        entry = envelope.Membership(change.key, change.operation, change.node_id, address)
        # Refused while an earlier change is not committed: tried again next tick.
        if self._append(envelope.seal(entry)):
            request.is_in_log = True
            request.is_learning = False

    def _give_up(self, request: _Request) -> None:
        change = request.change
        where = f"manager {change.node_id} at {change.address}"
        if not request.is_learning:
            self._refuse(request, "unavailable", "an earlier change of the managers takes too long")
        elif change.node_id not in self._core.connected_ids():
            self._refuse(
                request,
                "unavailable",
                f"{where} cannot be reached from the leader",
                hint="check that it runs and that its port is open between the managers",
            )
        else:
            held = self._core.match_index(change.node_id)
            newest = self._core.log().journal.last_index
            self._refuse(
                request, "unavailable", f"{where} did not catch up: it has {held} of {newest}"
            )

    def _refuse(
        self,
        request: _Request,
        status: Literal["conflict", "unavailable"],
        reason: str,
        *,
        hint: str = "",
    ) -> None:
        answer = ChangeAnswer(key=request.change.key, status=status, reason=reason, hint=hint)
        self._finish(request, answer)

    def _finish(self, request: _Request, answer: ChangeAnswer) -> None:
        if request.is_learning:
            self._core.drop_learner(request.change.node_id)
        if request in self._requests:
            self._requests.remove(request)
        self._answer(request.origin, answer)
