"""The ballot: term and vote, and the few other facts a member must never forget.

A member that forgot its vote could vote twice in one term and elect two leaders. So the ballot is
replaced durably inside the call that changes it, before any message speaks of the new term, and a
ballot that cannot be read refuses the start instead of counting as "term 0, no vote".

`established` is false for a member that began empty among others, until it holds everything its
leader had committed. Until then it neither votes nor stands for election in a cluster that has
entries: an emptied directory has forgotten what it once acknowledged.
"""

import zlib
from pathlib import Path

import msgspec

from stackctl.manager import durable_files
from stackctl.manager.raft.damage import StorageDamaged, damaged

_MAGIC = b"SCTLBAL1"


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """What survives every restart. `members` is who took part when this member first started."""

    node_id: str
    members: tuple[tuple[str, str], ...]
    term: int = 0
    voted_for: str | None = None
    commit_index: int = 1
    established: bool = False


class BallotFile:
    """The ballot's file; every `save` is durable when it returns."""

    def __init__(self, path: Path, ballot: Ballot) -> None:
        self._path = path
        self._ballot = ballot

    @property
    def ballot(self) -> Ballot:
        """The ballot as last saved."""
        return self._ballot

    def save(self, ballot: Ballot) -> None:
        """Replace the ballot. Raises OSError."""
        content = msgspec.msgpack.encode(ballot)
        checksum = zlib.crc32(content).to_bytes(4, "big")
        durable_files.write_durably(self._path, _MAGIC + checksum + content)
        self._ballot = ballot


def load(path: Path, *, node_id: str) -> BallotFile | None:
    """The ballot in `path`, None when there is no file. Raises StorageDamaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body = content[12:]
    if content[:8] != _MAGIC or zlib.crc32(body).to_bytes(4, "big") != content[8:12]:
        raise damaged(path, "its checksum is wrong")
    try:
        ballot = msgspec.msgpack.decode(body, type=Ballot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from error
    if ballot.node_id != node_id:
        raise StorageDamaged(
            f"{path.parent} belongs to node {ballot.node_id}, this is node {node_id}",
            hint="point this manager to its own directory, or move the foreign one away",
        )
    return BallotFile(path, ballot)
