"""The journal: every entry of the replicated log on disk, and in memory while it is needed.

Format: a header, then records.

    header   magic 8 | sealed 8 | crc 4 | unused 4      bytes below `sealed` were synced before use
    record   magic 4 | crc 4 | length 4 | index 8 | term 8 | synced 8 | the entry, `length` bytes

`synced` is the highest index known durable when the record was written. It tells a torn tail from
damage: after a power cut any part of the batch that was not synced yet may be missing, even its
first pages while later ones arrived, and none of it was ever acknowledged; so a broken record is
cut off together with what follows. But when a later record says that the broken one was durable,
or when it lies in the sealed part, acknowledged entries are lost, and the journal refuses.

Appending only fills a buffer; `sync` writes it with one call and one fdatasync, whoever
acknowledges an entry calls it before. Forgetting old entries rewrites the file beside this one on
a background thread (`Rewrite`), so that no disk is waited for on the consensus thread.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stackctl.manager import durable_files
from stackctl.manager.raft.damage import damaged

# The library's own shape of an entry: command, index, term.
LogEntry = tuple[bytes, int, int]

_FILE_MAGIC = b"SCTLJNL1"
_RECORD_MAGIC = b"\xf5RE\x01"
_HEADER = struct.Struct(">8sQI4x")
_RECORD = struct.Struct(">4sIIQQQ")
_CRC_START = 8  # the checksum covers everything after itself


class Journal:
    """The log as a sequence of (command, index, term) with contiguous indexes.

    Not thread-safe: owned by the consensus thread. Every method that touches the file may raise
    OSError, after which the journal must not be used any more.
    """

    def __init__(self, path: Path, entries: list[LogEntry], descriptor: int, end: int) -> None:
        self._path = path
        self._entries = entries
        self._descriptor = descriptor
        self._end = end
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._dirty = False
        self._synced_index = entries[-1][1]
        self._log_bytes = sum(len(entry[0]) for entry in entries)
        # Counts truncations, so that a rewrite that ran meanwhile notices that it is stale.
        self._truncations = 0

    @property
    def synced_index(self) -> int:
        """Entries up to this index survive a power cut."""
        return self._synced_index

    @property
    def log_bytes(self) -> int:
        """Bytes of all entries held, in memory and on disk alike."""
        return self._log_bytes

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, item: int | slice) -> LogEntry | list[LogEntry]:
        return self._entries[item]

    def entry_at(self, index: int) -> LogEntry | None:
        """The entry with that index, None when it is forgotten or does not exist yet."""
        position = index - self._entries[0][1]
        return self._entries[position] if 0 <= position < len(self._entries) else None

    def entries_from(self, index: int) -> Sequence[LogEntry]:
        """All entries held from that index on."""
        return self._entries[max(0, index - self._entries[0][1]) :]

    @property
    def first_index(self) -> int:
        """The index of the oldest entry held."""
        return self._entries[0][1]

    @property
    def last_index(self) -> int:
        """The index of the newest entry."""
        return self._entries[-1][1]

    def append(self, entry: LogEntry) -> None:
        """Add the next entry; it is durable after the next `sync`."""
        if entry[1] != self.last_index + 1:
            raise ValueError(f"entry {entry[1]} does not follow entry {self.last_index}")
        self._entries.append(entry)
        record = _encode_record(entry, synced_index=self._synced_index)
        self._buffer.append(record)
        self._buffered_bytes += len(record)
        self._log_bytes += len(entry[0])
        self._dirty = True

    def sync(self) -> None:
        """Make every appended entry (and every truncation) durable; cheap when there is none."""
        if not self._dirty:
            return
        self._write_buffer()
        os.fdatasync(self._descriptor)
        self._dirty = False
        self._synced_index = self.last_index

    def truncate(self, from_position: int) -> None:
        """Remove the entries from that position in the sequence on (not index)."""
        removed = self._entries[from_position:]
        if not removed:
            return
        if from_position < 1:
            raise ValueError("the first entry of the journal cannot be truncated")
        self._write_buffer()
        self._end -= sum(_RECORD.size + len(entry[0]) for entry in removed)
        os.ftruncate(self._descriptor, self._end)
        # At once: new records over a tail that a power cut brings back would look like damage.
        os.fdatasync(self._descriptor)
        del self._entries[from_position:]
        self._log_bytes -= sum(len(entry[0]) for entry in removed)
        self._synced_index = self.last_index
        self._dirty = False
        self._truncations += 1

    def begin_rewrite(self, first_index: int) -> "Rewrite":
        """A copy without the entries before `first_index`, to be written by another thread."""
        return Rewrite(
            path=self._path.with_name(self._path.name + ".rewrite"),
            entries=tuple(self.entries_from(first_index)),
            truncations=self._truncations,
        )

    def adopt(self, rewrite: "Rewrite") -> bool:
        """Continue in a finished rewrite. False when entries it holds were truncated meanwhile."""
        if rewrite.truncations != self._truncations:
            rewrite.discard()
            return False
        last_copied = rewrite.entries[-1][1]
        newer = list(self.entries_from(last_copied + 1))
        descriptor = os.open(rewrite.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        records = [_encode_record(entry, synced_index=last_copied) for entry in newer]
        durable_files.write_all(descriptor, b"".join(records))
        os.fdatasync(descriptor)
        rewrite.path.replace(self._path)
        durable_files.sync_directory(self._path.parent)
        self._continue_in(descriptor, [*rewrite.entries, *newer])
        return True

    def reset(self, entries: Sequence[LogEntry]) -> None:
        """Replace the whole log by `entries`: what a received snapshot ends with."""
        descriptor = _write_file(self._path, entries)
        self._truncations += 1
        self._continue_in(descriptor, list(entries))

    def close(self) -> None:
        """Sync and close; closing twice is harmless."""
        if self._descriptor < 0:
            return
        self.sync()
        self.abandon()

    def abandon(self) -> None:
        """Close without a sync: what was not acknowledged may be lost."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _continue_in(self, descriptor: int, entries: list[LogEntry]) -> None:
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._entries = entries
        self._end = os.fstat(descriptor).st_size
        self._buffer = []
        self._buffered_bytes = 0
        self._dirty = False
        self._synced_index = self.last_index
        self._log_bytes = sum(len(entry[0]) for entry in entries)

    def _write_buffer(self) -> None:
        if not self._buffer:
            return
        durable_files.write_all(self._descriptor, b"".join(self._buffer))
        self._end += self._buffered_bytes
        self._buffer = []
        self._buffered_bytes = 0


class Rewrite:
    """The background half of forgetting: writes the kept entries beside the journal."""

    def __init__(self, *, path: Path, entries: Sequence[LogEntry], truncations: int) -> None:
        self.path = path
        self.entries = entries
        self.truncations = truncations

    def write(self) -> None:
        """Write and sync the copy. Runs on any thread. Raises OSError."""
        os.close(_write_beside(self.path, self.entries))

    def discard(self) -> None:
        """Remove the copy."""
        self.path.unlink(missing_ok=True)


def create(path: Path, entries: Sequence[LogEntry]) -> Journal:
    """A new journal with these first entries (at least one). Raises OSError."""
    descriptor = _write_file(path, entries)
    return Journal(path, list(entries), descriptor, os.fstat(descriptor).st_size)


def load(path: Path) -> Journal:
    """The journal in `path`, a torn tail cut off. Raises StorageDamaged, OSError."""
    content = path.read_bytes()
    scan = scan_records(content)
    if scan.damage is not None:
        raise damaged(path, scan.damage)
    path.with_name(path.name + ".rewrite").unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    if scan.end < len(content):
        os.ftruncate(descriptor, scan.end)
    # Also where nothing was cut: what the last run wrote but did not sync counts from now on.
    os.fdatasync(descriptor)
    return Journal(path, scan.entries, descriptor, scan.end)


class Scan(NamedTuple):
    """What the bytes of a journal hold: entries up to offset `end`, or the damage in words."""

    entries: list[LogEntry]
    end: int
    damage: str | None


def scan_records(content: bytes) -> Scan:
    """Read the bytes of a journal; pure."""
    if len(content) < _HEADER.size:
        return Scan([], 0, "its header is missing")
    magic, sealed_end, checksum = _HEADER.unpack_from(content)
    if magic != _FILE_MAGIC or checksum != zlib.crc32(content[:16]):
        return Scan([], 0, "its header is not that of a journal of this version")
    entries: list[LogEntry] = []
    offset = _HEADER.size
    while offset < len(content):
        record = _decode_record(content, offset)
        if record is None or (entries and record.index != entries[-1][1] + 1):
            break
        entries.append((record.command, record.index, record.term))
        offset = record.end
    if offset < sealed_end:
        return Scan(entries, offset, f"a record at byte {offset} is damaged or missing")
    if offset < len(content) and _was_durable(content, offset, index=entries[-1][1] + 1):
        why = f"the record at byte {offset} is damaged, yet entries after it were acknowledged"
        return Scan(entries, offset, why)
    return Scan(entries, offset, None)


def _was_durable(content: bytes, broken_at: int, *, index: int) -> bool:
    """Whether a record after the broken one says that entry `index` had been synced."""
    position = content.find(_RECORD_MAGIC, broken_at + 1)
    while position >= 0:
        record = _decode_record(content, position)
        if record is not None and record.synced >= index:
            return True
        position = content.find(_RECORD_MAGIC, position + 1)
    return False


class _Record(msgspec.Struct, frozen=True, gc=False):
    command: bytes
    index: int
    term: int
    synced: int
    end: int


def _decode_record(content: bytes, offset: int) -> _Record | None:
    body = offset + _RECORD.size
    if body > len(content):
        return None
    magic, checksum, length, index, term, synced = _RECORD.unpack_from(content, offset)
    if magic != _RECORD_MAGIC or body + length > len(content):
        return None
    if zlib.crc32(memoryview(content)[offset + _CRC_START : body + length]) != checksum:
        return None
    return _Record(content[body : body + length], index, term, synced, body + length)


def _encode_record(entry: LogEntry, *, synced_index: int) -> bytes:
    command, index, term = entry
    unsealed = _RECORD.pack(_RECORD_MAGIC, 0, len(command), index, term, synced_index)
    checksum = zlib.crc32(command, zlib.crc32(unsealed[_CRC_START:]))
    return b"".join((_RECORD_MAGIC, checksum.to_bytes(4, "big"), unsealed[_CRC_START:], command))


def _encode_file(entries: Iterable[LogEntry]) -> bytes:
    body = b"".join(_encode_record(entry, synced_index=0) for entry in entries)
    sealed_end = _HEADER.size + len(body)
    head = _FILE_MAGIC + sealed_end.to_bytes(8, "big")
    return _HEADER.pack(_FILE_MAGIC, sealed_end, zlib.crc32(head)) + body


def _write_beside(beside: Path, entries: Sequence[LogEntry]) -> int:
    """Write a synced journal file; returns the descriptor for appending to it."""
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(beside, flags, durable_files.PRIVATE_MODE)
    try:
        durable_files.write_all(descriptor, _encode_file(entries))
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _write_file(path: Path, entries: Sequence[LogEntry]) -> int:
    beside = path.with_name(path.name + ".new")
    descriptor = _write_beside(beside, entries)
    beside.replace(path)
    durable_files.sync_directory(path.parent)
    return descriptor
