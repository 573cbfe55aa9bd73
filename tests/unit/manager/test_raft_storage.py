"""Ballot, snapshot and the directory as a whole: complete, or refused with steps."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.errors import Conflict, InputError
from stackctl.manager.identity import TlsFiles
from stackctl.manager.raft import ballot
from stackctl.manager.raft.ballot import Ballot, BallotFile
from stackctl.manager.raft.damage import StorageDamaged
from stackctl.manager.raft.replica import Capture, Outcome, RememberedOutcome
from stackctl.manager.raft.settings import ConsensusSettings, Member
from stackctl.manager.raft.snapshots import Header, Snapshot, Snapshots, SnapshotStopped
from stackctl.manager.raft.storage import Storage, open_storage

quick = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

HEADER = Header(
    previous=(b"\x01", 9, 2),
    last=(b"\x00last", 10, 2),
    members=(("n1", "192.0.2.1:1"), ("n2", "192.0.2.2:1")),
    floor=3,
)
OUTCOMES = tuple(
    RememberedOutcome(f"key-{number}", Outcome("applied", number, b"r")) for number in range(2500)
)
CHUNKS = [b"one", b"", b"x" * 100_000]


def never() -> bool:
    return False


def capture(chunks: Iterable[bytes] = CHUNKS) -> Capture:
    return Capture(HEADER.members, HEADER.floor, OUTCOMES, lambda: iter(chunks))


class Texts:
    """A state machine of byte strings."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        self.texts.append(entry)
        return b""

    def capture(self) -> Callable[[], Iterator[bytes]]:
        texts = tuple(self.texts)
        return lambda: iter(texts)

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.texts = list(chunks)


class Unrestorable(Texts):
    """A state machine that does not understand what an older one wrote."""

    def restore(self, chunks: Iterable[bytes]) -> None:
        raise KeyError("unknown chunk")


def consensus_settings(directory: Path, *others: str) -> ConsensusSettings:
    nothing = directory / "nothing"
    return ConsensusSettings(
        node_id="n1",
        listen="192.0.2.1:1",
        members=tuple(Member(node_id, "192.0.2.9:1") for node_id in ("n1", *others)),
        directory=directory / "raft",
        tls=TlsFiles(ca_path=nothing, certificate_path=nothing, key_path=nothing),
    )


def close(storage: Storage) -> None:
    storage.log.close()
    storage.unlock()


def test_a_ballot_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ballot"
    assert ballot.load(path, node_id="n1") is None
    saved = Ballot(node_id="n1", members=(("n1", "192.0.2.1:1"),), term=7, voted_for="n2")
    BallotFile(path, saved).save(saved)
    loaded = ballot.load(path, node_id="n1")
    assert loaded is not None
    assert loaded.ballot == saved


@quick
@given(data=st.data())
def test_a_damaged_ballot_is_never_taken_for_term_zero(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "ballot"
    saved = Ballot(node_id="n1", members=(("n1", "192.0.2.1:1"),), term=7, voted_for="n2")
    BallotFile(path, saved).save(saved)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path.write_bytes(content)
    with pytest.raises(StorageDamaged):
        ballot.load(path, node_id="n1")


def test_the_directory_of_another_node_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "ballot"
    saved = Ballot(node_id="n2", members=())
    BallotFile(path, saved).save(saved)
    with pytest.raises(StorageDamaged, match="belongs to node n2, this is node n1"):
        ballot.load(path, node_id="n1")


def test_a_snapshot_gives_back_what_was_captured(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    assert snapshots.load() is None
    snapshots.write(capture(), HEADER, is_stopped=never)
    snapshot = snapshots.load()
    assert snapshot is not None
    assert snapshot.header == HEADER
    assert list(snapshot.chunks()) == CHUNKS
    assert tuple(snapshot.outcomes()) == OUTCOMES


@quick
@given(data=st.data())
def test_a_snapshot_with_a_changed_byte_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(capture(), HEADER, is_stopped=never)
    content = bytearray(snapshots.path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    snapshots.path.write_bytes(content)
    with pytest.raises(StorageDamaged):
        snapshots.load()


@quick
@given(keep=st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_snapshot_that_ends_too_early_is_refused(tmp_path: Path, keep: float) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.write(capture(), HEADER, is_stopped=never)
    content = snapshots.path.read_bytes()
    snapshots.path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(StorageDamaged):
        snapshots.load()


def test_the_previous_snapshot_is_kept(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    for index in (10, 20):
        last = (b"\x00last", index, 2)
        snapshots.write(capture(), msgspec.structs.replace(HEADER, last=last), is_stopped=never)
    assert Snapshot(snapshots.path).header.index == 20
    assert Snapshot(tmp_path / "snapshot.previous").header.index == 10
    assert sorted(each.name for each in tmp_path.iterdir()) == ["snapshot", "snapshot.previous"]


def test_a_stopped_snapshot_replaces_nothing(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    with pytest.raises(SnapshotStopped):
        snapshots.write(capture(), HEADER, is_stopped=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_whose_encoding_fails_replaces_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("cannot be encoded")

    snapshots = Snapshots(tmp_path)
    snapshots.write(capture(), HEADER, is_stopped=never)
    before = snapshots.path.read_bytes()
    with pytest.raises(ValueError, match="cannot be encoded"):
        snapshots.write(Capture(HEADER.members, 0, OUTCOMES, broken), HEADER, is_stopped=never)
    assert snapshots.path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["snapshot"]


def test_a_first_start_alone_is_established_and_among_others_is_not(tmp_path: Path) -> None:
    for name, others, expected in (("alone", (), True), ("joining", ("n2",), False)):
        storage = open_storage(consensus_settings(tmp_path / name, *others), Texts())
        assert storage.log.is_established is expected
        assert storage.applied_index == 1
        close(storage)


def test_later_starts_ignore_the_members_of_the_settings(tmp_path: Path) -> None:
    close(open_storage(consensus_settings(tmp_path), Texts()))
    storage = open_storage(consensus_settings(tmp_path, "n2", "n3"), Texts())
    assert list(storage.replica.members()) == ["n1"]
    close(storage)


def test_a_member_that_is_not_among_the_members_is_refused(tmp_path: Path) -> None:
    others = (Member("n2", "192.0.2.2:1"),)
    wrong = msgspec.structs.replace(consensus_settings(tmp_path), members=others)
    with pytest.raises(InputError, match="n1 is missing"):
        open_storage(wrong, Texts())
    assert list(tmp_path.iterdir()) == []


def test_a_lost_directory_never_founds_a_second_cluster(tmp_path: Path) -> None:
    close(open_storage(consensus_settings(tmp_path), Texts()))
    takes_part = msgspec.structs.replace(consensus_settings(tmp_path), members=())
    close(open_storage(takes_part, Texts()))
    shutil.rmtree(takes_part.directory)
    with pytest.raises(StorageDamaged, match="is empty, but node n1 takes part") as refusal:
        open_storage(takes_part, Texts())
    assert "stackctl node rm" in str(refusal.value.hint)


def test_two_managers_never_share_a_directory(tmp_path: Path) -> None:
    storage = open_storage(consensus_settings(tmp_path), Texts())
    with pytest.raises(Conflict, match="another stackctl-manager uses"):
        open_storage(consensus_settings(tmp_path), Texts())
    close(storage)
    close(open_storage(consensus_settings(tmp_path), Texts()))


def fill(directory: Path, machine: Texts) -> None:
    """A directory with a snapshot at entry 4 and a journal up to 6, committed up to 5."""
    storage = open_storage(consensus_settings(directory), machine)
    log = storage.log
    for index in range(2, 7):
        log.add(b"\x01", index, 1)
    log.setRaftCommitIndex(5)
    log.setCurrentTerm(1, "n1")
    machine.texts = [b"state"]
    header = Header((b"\x01", 3, 1), (b"\x01", 4, 1), (("n1", "192.0.2.9:1"),), 0)
    storage.snapshots.write(storage.replica.capture(), header, is_stopped=never)
    close(storage)


def test_a_start_restores_the_snapshot_and_keeps_the_journal_behind_it(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    machine = Texts()
    storage = open_storage(consensus_settings(tmp_path), machine)
    assert machine.texts == [b"state"]
    assert (storage.applied_index, storage.log.journal.last_index) == (4, 6)
    close(storage)


@pytest.mark.parametrize("missing", ["ballot", "journal"])
def test_a_missing_file_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    fill(tmp_path, Texts())
    (tmp_path / "raft" / missing).unlink()
    with pytest.raises(StorageDamaged, match=f"{missing} cannot be used: it is missing"):
        open_storage(consensus_settings(tmp_path), Texts())


def test_a_missing_snapshot_is_no_damage_while_the_journal_has_everything(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    (tmp_path / "raft" / "snapshot").unlink()
    storage = open_storage(consensus_settings(tmp_path), Texts())
    assert storage.applied_index == 1
    close(storage)


def test_a_missing_snapshot_is_refused_once_the_journal_has_forgotten(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    storage = open_storage(consensus_settings(tmp_path), Texts())
    rewrite = storage.log.journal.begin_rewrite(3)
    rewrite.write()
    assert storage.log.journal.adopt(rewrite)
    close(storage)
    (tmp_path / "raft" / "snapshot").unlink()
    with pytest.raises(StorageDamaged, match="the snapshot before it is missing"):
        open_storage(consensus_settings(tmp_path), Texts())


def test_a_journal_that_lost_committed_entries_at_its_end_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    storage = open_storage(consensus_settings(tmp_path), Texts())
    storage.log.journal.truncate(4)
    close(storage)
    with pytest.raises(StorageDamaged, match="ends at entry 4, entry 5 was committed"):
        open_storage(consensus_settings(tmp_path), Texts())


def test_a_snapshot_ahead_of_the_journal_is_the_half_of_an_installation(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    storage = open_storage(consensus_settings(tmp_path), Texts())
    header = Header((b"\x01", 99, 3), (b"\x01", 100, 3), (("n1", "192.0.2.9:1"),), 0)
    storage.snapshots.write(storage.replica.capture(), header, is_stopped=never)
    close(storage)
    storage = open_storage(consensus_settings(tmp_path), Texts())
    assert (storage.applied_index, storage.log.journal.last_index) == (100, 100)
    close(storage)


def test_a_snapshot_that_the_machine_cannot_read_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, Texts())
    with pytest.raises(StorageDamaged, match=r"entry 4 cannot be restored.*unknown chunk"):
        open_storage(consensus_settings(tmp_path), Unrestorable())
    close(open_storage(consensus_settings(tmp_path), Texts()))
