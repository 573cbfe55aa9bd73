"""What a member does with what it receives: each kind of message, and snapshots from the leader.

Only members and learners of the configuration in force are heard. The core's own kinds reach the
core with two repairs, both against the same defect (the stock library moves `nextIndex` back and
truncates what is acknowledged already): a follower strips what it holds, and a leader never moves
back unless the follower says that its log is different.
"""

import logging
from collections.abc import Callable

from stackctl.errors import StackctlError
from stackctl.manager.raft import envelope, messages
from stackctl.manager.raft.appending import is_contiguous, strip_known
from stackctl.manager.raft.catch_up import SnapshotReceiver
from stackctl.manager.raft.connection import Connected, Disconnected, Event
from stackctl.manager.raft.member import RaftMember
from stackctl.manager.raft.replica import Outcome
from stackctl.manager.raft.snapshots import Snapshot, Snapshots
from stackctl.manager.raft.storage import align_journal, restore_replica

_EVENTS_PER_POLL = 2000

_log = logging.getLogger(__name__)


class Receiving:
    """The inbox of one member. Owned by the consensus thread."""

    def __init__(
        self, member: RaftMember, snapshots: Snapshots, *, wake: Callable[[], None]
    ) -> None:
        self._member = member
        self._receiver = SnapshotReceiver(snapshots)
        self._wake = wake

    def drain(self) -> None:
        """Handle what arrived, then sync once and acknowledge. Raises OSError, StackctlError."""
        events = self._member.links.drain(_EVENTS_PER_POLL)
        for event in events:
            try:
                self._handle(event)
            except (OSError, StackctlError):
                raise  # our own storage: going on would break promises already given
            except Exception:  # noqa: BLE001 - one bad message must not stop the thread's loop
                _log.exception("a message could not be handled: %r", type(event))
        self._member.outbox.flush()
        if len(events) == _EVENTS_PER_POLL:
            self._wake()

    def close(self) -> None:
        """Forget a snapshot that arrived halfway."""
        self._receiver.abandon()

    def _handle(self, event: Event) -> None:
        member = self._member
        if isinstance(event, Connected):
            member.node_was_connected(event.node_id)
        elif isinstance(event, Disconnected):
            member.node_was_disconnected(event.node_id)
        elif event.node_id in member.other_ids() | member.learner_ids():
            self._receive(event.node_id, event.message)

    def _receive(self, node_id: str, message: messages.Message) -> None:
        member = self._member
        match message:
            case messages.AppendEntries():
                self._receive_entries(node_id, message)
            case messages.Acknowledgement():
                self._receive_acknowledgement(node_id, message)
            case messages.Propose():
                member.forward([each for each in message.commands if self._is_sane(each)])
            case messages.PreVote():
                member.elections.receive_pre_vote(node_id, message)
            case messages.PreVoteGranted():
                member.elections.receive_granted(node_id, message)
            case messages.StaleTerm():
                member.elections.receive_stale_term(message)
            case messages.RequestVote():
                if member.elections.may_vote(message):
                    member.to_core(node_id, messages.to_core(message))
            case messages.ResponseVote() | messages.TimeoutNow():
                member.to_core(node_id, messages.to_core(message))
            case messages.SnapshotPiece():
                self._receive_piece(node_id, message)
            case messages.Change():
                if member.is_leader() and not member.is_handing_over:
                    member.changes.request(message, origin=node_id)
            case messages.ChangeAnswer():
                member.proposals.answer(message)
            case messages.Removed():
                member.was_removed()
            case messages.Hello() | messages.Ping():
                pass  # the connection's own business

    def _is_sane(self, command: bytes) -> bool:
        """Members are trusted with content, not with entries that would stop every member."""
        try:
            content = envelope.open_entry(command)
        except envelope.UnreadableEntry as error:
            _log.warning("a forwarded command was dropped: %s", error.message)
            return False
        return isinstance(content, envelope.Command | envelope.Barrier)

    def _receive_entries(self, node_id: str, message: messages.AppendEntries) -> None:
        member = self._member
        if message.term < member.term():
            member.links.send(node_id, messages.StaleTerm(term=member.term()))
            return
        if not is_contiguous(message):
            _log.warning("entries of %s do not follow each other, dropped", node_id)
            return
        member.elections.leader_was_heard()
        stripped = strip_known(
            message, journal=member.log().journal, applied_index=member.applied()
        )
        for_core = messages.to_core(message)
        if stripped is None:
            # Our log lacks the previous entry or has another one there: the core asks for earlier.
            member.to_core(node_id, for_core)
            return
        if stripped.remaining:
            for_core["prevLogIdx"] = stripped.verified_index
            for_core["prevLogTerm"] = stripped.verified_term
            for_core["entries"] = stripped.remaining
            member.to_core(node_id, for_core)
            return
        # A heartbeat to the core. What lies behind the verified entry may be an old leader's.
        self._heartbeat(
            node_id,
            term=message.term,
            commit_index=min(message.commit_index, stripped.verified_index),
        )
        member.acknowledge(node_id, stripped.verified_index + 1, success=True)

    def _heartbeat(self, node_id: str, *, term: int, commit_index: int) -> None:
        heartbeat = {"type": "append_entries", "term": term, "commit_index": commit_index}
        self._member.to_core(node_id, heartbeat)

    def _receive_acknowledgement(self, node_id: str, message: messages.Acknowledgement) -> None:
        member = self._member
        if not member.is_leader():
            return
        next_before, match_before = member.next_index(node_id), member.match_index(node_id)
        member.to_core(node_id, messages.to_core(message))
        next_index = member.next_index(node_id)
        if message.reset:
            if message.next_index <= match_before:
                _log.warning("member %s has lost entries that it acknowledged", node_id)
                member.forget_matches_from(node_id, message.next_index)
            member.replicate_soon()
        else:
            next_index = max(next_index, next_before)
        member.set_next_index(node_id, min(next_index, member.log().journal.last_index + 1))

    def _receive_piece(self, node_id: str, piece: messages.SnapshotPiece) -> None:
        member = self._member
        if piece.term < member.term():
            member.links.send(node_id, messages.StaleTerm(term=member.term()))
            return
        member.elections.leader_was_heard()
        self._heartbeat(node_id, term=piece.term, commit_index=member.commit_index())
        if piece.snapshot_index <= member.applied():
            # Everything in it is here; going back would undo what callers were told.
            member.acknowledge(node_id, piece.snapshot_index + 1, success=True)
            return
        try:
            snapshot = self._receiver.receive(piece)
        except OSError as error:
            _log.error("the leader's snapshot cannot be stored: %s", error)
            self._receiver.abandon()
            snapshot = None
        if snapshot is None:
            member.acknowledge(node_id, member.log().journal.last_index + 1, success=False)
            return
        self._install(snapshot)
        member.acknowledge(node_id, snapshot.header.index + 1, success=True)

    def _install(self, snapshot: Snapshot) -> None:
        """Continue from the leader's snapshot. Raises OSError, StorageDamaged."""
        member = self._member
        index = snapshot.header.index
        member.compaction.snapshot_was_installed(index)
        restore_replica(member.replica, snapshot)
        align_journal(member.log().journal, snapshot)
        member.skip_to(index)
        member.adopt_members()
        self._answer_what_was_skipped(index)
        member.push_election_deadline()
        _log.info("installed the leader's snapshot of entry %d", index)

    def _answer_what_was_skipped(self, index: int) -> None:
        """Proposals whose entries the snapshot covers are not applied here one by one."""
        member = self._member
        for key in member.proposals.waiting_keys():
            outcome = member.replica.outcome_of(key)
            if outcome is not None:
                member.proposals.resolve(key, outcome)
        members = member.replica.members()
        for change in member.proposals.waiting_changes():
            is_member = members.get(change.node_id) == change.address
            wants_member = change.operation == "add"
            if is_member == wants_member and (is_member or change.node_id not in members):
                member.proposals.resolve(change.key, Outcome("applied", index))
        member.proposals.send_again()
