"""The only importer of pysyncobj: its Raft core under names that can be read.

The core (elections, the commit rule, appending, membership) is used as it is; its journal,
snapshots, transport, serialisation and replicated methods are not (DESIGN.md says why). What is
replaced is replaced by overriding private methods, which Python looks up on the instance under
their mangled names `_SyncObj__…`. That only works while those names exist, so `Core` asserts every
one of them, and the version is pinned exactly.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pysyncobj import SyncObj, SyncObjConf
from pysyncobj.monotonic import monotonic
from pysyncobj.node import Node
from pysyncobj.transport import Transport
from pysyncobj.version import VERSION

from stackctl.errors import StackctlError
from stackctl.manager.raft.log import Log
from stackctl.manager.raft.settings import ConsensusSettings

SUPPORTED_VERSION = "0.3.17"

_FOLLOWER = 0
_CANDIDATE = 1

_METHODS = (
    "_SyncObj__applyLogEntries",
    "_SyncObj__changeCluster",
    "_SyncObj__generateRaftTimeout",
    "_SyncObj__loadDumpFile",
    "_SyncObj__onBecomeLeader",
    "_SyncObj__onMessageReceived",
    "_SyncObj__onNodeConnected",
    "_SyncObj__onNodeDisconnected",
    "_SyncObj__parseChangeClusterRequest",
    "_SyncObj__sendAppendEntries",
    "_SyncObj__sendNextNodeIdx",
    "_SyncObj__setCurrentTerm",
    "_SyncObj__setState",
    "_SyncObj__tryLogCompaction",
    "_SyncObj__updateClusterConfiguration",
    "_applyCommand",
    "_checkCommandsToApply",
    "_onTick",
    "transferLeadership",
)
_ATTRIBUTES = (
    "_SyncObj__changeClusterIDx",
    "_SyncObj__connectedNodes",
    "_SyncObj__needLoadDumpFile",
    "_SyncObj__newAppendEntriesTime",
    "_SyncObj__noopIDx",
    "_SyncObj__otherNodes",
    "_SyncObj__pipeNotifier",
    "_SyncObj__raftCommitIndex",
    "_SyncObj__raftCurrentTerm",
    "_SyncObj__raftElectionDeadline",
    "_SyncObj__raftLastApplied",
    "_SyncObj__raftLeader",
    "_SyncObj__raftLog",
    "_SyncObj__raftMatchIndex",
    "_SyncObj__raftNextIndex",
    "_SyncObj__raftState",
    "_SyncObj__readonlyNodes",
    "_SyncObj__transferInProgress",
    "_SyncObj__transport",
    "_SyncObj__votedForNodeId",
    "_poller",
)


class UnsuitableLibrary(StackctlError):
    """The installed pysyncobj is not the one whose private names we override."""


class PeerNode(Node):  # type: ignore[misc]  # pysyncobj ships no types
    """A member as the library sees it: equal by node id, the address is only a note."""

    def __init__(self, node_id: str, address: str = "") -> None:
        super().__init__(node_id)
        self.address = address


class Outgoing(Protocol):
    """Where the core's messages and its wishes about links go."""

    def send(self, node_id: str, message: dict[str, Any]) -> bool:
        """Send one of the core's messages."""
        ...

    def set_peer(self, node_id: str, address: str) -> None:
        """A member was added."""
        ...

    def drop_peer(self, node_id: str) -> None:
        """A member was taken out of the configuration (not yet committed)."""
        ...


class _Transport(Transport):  # type: ignore[misc]  # pysyncobj ships no types
    """The library's transport; it knows no utility message and no read-only stranger."""

    def __init__(self, outgoing: Outgoing) -> None:
        super().__init__(None, None, [])
        self._outgoing = outgoing

    def addNode(self, node: PeerNode) -> None:
        self._outgoing.set_peer(node.id, node.address)

    def dropNode(self, node: PeerNode) -> None:
        self._outgoing.drop_peer(node.id)

    def send(self, node: PeerNode, message: dict[str, Any]) -> bool:
        return self._outgoing.send(node.id, message)

    def destroy(self) -> None:
        """Links are closed by their owner."""


class Core(SyncObj):  # type: ignore[misc]  # pysyncobj ships no types
    """The library's Raft core with our log; still without behaviour of ours.

    Methods, not properties: the library's constructor reads every attribute of its subclass.
    """

    def __init__(
        self,
        settings: ConsensusSettings,
        *,
        address: str,
        log: Log,
        applied_index: int,
        outgoing: Outgoing,
    ) -> None:
        assert_names(SyncObj, _METHODS)
        super().__init__(
            PeerNode(settings.node_id, address),
            (),
            conf=_library_settings(settings),
            nodeClass=PeerNode,
            transport=_Transport(outgoing),
        )
        assert_names(self, _ATTRIBUTES)
        # It began with a journal in memory; this is the real one.
        self._SyncObj__raftLog = log
        self._SyncObj__raftCurrentTerm = max(log.getCurrentTerm(), log.last()[2])
        self._SyncObj__votedForNodeId = log.getVotedForNodeId()
        self._SyncObj__raftLastApplied = applied_index
        known_commit = min(log.getRaftCommitIndex(), log.journal.last_index)
        self._SyncObj__raftCommitIndex = max(known_commit, applied_index)
        self._SyncObj__needLoadDumpFile = False

    def close_library(self) -> None:
        """Close what the library's constructor opened and never closes."""
        notifier = self._SyncObj__pipeNotifier
        for name in ("_PipeNotifier__pipeR", "_PipeNotifier__pipeW"):
            descriptor = getattr(notifier, name)
            self._poller.unsubscribe(descriptor)
            os.close(descriptor)

    def subscribe(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back inside a tick when the descriptor is readable."""
        self._poller.subscribe(descriptor, lambda *_: callback(), 1)

    def log(self) -> Log:
        """The replicated log."""
        log: Log = self._SyncObj__raftLog
        return log

    def is_leader(self) -> bool:
        """Whether this member believes to lead; another may already lead a later term."""
        return bool(self._isLeader())

    def is_candidate(self) -> bool:
        """Whether this member waits for votes."""
        return bool(self._SyncObj__raftState == _CANDIDATE)

    def term(self) -> int:
        """The current term."""
        return int(self._SyncObj__raftCurrentTerm)

    def leader_id(self) -> str | None:
        """Whom this member follows, itself when it leads."""
        leader = self._SyncObj__raftLeader
        return None if leader is None else str(leader.id)

    def forget_leader(self) -> None:
        """The leader is gone, or nothing was heard of it for too long."""
        self._SyncObj__raftLeader = None

    def adopt_term(self, term: int) -> None:
        """Someone has a later term: follow it, whoever leads. Raises OSError."""
        self._SyncObj__setCurrentTerm(term, None)
        self._SyncObj__setState(_FOLLOWER)
        self._SyncObj__raftLeader = None

    def other_ids(self) -> set[str]:
        """The other members of the configuration in force (the newest in the log)."""
        return {node.id for node in self._SyncObj__otherNodes}

    def connected_ids(self) -> set[str]:
        """The members and learners with a link that is up."""
        return {node.id for node in self._SyncObj__connectedNodes}

    def has_majority(self, count: int) -> bool:
        """Whether that many members, this one included, are a majority."""
        return count > (len(self._SyncObj__otherNodes) + 1) / 2

    def election_deadline(self) -> float:
        """When this member stands for election, on the clock of `now`."""
        return float(self._SyncObj__raftElectionDeadline)

    def set_election_deadline(self, deadline: float) -> None:
        """Move that moment."""
        self._SyncObj__raftElectionDeadline = deadline

    def push_election_deadline(self) -> None:
        """A whole timeout from now."""
        self._SyncObj__raftElectionDeadline = now() + self._SyncObj__generateRaftTimeout()

    def was_asked_to_lead(self) -> bool:
        """Whether the leader hands over to this member."""
        return bool(self._SyncObj__transferInProgress)

    def match_index(self, node_id: str) -> int:
        """Up to where that member's log is known to equal ours (leader only)."""
        return int(self._SyncObj__raftMatchIndex.get(PeerNode(node_id), 0))

    def commit_index(self) -> int:
        """Up to where the log is known to be committed."""
        return int(self._SyncObj__raftCommitIndex)

    def no_op_index(self) -> int:
        """The entry with which this member's last leadership began."""
        return int(self._SyncObj__noopIDx or 0)

    def applied(self) -> int:
        """Up to where the log is applied."""
        return int(self._SyncObj__raftLastApplied)

    def set_members(self, members: Iterable[tuple[str, str]]) -> None:
        """Replace the configuration: at start, and by a snapshot."""
        self._SyncObj__updateClusterConfiguration(
            [PeerNode(*member) for member in members if member[0] != self.selfNode.id]
        )

    def learner_ids(self) -> set[str]:
        """Who receives the log without counting in a majority."""
        return {node.id for node in self._SyncObj__readonlyNodes}

    def add_learner(self, node: PeerNode) -> None:
        """Begin to send the log to a node that is no member yet."""
        self._SyncObj__readonlyNodes.add(node)
        self._SyncObj__raftNextIndex[node] = self.log().journal.last_index + 1
        self._SyncObj__raftMatchIndex[node] = 0
        self._SyncObj__transport.addNode(node)

    def drop_learner(self, node_id: str) -> None:
        """Stop that, unless the node has become a member."""
        node = PeerNode(node_id)
        self._SyncObj__readonlyNodes.discard(node)
        if node not in self._SyncObj__otherNodes:
            self._SyncObj__raftNextIndex.pop(node, None)
            self._SyncObj__raftMatchIndex.pop(node, None)
            self._SyncObj__connectedNodes.discard(node)
            self._SyncObj__transport.dropNode(node)

    def next_index(self, node_id: str) -> int:
        """The entry to send to that member next (leader only)."""
        return int(self._SyncObj__raftNextIndex[PeerNode(node_id)])

    def set_next_index(self, node_id: str, index: int) -> None:
        """Move it."""
        self._SyncObj__raftNextIndex[PeerNode(node_id)] = index

    def forget_matches_from(self, node_id: str, index: int) -> None:
        """That member has lost entries that it once acknowledged."""
        self._SyncObj__raftMatchIndex[PeerNode(node_id)] = index - 1

    def to_core(self, node_id: str, message: dict[str, Any]) -> None:
        """Let the library handle a message of a member."""
        self._SyncObj__onMessageReceived(PeerNode(node_id), message)

    def acknowledge(self, node_id: str, next_index: int, *, success: bool) -> None:
        """Answer the leader: everything before `next_index` is here, if `success`."""
        self._SyncObj__sendNextNodeIdx(
            PeerNode(node_id), nextNodeIdx=next_index, success=success, reset=False
        )

    def replicate_soon(self) -> None:
        """Send to the members in the next tick instead of with the next heartbeat."""
        self.next_replication_at(0.0)

    def next_replication_at(self, moment: float) -> None:
        """When the next heartbeat is due, on the clock of `now`."""
        self._SyncObj__newAppendEntriesTime = moment

    def note_change_at(self, index: int | None) -> None:
        """Where the membership change lies that must be applied before the next one begins."""
        self._SyncObj__changeClusterIDx = index

    def may_change(self, request: list[Any]) -> bool:
        """Put a change into force, unless an earlier one is not committed yet."""
        return bool(self._SyncObj__changeCluster(request))

    def set_applied(self, index: int) -> None:
        """An entry was applied."""
        self._SyncObj__raftLastApplied = index

    def skip_to(self, index: int) -> None:
        """The state now includes everything up to `index`, by a snapshot."""
        self.set_applied(index)
        self._SyncObj__raftCommitIndex = max(self.commit_index(), index)


def now() -> float:
    """The library's clock, seconds; its deadlines are on it."""
    return float(monotonic())


def assert_names(where: object, names: Iterable[str]) -> None:
    """Check that everything we override or read exists. Raises UnsuitableLibrary."""
    missing = [name for name in names if not hasattr(where, name)]
    if missing or VERSION != SUPPORTED_VERSION:
        raise UnsuitableLibrary(
            f"pysyncobj {VERSION} is installed, stackctl-manager needs exactly {SUPPORTED_VERSION}"
            + (f" (missing: {', '.join(missing)})" if missing else ""),
            hint=f"pip install pysyncobj=={SUPPORTED_VERSION}",
        )


def _library_settings(settings: ConsensusSettings) -> Any:
    return SyncObjConf(
        autoTick=False,
        appendEntriesUseBatch=False,
        appendEntriesPeriod=settings.heartbeat_seconds,
        raftMinTimeout=settings.election_minimum_seconds,
        raftMaxTimeout=settings.election_maximum_seconds,
        connectionTimeout=2.0,
        connectionRetryTime=settings.reconnect_seconds,
        leaderFallbackTimeout=settings.leader_fallback_seconds,
        bindAddress=settings.listen,
        dynamicMembershipChange=True,
        commandsWaitLeader=False,
        appendEntriesBatchSizeBytes=settings.batch_bytes,
        # journalFile and fullDumpFile stay unset: `Core` puts our journal in place of the one in
        # memory, and our snapshots override the methods that would read or write a dump.
    )
