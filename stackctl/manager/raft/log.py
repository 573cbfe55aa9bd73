"""Journal and ballot together, under the method names by which pysyncobj calls its own journal."""

from typing import Any

import msgspec

from stackctl.manager.raft.ballot import BallotFile
from stackctl.manager.raft.journal import Journal, LogEntry

_BALLOT_PERIOD_SECONDS = 10


class Log:
    """What the Raft core writes to. Owned by the consensus thread."""

    def __init__(self, journal: Journal, ballot_file: BallotFile) -> None:
        self.journal = journal
        self._ballot_file = ballot_file
        self._commit_index = ballot_file.ballot.commit_index
        self._seconds = 0

    @property
    def is_established(self) -> bool:
        """Whether this member may vote in a cluster that has entries."""
        return self._ballot_file.ballot.established

    def establish(self) -> None:
        """Remember for ever that this member holds what the others rely on. Raises OSError."""
        self._save(established=True)

    def last(self) -> LogEntry:
        """The newest entry."""
        return self.journal[-1]  # type: ignore[return-value]  # an int index gives one entry

    def add(self, command: bytes, index: int, term: int) -> None:
        self.journal.append((command, index, term))

    def deleteEntriesFrom(self, position: int) -> None:
        self.journal.truncate(position)

    def __getitem__(self, item: Any) -> Any:
        return self.journal[item]

    def __len__(self) -> int:
        return len(self.journal)

    def setRaftCommitIndex(self, index: int) -> None:
        self._commit_index = index

    def getRaftCommitIndex(self) -> int:
        return self._commit_index

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:
        """Durable when it returns: messages of the new term may follow at once."""
        self._save(term=term, voted_for=voted_for)

    def getCurrentTerm(self) -> int:
        return self._ballot_file.ballot.term

    def getVotedForNodeId(self) -> str | None:
        return self._ballot_file.ballot.voted_for

    def onOneSecondTimer(self) -> None:
        self._seconds += 1
        is_old = self._commit_index != self._ballot_file.ballot.commit_index
        if is_old and self._seconds % _BALLOT_PERIOD_SECONDS == 0:
            self._save()

    def close(self) -> None:
        """Sync and close. Raises OSError."""
        self.journal.close()
        self._save()

    def _destroy(self) -> None:
        self.close()

    def _save(self, **changes: Any) -> None:
        # A commit index in the ballot lets a start notice that committed entries are gone, so it
        # must never be ahead of what is durable here.
        durable = min(self._commit_index, self.journal.synced_index)
        ballot = self._ballot_file.ballot
        commit_index = max(durable, ballot.commit_index)
        self._ballot_file.save(
            msgspec.structs.replace(ballot, commit_index=commit_index, **changes)
        )
