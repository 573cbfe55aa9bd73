"""The Raft member: the library's core with our log, our order of syncing, and our replication.

Everything runs inside `doTick` on the consensus thread, in this order:

    sync the journal          so that the leader counts itself only for what is durable
    elections                 a passed deadline becomes a pre-vote first
    commit, apply             the core's commit rule; entries are applied and answer their proposers
    append or forward         everything that callers proposed, drained, then sent once
    compact                   begin or finish a snapshot
    poll                      received messages are handled, then synced and acknowledged together

Received messages are `receiving`'s; this module holds what the core calls back.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from stackctl.manager.raft import envelope, messages
from stackctl.manager.raft.catch_up import SnapshotSender
from stackctl.manager.raft.changes import Changes
from stackctl.manager.raft.compaction import Compaction
from stackctl.manager.raft.elections import Elections
from stackctl.manager.raft.journal import LogEntry
from stackctl.manager.raft.library import Core, PeerNode, now
from stackctl.manager.raft.links import Links
from stackctl.manager.raft.log import Log
from stackctl.manager.raft.outbox import Outbox
from stackctl.manager.raft.proposals import Proposals, Route
from stackctl.manager.raft.replica import Replica
from stackctl.manager.raft.settings import ConsensusSettings
from stackctl.manager.raft.snapshots import Snapshots

_APPLY_SECONDS_MAX = 0.05
_TAKEN_MAX = 1000
_PIECES_PER_TICK = 16


class RaftMember(Core):
    """One member. Owned by the consensus thread."""

    def __init__(
        self,
        settings: ConsensusSettings,
        *,
        address: str,
        log: Log,
        replica: Replica,
        applied_index: int,
        snapshots: Snapshots,
        snapshot_index: int,
        proposals: Proposals,
        links: Links,
        wake: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.replica = replica
        self.proposals = proposals
        self.links = links
        self.outbox = Outbox(links, log.journal)
        self.snapshot_sender = SnapshotSender(snapshots)
        self.compaction = Compaction(settings, snapshots, snapshot_index=snapshot_index)
        # A removed member is told so; it must not stand for election with what it still knows.
        self.is_removed = False
        # A stopping leader hands over; what it would append now could keep its successor behind.
        self.is_handing_over = False
        self._wake = wake
        self._forwarded: deque[bytes] = deque()
        self._connections: Counter[str] = Counter()
        super().__init__(
            settings, address=address, log=log, applied_index=applied_index, outgoing=self.outbox
        )
        self.elections = Elections(
            self, heartbeat_seconds=settings.heartbeat_seconds, send=links.send
        )
        self.changes = Changes(
            self, members=replica.members, append=self.append_change, answer=self._answer_change
        )

    def adopt_members(self) -> None:
        """Take over who is a member: as of the applied entries, plus the changes in the log.

        A change counts from the moment it is in the log. The library would replay them only when
        they are applied again, and a restarted member could elect itself alone meanwhile.
        """
        members = self.replica.members()
        for command, _, _ in self.log().journal.entries_from(self.applied() + 1):
            if not envelope.is_membership(command):
                continue
            change = envelope.open_entry(command)
            if isinstance(change, envelope.Membership) and change.operation == "add":
                members[change.node_id] = change.address
            elif isinstance(change, envelope.Membership):
                members.pop(change.node_id, None)
        self.set_members(members.items())

    def hand_over(self) -> bool:
        """Ask a follower to lead; True once this member does not lead any more."""
        self.is_handing_over = True
        if not self.is_leader() or not self.other_ids() & self.connected_ids():
            return True
        self.transferLeadership()
        return False

    def close(self, *, storage_failed: bool) -> None:
        """Close files; links are closed by their owner. Raises OSError.

        After a failure nothing is written any more: a second sync may claim what the first lost.
        """
        self.compaction.stop()
        self.snapshot_sender.close()
        self.close_library()
        if storage_failed:
            self.log().journal.abandon()
        else:
            self.log().close()

    def node_was_connected(self, node_id: str) -> None:
        """The link to a member or learner is up."""
        if node_id not in self.other_ids() | self.learner_ids():
            return
        self._connections[node_id] += 1
        if not self.connected_ids():
            # Its deadline passed long ago; the leader's next heartbeat is on its way.
            self.push_election_deadline()
        self._SyncObj__onNodeConnected(PeerNode(node_id))
        if self.is_leader():
            self.replicate_soon()

    def node_was_disconnected(self, node_id: str) -> None:
        """The link to a member or learner is gone."""
        self._SyncObj__onNodeDisconnected(PeerNode(node_id))
        self.snapshot_sender.cancel(node_id)
        if node_id == self.leader_id() and not self.is_leader():
            self.elections.leader_was_lost()

    def was_removed(self) -> None:
        """The leader says that this node is no member any more."""
        self.is_removed = True
        self.forget_leader()
        for change in self.proposals.waiting_changes():
            if change.operation == "remove" and change.node_id == self.selfNode.id:
                self.proposals.answer(messages.ChangeAnswer(key=change.key, status="done"))

    def forward(self, commands: list[bytes]) -> None:
        """Commands of a follower's callers; whoever is no leader forgets them."""
        if self.is_leader() and not self.is_handing_over:
            self._forwarded.extend(commands)

    # -- what the library calls

    def _onTick(self, wait_seconds: float = 0.0) -> None:
        self.log().journal.sync()
        if self.is_removed:
            self.push_election_deadline()
        self.elections.before_tick()
        was_leader = self.is_leader()
        super()._onTick(wait_seconds)
        self.elections.after_tick()
        if was_leader and not self.is_leader():
            self._forwarded.clear()
            self.changes.leadership_was_lost()
        if not self.log().is_established:
            self._establish_if_caught_up()

    def _SyncObj__applyLogEntries(self) -> bool:
        until = now() + _APPLY_SECONDS_MAX
        journal = self.log().journal
        has_applied = False
        while self.applied() < self.commit_index() and now() < until:
            entry = journal.entry_at(self.applied() + 1)
            if entry is None:
                break
            self._apply(entry)
            has_applied = True
        if self.applied() < self.commit_index():
            self._wake()
        # The followers learn the new commit index at once, with what is about to be appended.
        return has_applied and not (self._forwarded or self.proposals.is_waiting())

    def _checkCommandsToApply(self) -> None:
        if self.is_removed or self.is_handing_over:
            return
        if self.is_leader():
            self.changes.step()
            self._append_commands()
        elif self.leader_id() in self.connected_ids():
            self._forward_proposals(str(self.leader_id()))

    def _SyncObj__parseChangeClusterRequest(self, command: bytes) -> list[Any] | None:
        if not envelope.is_membership(command):
            return None
        change = envelope.open_entry(command)
        if not isinstance(change, envelope.Membership):
            return None
        operation = "add" if change.operation == "add" else "rem"
        return [operation, change.node_id, PeerNode(change.node_id, change.address)]

    def _SyncObj__onBecomeLeader(self) -> None:
        # A change of an earlier leadership may never have been committed under its old index.
        self.note_change_at(None)
        super()._SyncObj__onBecomeLeader()
        # In a single-member cluster the same tick goes on to count this member's own entry.
        self.log().journal.sync()

    def _SyncObj__sendAppendEntries(self) -> None:
        self.next_replication_at(now() + self.settings.heartbeat_seconds)
        connected = self.connected_ids()
        for node_id in (self.other_ids() | self.learner_ids()) & connected:
            self._replicate_to(node_id)

    def _SyncObj__tryLogCompaction(self) -> None:
        journal = self.log().journal
        self.compaction.step(journal)
        if self.compaction.is_due(self.applied()):
            self.compaction.begin(
                self.replica.capture(), journal=journal, applied_index=self.applied()
            )

    def _SyncObj__loadDumpFile(self, *_: object) -> None:
        raise AssertionError("the library's own snapshots are not used")

    def _applyCommand(self, *_: object) -> None:
        raise AssertionError("the library's own command queue is not used")

    # -- our side of it

    def _apply(self, entry: LogEntry) -> None:
        command, index, term = entry
        content = envelope.open_entry(command)
        key, outcome = self.replica.apply(content, index=index, term=term)
        self.set_applied(index)
        self.compaction.entry_was_applied(len(command))
        if isinstance(content, envelope.Membership):
            self._change_was_applied(content, index)
        self.proposals.resolve(key, outcome)

    def _change_was_applied(self, change: envelope.Membership, index: int) -> None:
        self.changes.entry_was_applied(change)
        if change.node_id == self.selfNode.id:
            # Also undone: a node that was removed and added again meets both in the log.
            self.is_removed = change.operation == "remove"
            return
        if change.operation == "add" or change.node_id in self.other_ids():
            return
        if self.is_leader():
            self.links.send(change.node_id, messages.Removed(index=index))
        self.links.remove_peer(change.node_id)

    def _append(self, command: bytes) -> None:
        journal = self.log().journal
        journal.append((command, journal.last_index + 1, self.term()))

    def append_change(self, command: bytes) -> bool:
        """Append a membership change; False while an earlier one is not committed."""
        request = self._SyncObj__parseChangeClusterRequest(command)
        if request is None or not self.may_change(request):
            return False
        self.note_change_at(self.log().journal.last_index + 1)
        self._append(command)
        self._SyncObj__readonlyNodes.discard(request[2])
        self._SyncObj__sendAppendEntries()
        return True

    def _append_commands(self) -> None:
        route = Route(str(self.selfNode.id), self.term(), 0)
        commands: list[bytes] = []
        while self._forwarded and len(commands) < _TAKEN_MAX:
            commands.append(self._forwarded.popleft())
        for proposal in self.proposals.take_unsent(route, count_max=_TAKEN_MAX):
            if proposal.change is not None:
                self.changes.request(proposal.change, origin=None)
            else:
                commands.append(proposal.entry(base_index=self.applied()))
        for command in commands:
            self._append(command)
        if commands:
            self._SyncObj__sendAppendEntries()
            # The next tick syncs and counts; alone, nobody's answer would wake it.
            if not self.other_ids():
                self._wake()
        if self._forwarded or self.proposals.is_waiting():
            self._wake()

    def _forward_proposals(self, leader_id: str) -> None:
        route = Route(leader_id, self.term(), self._connections[leader_id])
        batch: list[bytes] = []
        batch_bytes = 0
        for proposal in self.proposals.take_unsent(route, count_max=_TAKEN_MAX):
            if proposal.change is not None:
                self.links.send(leader_id, proposal.change)
                continue
            entry = proposal.entry(base_index=self.applied())
            if batch and batch_bytes + len(entry) > self.settings.batch_bytes:
                self.links.send(leader_id, messages.Propose(commands=batch))
                batch, batch_bytes = [], 0
            batch.append(entry)
            batch_bytes += len(entry)
        if batch:
            self.links.send(leader_id, messages.Propose(commands=batch))
        if self.proposals.is_waiting():
            self._wake()

    def _replicate_to(self, node_id: str) -> None:
        journal = self.log().journal
        next_index = min(self.next_index(node_id), journal.last_index + 1)
        if next_index <= journal.first_index:
            self._send_snapshot(node_id)
            return
        while True:
            previous = journal.entry_at(next_index - 1)
            assert previous is not None  # noqa: S101 - next_index lies within the log
            is_congested = self.links.is_congested(node_id)
            entries = [] if is_congested else self._batch_from(next_index)
            self.links.send(
                node_id,
                messages.AppendEntries(
                    term=self.term(),
                    commit_index=self.commit_index(),
                    previous_index=previous[1],
                    previous_term=previous[2],
                    entries=entries,
                ),
            )
            next_index += len(entries)
            self.set_next_index(node_id, next_index)
            if not entries or next_index > journal.last_index:
                return

    def _batch_from(self, index: int) -> list[LogEntry]:
        journal = self.log().journal
        batch: list[LogEntry] = []
        size = 0
        while size < self.settings.batch_bytes:
            entry = journal.entry_at(index + len(batch))
            if entry is None:
                break
            batch.append(entry)
            size += len(entry[0])
        return batch

    def _send_snapshot(self, node_id: str) -> None:
        for _ in range(_PIECES_PER_TICK):
            if self.links.is_congested(node_id):
                return
            piece = self.snapshot_sender.next_piece(node_id, term=self.term())
            if piece is None:
                return
            self.links.send(node_id, piece)
            if piece.is_last:
                self.set_next_index(node_id, piece.snapshot_index + 1)
                return

    def _establish_if_caught_up(self) -> None:
        """An entry of the current term is committed and here: so is everything before it."""
        entry = self.log().journal.entry_at(self.commit_index())
        if entry is not None and entry[2] == self.term() > 0:
            self.log().journal.sync()
            self.log().establish()

    def _answer_change(self, origin: str | None, answer: messages.ChangeAnswer) -> None:
        if origin is None:
            self.proposals.answer(answer)
        else:
            self.links.send(origin, answer)
