"""Sending and receiving snapshots, for members whose next entry the log has forgotten.

Pieces of the snapshot file, in order, as many as the link takes without congestion; the rest goes
with the next heartbeat. The receiver answers every piece, so that the leader knows it is alive
although its log does not move.
"""

import logging

from stackctl.manager.raft.damage import StorageDamaged
from stackctl.manager.raft.messages import SnapshotPiece
from stackctl.manager.raft.snapshots import Incoming, Snapshot, Snapshots, Source

_PIECE_BYTES = 256 << 10

_log = logging.getLogger(__name__)


class SnapshotSender:
    """The leader's half: one open file for each member that is behind."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._sources: dict[str, Source] = {}

    def next_piece(self, node_id: str, *, term: int) -> SnapshotPiece | None:
        """The next piece for that member; None when the snapshot cannot be read just now."""
        try:
            source = self._sources.get(node_id)
            if source is None:
                source = self._sources[node_id] = self._snapshots.open_source()
            offset = source.file.tell()
            content = source.file.read(_PIECE_BYTES)
        except (OSError, StorageDamaged) as error:
            _log.error("the snapshot for %s cannot be read: %s", node_id, error)
            self.cancel(node_id)
            return None
        is_last = len(content) < _PIECE_BYTES
        if is_last:
            self.cancel(node_id)
        return SnapshotPiece(
            term=term,
            snapshot_index=source.index,
            offset=offset,
            data=content,
            is_last=is_last,
        )

    def cancel(self, node_id: str) -> None:
        """Begin again with the newest snapshot next time."""
        source = self._sources.pop(node_id, None)
        if source is not None:
            source.file.close()

    def close(self) -> None:
        """Close every file."""
        for node_id in list(self._sources):
            self.cancel(node_id)


class SnapshotReceiver:
    """The follower's half."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._incoming: Incoming | None = None

    def receive(self, piece: SnapshotPiece) -> Snapshot | None:
        """The verified snapshot once its last piece is here.

        A damaged one is dropped: the leader finds our log unchanged and sends it again. Raises
        OSError.
        """
        if piece.offset == 0:
            self.abandon()
            self._incoming = self._snapshots.receive()
        if self._incoming is None or piece.offset != self._incoming.offset:
            self.abandon()
            return None
        self._incoming.add(piece.data)
        if not piece.is_last:
            return None
        incoming, self._incoming = self._incoming, None
        incoming.finish()
        try:
            return self._snapshots.promote_received()
        except StorageDamaged as error:
            _log.error("the snapshot from the leader is dropped: %s", error.message)
            return None

    def abandon(self) -> None:
        """Forget what arrived so far."""
        if self._incoming is not None:
            self._incoming.abandon()
            self._incoming = None
