"""What of a leader's message this member holds already; pure.

The library's core deletes everything after `previous_index` before it appends, even entries that
are the same and that this member has acknowledged: while they are gone, a committed entry may be
on too few members. Raft deletes only on a conflict. So what is already here is stripped before the
core sees the message; what remains either conflicts or is new.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from stackctl.manager.raft.journal import LogEntry
from stackctl.manager.raft.messages import AppendEntries


class Held(Protocol):
    """The part of a log that is still held (the journal is one)."""

    def entry_at(self, index: int) -> LogEntry | None:
        """The entry with that index, None when it is forgotten or does not exist yet."""
        ...


class Stripped(msgspec.Struct, frozen=True):
    """`verified_index`: up to here our log is known to equal the leader's. `remaining` follows."""

    verified_index: int
    verified_term: int
    remaining: Sequence[LogEntry]


def strip_known(message: AppendEntries, *, journal: Held, applied_index: int) -> Stripped | None:
    """None when our log does not contain the leader's previous entry."""

    def is_known(index: int, term: int) -> bool:
        entry = journal.entry_at(index)
        if entry is None:
            # Forgotten entries were applied, so committed, so equal in every leader's log.
            return index <= applied_index
        return entry[2] == term

    if not is_known(message.previous_index, message.previous_term):
        return None
    verified = (message.previous_index, message.previous_term)
    for position, (_, index, term) in enumerate(message.entries):
        if not is_known(index, term):
            return Stripped(*verified, message.entries[position:])
        verified = (index, term)
    return Stripped(*verified, ())


def is_contiguous(message: AppendEntries) -> bool:
    """Whether the entries follow each other and the previous one, as a sane leader sends them."""
    expected = range(message.previous_index + 1, message.previous_index + 1 + len(message.entries))
    return all(
        entry[1] == index and len(entry[0]) > 0
        for entry, index in zip(message.entries, expected, strict=True)
    )
