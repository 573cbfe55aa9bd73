"""Compaction: a snapshot of what is applied, then a journal without what it makes unnecessary.

The consensus thread captures the immutable state and goes on; a background thread encodes, writes,
syncs and renames the snapshot, then writes the shortened journal beside the real one; the
consensus thread adopts that by appending the few entries that came meanwhile. The journal is cut
where the *previous* snapshot ends, so that a damaged snapshot can be replaced by the one before
without losing anything.
"""

import logging
import threading

from stackctl.manager.raft.journal import Journal, Rewrite
from stackctl.manager.raft.library import now
from stackctl.manager.raft.replica import Capture
from stackctl.manager.raft.settings import ConsensusSettings
from stackctl.manager.raft.snapshots import Header, Snapshots, SnapshotStopped

_RETRY_SECONDS = 60.0
# Below this, an hourly snapshot would cost more than replaying the entries at the next start.
_ENTRIES_MIN = 1000

_log = logging.getLogger(__name__)


class _Job:
    """One snapshot on its way, on a thread of its own."""

    def __init__(self, snapshots: Snapshots, capture: Capture, header: Header) -> None:
        self.header = header
        self.rewrite: Rewrite | None = None
        self.has_snapshot = False
        self._snapshots = snapshots
        self._capture = capture
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raft-snapshot", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stopped.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            self._snapshots.write(self._capture, self.header, is_stopped=self._stopped.is_set)
            self.has_snapshot = True
            if self.rewrite is not None:
                self.rewrite.write()
        except SnapshotStopped:
            return
        except Exception:  # noqa: BLE001 - the top of a thread; the next compaction tries again
            _log.exception("the snapshot at entry %d could not be written", self.header.index)
            self.rewrite = None


class Compaction:
    """Decides when to compact, and follows the job. Owned by the consensus thread."""

    def __init__(
        self, settings: ConsensusSettings, snapshots: Snapshots, *, snapshot_index: int
    ) -> None:
        self._settings = settings
        self._snapshots = snapshots
        self._snapshot_index = snapshot_index
        self._bytes = 0
        self._due_at = now() + settings.compaction_seconds
        self._retry_at = 0.0
        self._job: _Job | None = None

    def entry_was_applied(self, size_bytes: int) -> None:
        """Another entry that a snapshot would make unnecessary."""
        self._bytes += size_bytes

    def is_due(self, applied_index: int) -> bool:
        """Whether to begin a snapshot now."""
        if self._job is not None or now() < self._retry_at or applied_index < 2:
            return False
        entries = applied_index - self._snapshot_index
        if entries >= self._settings.compaction_entries:
            return True
        # Not before as much came as a snapshot is large: a large state is written no more than
        # twice for every byte of change.
        if self._bytes >= self._settings.compaction_bytes and entries > 1:
            return self._bytes >= self._snapshots.size_bytes()
        return now() >= self._due_at and entries >= _ENTRIES_MIN

    def begin(self, capture: Capture, *, journal: Journal, applied_index: int) -> None:
        """Snapshot the capture, which must be of the entry `applied_index`."""
        previous, last = (journal.entry_at(applied_index - 1), journal.entry_at(applied_index))
        assert previous is not None  # noqa: S101 - the log always starts before what is applied
        assert last is not None  # noqa: S101 - it was just applied
        header = Header(previous, last, capture.members, capture.floor)
        self._job = _Job(self._snapshots, capture, header)
        # Cut where the snapshot ends that this one makes the previous one.
        first_kept = self._snapshot_index - 1
        if first_kept > journal.first_index:
            self._job.rewrite = journal.begin_rewrite(first_kept)
        self._bytes = 0
        self._job.start()

    def step(self, journal: Journal) -> None:
        """Adopt what the background thread has finished. Raises OSError."""
        if self._job is None or self._job.is_running():
            return
        job, self._job = self._job, None
        self._due_at = now() + self._settings.compaction_seconds
        if job.has_snapshot:
            self._snapshot_index = job.header.index
        else:
            self._retry_at = now() + _RETRY_SECONDS
        if job.rewrite is not None and job.has_snapshot:
            journal.adopt(job.rewrite)

    def snapshot_was_installed(self, index: int) -> None:
        """A snapshot of the leader took the place of ours; an older one must not replace it."""
        if self._job is not None:
            self._job.stop()
            self._job.join()
            self._job = None
        self._snapshot_index = index
        self._bytes = 0

    def stop(self) -> None:
        """Give up what is running and wait for its end."""
        if self._job is not None:
            self._job.stop()
            self._job.join()
            self._job = None
