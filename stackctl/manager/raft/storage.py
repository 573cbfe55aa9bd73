"""The directory of one member, opened: ballot, journal and snapshot, checked against each other.

    lock      held while a manager uses the directory
    ballot, journal, snapshot, snapshot.previous

A start trusts nothing: what is missing or contradicts the rest is refused with steps, because a
member that silently starts with less than it acknowledged can cost the cluster committed entries.
"""

import fcntl
import os
from pathlib import Path

import msgspec

from stackctl.errors import Conflict, InputError
from stackctl.manager.raft import ballot, envelope, journal
from stackctl.manager.raft.damage import StorageDamaged, damaged, recovery_steps
from stackctl.manager.raft.log import Log
from stackctl.manager.raft.replica import Replica, StateMachine
from stackctl.manager.raft.settings import ConsensusSettings
from stackctl.manager.raft.snapshots import Snapshot, Snapshots

_FIRST_ENTRY: journal.LogEntry = (envelope.NO_OP_ENTRY, 1, 0)


class Storage(msgspec.Struct, frozen=True):
    """What a member starts from."""

    log: Log
    snapshots: Snapshots
    replica: Replica
    applied_index: int
    snapshot_index: int
    lock: int

    def unlock(self) -> None:
        """Let another manager use the directory; the last thing a member does."""
        os.close(self.lock)


def open_storage(settings: ConsensusSettings, machine: StateMachine) -> Storage:
    """Open the directory, create what a first start needs, restore the newest snapshot.

    Raises StorageDamaged, Conflict (another process uses the directory), InputError, OSError.
    """
    if settings.members and settings.node_id not in {each.node_id for each in settings.members}:
        raise InputError(f"node {settings.node_id} is missing among the members it starts with")
    settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(settings.directory)
    try:
        return _open_locked(settings, machine, lock)
    except BaseException:
        os.close(lock)
        raise


def align_journal(log: journal.Journal, snapshot: Snapshot) -> None:
    """Make the journal continue the snapshot. Raises OSError.

    Where it holds the snapshot's last two entries, it stays as it is. Otherwise it ends before
    the snapshot, or differs from what was committed: a snapshot from the leader was promoted, and
    this is the second half of installing it.
    """
    expected = (snapshot.header.previous, snapshot.header.last)
    held = [log.entry_at(entry[1]) for entry in expected]
    same = all(
        mine is not None and mine[2] == theirs[2]
        for mine, theirs in zip(held, expected, strict=True)
    )
    if not same:
        log.reset(expected)


def restore_replica(replica: Replica, snapshot: Snapshot) -> None:
    """Fill the replica from a snapshot. Raises StorageDamaged."""
    try:
        replica.restore(
            members=dict(snapshot.header.members),
            floor=snapshot.header.floor,
            outcomes=snapshot.outcomes(),
            chunks=snapshot.chunks(),
        )
    except StorageDamaged:
        raise
    except Exception as error:
        # Whatever it is: half a state must not go on.
        raise StorageDamaged(
            f"the snapshot of entry {snapshot.header.index} cannot be restored: {error!r}",
            hint="start the stackctl-manager that wrote it, or a newer one",
        ) from error


def _open_locked(settings: ConsensusSettings, machine: StateMachine, lock: int) -> Storage:
    directory = settings.directory
    ballot_file = ballot.load(directory / "ballot", node_id=settings.node_id)
    snapshots = Snapshots(directory)
    snapshot = snapshots.load()
    journal_path = directory / "journal"
    if ballot_file is None:
        if journal_path.exists() or snapshot is not None:
            raise damaged(directory / "ballot", "it is missing, and with it term and vote")
        ballot_file = _first_ballot(settings)
    log = _open_journal(journal_path, ballot_file.ballot, snapshot)
    replica = Replica(machine, members=dict(ballot_file.ballot.members))
    snapshot_index = 0
    if snapshot is not None:
        restore_replica(replica, snapshot)
        snapshot_index = snapshot.header.index
    return Storage(
        log=Log(log, ballot_file),
        snapshots=snapshots,
        replica=replica,
        applied_index=max(1, snapshot_index),
        snapshot_index=snapshot_index,
        lock=lock,
    )


def _first_ballot(settings: ConsensusSettings) -> ballot.BallotFile:
    """The ballot of a first start; alone, this member is the whole cluster and established."""
    if not settings.members:
        raise StorageDamaged(
            f"{settings.directory} is empty, but node {settings.node_id} takes part in a cluster "
            "already",
            hint=recovery_steps(settings.directory),
        )
    members = tuple((member.node_id, member.address) for member in settings.members)
    path = settings.directory / "ballot"
    first = ballot.Ballot(node_id=settings.node_id, members=members, established=len(members) == 1)
    ballot_file = ballot.BallotFile(path, first)
    ballot_file.save(first)
    return ballot_file


def _open_journal(path: Path, known: ballot.Ballot, snapshot: Snapshot | None) -> journal.Journal:
    if path.exists():
        log = journal.load(path)
    elif known.term == 0 and snapshot is None:
        # The ballot is the first file ever written: this is the rest of a first start.
        log = journal.create(path, [_FIRST_ENTRY])
    else:
        raise damaged(path, "it is missing")
    covered = snapshot.header.index if snapshot is not None else 1
    if log.first_index > max(1, covered - 1):
        why = f"it begins at entry {log.first_index}, the snapshot ends at {covered}"
        raise damaged(path, why if snapshot is not None else "the snapshot before it is missing")
    if snapshot is not None:
        align_journal(log, snapshot)
    if log.last_index < known.commit_index:
        raise damaged(
            path, f"it ends at entry {log.last_index}, entry {known.commit_index} was committed"
        )
    return log


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Conflict(
            f"another stackctl-manager uses {directory}",
            hint="stop it first: 'systemctl stop stackctl-manager'",
        ) from error
    return descriptor
