"""When this member stands for election: only after asking whether it could win.

The library's core stands as soon as its deadline has passed, and a higher term deposes a healthy
leader. A member that was cut off for a while would do that on every return. So the deadline only
begins a *pre-vote*: nobody promises anything, and members that still hear their leader, or whose
log is newer, do not agree. Only a majority lets the core stand.

That makes the *fast path* safe: when the connection to the leader drops, the deadline comes forward
to a moment in the next 0.15 s instead of waiting out the timeout. A crashed leader is replaced
after that moment; a mere network hiccup changes nothing, because the others still hear the leader.

A member that is not established (see `ballot`) takes part only in the very first election.
"""

import random
from collections.abc import Callable

import msgspec

from stackctl.manager.raft import messages
from stackctl.manager.raft.library import Core, now

FAST_PATH_SECONDS = 0.15
_RETRY_SECONDS = (0.15, 0.30)
# Three heartbeats without the leader before another member may agree to replace it.
_LEASE_HEARTBEATS = 3
_NEVER = float("-inf")

Send = Callable[[str, messages.Message], bool]


class _Round(msgspec.Struct):
    """One question to all members: may I stand in `term`?"""

    term: int
    agreed: set[str]


class Elections:
    """The gate before the core's elections. Owned by the consensus thread."""

    def __init__(self, core: Core, *, heartbeat_seconds: float, send: Send) -> None:
        self._core = core
        self._send = send
        self._lease_seconds = _LEASE_HEARTBEATS * heartbeat_seconds
        self._heard_at = _NEVER
        self._round: _Round | None = None
        self._won_term = 0
        self._stands = False

    def before_tick(self) -> None:
        """Turn a passed deadline into a pre-vote, unless the core may stand at once."""
        core = self._core
        self._stands = False
        if core.is_leader() or core.election_deadline() >= now():
            return
        if not core.log().is_established and not self._is_fresh():
            core.push_election_deadline()
            return
        if not core.other_ids() or core.was_asked_to_lead() or not core.connected_ids():
            return
        if self._won_term == core.term() + 1:
            self._stands = True
            return
        self._ask()

    def after_tick(self) -> None:
        """An election without a majority is repeated sooner than after a whole timeout."""
        if self._stands and self._core.is_candidate():
            self._retry_soon()
        self._stands = False

    def leader_was_heard(self) -> None:
        """A message of the current leader arrived."""
        self._heard_at = now()
        self._round = None

    def leader_was_lost(self) -> None:
        """The connection to the leader dropped."""
        self._heard_at = _NEVER
        self._core.forget_leader()
        soon = now() + random.uniform(0, FAST_PATH_SECONDS)  # noqa: S311 - only spreads elections
        self._core.set_election_deadline(min(self._core.election_deadline(), soon))

    def may_vote(self, message: messages.RequestVote | messages.PreVote) -> bool:
        """Whether this member's vote could not cost committed entries."""
        is_first_election = self._is_fresh() and message.last_log_index <= 1
        return self._core.log().is_established or is_first_election

    def receive_pre_vote(self, node_id: str, message: messages.PreVote) -> None:
        """Answer a member that would like to stand."""
        core = self._core
        if message.term <= core.term():
            self._send(node_id, messages.StaleTerm(term=core.term()))
            return
        hears_leader = core.is_leader() or now() - self._heard_at < self._lease_seconds
        if hears_leader or not self.may_vote(message):
            return
        _, index, term = core.log().last()
        theirs = (message.last_log_term, message.last_log_index)
        if theirs < (term, index):
            return
        rivals = self._round is not None and self._round.term == message.term
        if rivals and theirs == (term, index) and str(core.selfNode.id) > node_id:
            # Both ask at the same moment: without an order both would stand and split the votes.
            return
        self._send(node_id, messages.PreVoteGranted(term=message.term))

    def receive_granted(self, node_id: str, message: messages.PreVoteGranted) -> None:
        """A member agrees."""
        core = self._core
        if self._round is None or core.is_leader() or node_id not in core.other_ids():
            return
        if self._round.term != message.term or message.term != core.term() + 1:
            return
        self._round.agreed.add(node_id)
        if core.has_majority(1 + len(self._round.agreed)):
            self._round = None
            self._won_term = message.term
            core.set_election_deadline(0)

    def receive_stale_term(self, message: messages.StaleTerm) -> None:
        """Our term is old. Raises OSError."""
        if message.term > self._core.term():
            self._core.adopt_term(message.term)

    def _ask(self) -> None:
        core = self._core
        self._retry_soon()
        core.forget_leader()
        _, index, term = core.log().last()
        question = messages.PreVote(term=core.term() + 1, last_log_index=index, last_log_term=term)
        self._round = _Round(question.term, set())
        for node_id in core.other_ids():
            self._send(node_id, question)

    def _retry_soon(self) -> None:
        pause = random.uniform(*_RETRY_SECONDS)  # noqa: S311 - only spreads elections
        self._core.set_election_deadline(now() + pause)

    def _is_fresh(self) -> bool:
        return self._core.log().journal.last_index <= 1
