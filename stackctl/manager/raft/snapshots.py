"""Snapshots: the whole replicated state in one file, so that the journal may forget.

Format: magic, then frames `tag 1 | length 4 | crc 4 | payload`:

    H  header (msgpack)            the last two entries it covers, the members, the floor of keys
    K  remembered outcomes         a thousand each (msgpack, compressed)
    C  one chunk of the machine    (compressed)
    E  the number of frames before it; a file without it is incomplete

A file is verified as a whole before a byte of it reaches the machine. It is written under a
private name, synced and renamed; the one before is kept as `snapshot.previous`, and the journal
reaches back to that one. The last two entries are in the header because the Raft core wants a log
that is never empty and starts one entry before the first it could have to send.
"""

import contextlib
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from stackctl.manager import durable_files
from stackctl.manager.raft.damage import damaged
from stackctl.manager.raft.journal import LogEntry
from stackctl.manager.raft.replica import Capture, RememberedOutcome

_MAGIC = b"SCTLSNP1"
_FRAME = struct.Struct(">cII")
_FRAME_BYTES_MAX = 256 << 20
_OUTCOMES_PER_FRAME = 1000
_COMPRESSION = 1  # the fastest: 62 MB of tasks become 19 MB, and the disk is the slower part


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot covers. `last` is the entry whose effect is the newest in it."""

    previous: LogEntry
    last: LogEntry
    members: tuple[tuple[str, str], ...]
    floor: int

    @property
    def index(self) -> int:
        """The index of the last entry that the snapshot covers."""
        return self.last[1]


class SnapshotStopped(Exception):
    """Writing was given up because the member stops or has received a newer snapshot."""


class Snapshot:
    """A verified snapshot file; reading it raises StorageDamaged only if it changed meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.header = _verify(path)

    def moved_to(self, path: Path) -> "Snapshot":
        """The same snapshot after its file was renamed."""
        self._path = path
        return self

    def outcomes(self) -> Iterator[RememberedOutcome]:
        """The remembered outcomes, oldest first."""
        decoder = msgspec.msgpack.Decoder(list[RememberedOutcome])
        for tag, payload in self._frames():
            if tag == b"K":
                yield from decoder.decode(zlib.decompress(payload))

    def chunks(self) -> Iterator[bytes]:
        """What the state machine wrote."""
        for tag, payload in self._frames():
            if tag == b"C":
                yield zlib.decompress(payload)

    def _frames(self) -> Iterator[tuple[bytes, bytes]]:
        with self._path.open("rb") as file:
            yield from _read_frames(file, self._path)


@dataclass(frozen=True)
class Source:
    """A snapshot file opened for sending; it stays readable when a newer one replaces it."""

    file: BinaryIO
    index: int


class Snapshots:
    """The snapshot files of one directory. `promote` may be called from any thread."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "snapshot"
        self._previous_path = directory / "snapshot.previous"
        self._written_path = directory / "snapshot.written"
        self._received_path = directory / "snapshot.received"
        self._promotion = threading.Lock()
        for leftover in (self._written_path, self._received_path):
            leftover.unlink(missing_ok=True)

    def load(self) -> Snapshot | None:
        """The newest snapshot, verified. Raises StorageDamaged."""
        if not self.path.exists():
            return None
        return Snapshot(self.path)

    def size_bytes(self) -> int:
        """How large the newest snapshot is, 0 without one."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, capture: Capture, header: Header, *, is_stopped: Callable[[], bool]) -> None:
        """Encode a capture into the newest snapshot. Raises SnapshotStopped, OSError."""
        try:
            with self._written_path.open("wb") as file:
                os.fchmod(file.fileno(), durable_files.PRIVATE_MODE)
                _write_frames(file, capture, header, is_stopped=is_stopped)
                file.flush()
                os.fsync(file.fileno())
            self._promote(self._written_path, is_stopped=is_stopped)
        finally:
            self._written_path.unlink(missing_ok=True)

    def open_source(self) -> Source:
        """The newest snapshot opened for sending. Raises OSError, StorageDamaged."""
        file = self.path.open("rb")
        try:
            _, payload = next(_read_frames(file, self.path))
            index = msgspec.msgpack.decode(payload, type=Header).index
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return Source(file, index)

    def receive(self) -> "Incoming":
        """A snapshot about to arrive in pieces; replaces one that arrived halfway."""
        return Incoming(self._received_path)

    def promote_received(self) -> Snapshot:
        """Verify what was received and make it the newest. Raises StorageDamaged, OSError."""
        verified = Snapshot(self._received_path)
        self._promote(self._received_path, is_stopped=lambda: False)
        return verified.moved_to(self.path)

    def _promote(self, path: Path, *, is_stopped: Callable[[], bool]) -> None:
        with self._promotion:
            # Asked under the lock: a snapshot received meanwhile must not be replaced by an older.
            if is_stopped():
                raise SnapshotStopped
            if self.path.exists():
                beside = self._previous_path.with_name(self._previous_path.name + ".new")
                beside.unlink(missing_ok=True)
                # A link, not a rename: at no moment is there no `snapshot`.
                os.link(self.path, beside)
                beside.replace(self._previous_path)
            path.replace(self.path)
            durable_files.sync_directory(self.path.parent)


class Incoming:
    """The pieces of a snapshot that the leader sends, in order."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._file = path.open("xb")
        os.fchmod(self._file.fileno(), durable_files.PRIVATE_MODE)
        self.offset = 0

    def add(self, piece: bytes) -> None:
        """Append one piece. Raises OSError."""
        self._file.write(piece)
        self.offset += len(piece)

    def finish(self) -> None:
        """All pieces are there: make them durable. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Forget the pieces."""
        with contextlib.suppress(OSError):
            self._file.close()


def _write_frames(
    file: BinaryIO, capture: Capture, header: Header, *, is_stopped: Callable[[], bool]
) -> None:
    file.write(_MAGIC)
    frames = 0
    for tag, payload in _frames_of(capture, header):
        if is_stopped():
            raise SnapshotStopped
        file.write(_FRAME.pack(tag, len(payload), zlib.crc32(payload, zlib.crc32(tag))))
        file.write(payload)
        frames += 1
    payload = frames.to_bytes(8, "big")
    file.write(_FRAME.pack(b"E", len(payload), zlib.crc32(payload, zlib.crc32(b"E"))))
    file.write(payload)


def _frames_of(capture: Capture, header: Header) -> Iterator[tuple[bytes, bytes]]:
    yield b"H", msgspec.msgpack.encode(header)
    for start in range(0, len(capture.outcomes), _OUTCOMES_PER_FRAME):
        outcomes = capture.outcomes[start : start + _OUTCOMES_PER_FRAME]
        yield b"K", zlib.compress(msgspec.msgpack.encode(outcomes), _COMPRESSION)
    for chunk in capture.encode():
        yield b"C", zlib.compress(chunk, _COMPRESSION)


def _verify(path: Path) -> Header:
    header: Header | None = None
    try:
        with path.open("rb") as file:
            for tag, payload in _read_frames(file, path):
                if tag == b"H":
                    header = msgspec.msgpack.decode(payload, type=Header)
    except (msgspec.DecodeError, OSError) as error:
        raise damaged(path, str(error)) from error
    if header is None:
        raise damaged(path, "it has no header")
    return header


def _read_frames(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The frames up to the end frame; raises StorageDamaged before it yields a wrong one."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise damaged(path, "it is not a snapshot of this version")
    frames = 0
    while True:
        tag, payload = _read_frame(file, path)
        if tag == b"E":
            if int.from_bytes(payload, "big") != frames:
                raise damaged(path, "frames are missing")
            return
        yield tag, payload
        frames += 1


def _read_frame(file: BinaryIO, path: Path) -> tuple[bytes, bytes]:
    head = file.read(_FRAME.size)
    if len(head) < _FRAME.size:
        raise damaged(path, "it ends too early")
    tag, length, checksum = _FRAME.unpack(head)
    if length > _FRAME_BYTES_MAX:
        raise damaged(path, "a frame's length is not possible")
    payload = file.read(length)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(tag)) != checksum:
        raise damaged(path, "a checksum is wrong")
    return tag, payload
