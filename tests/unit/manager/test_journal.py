"""The journal gives back a prefix of what was written, or refuses: never anything else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.manager.raft import journal
from stackctl.manager.raft.damage import StorageDamaged
from stackctl.manager.raft.journal import LogEntry

FIRST: LogEntry = (b"first", 1, 0)

batches = st.lists(
    st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), min_size=1, max_size=5
)
quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def log(path: Path) -> Iterator[journal.Journal]:
    log = journal.create(path, [FIRST])
    yield log
    log.close()


def append(log: journal.Journal, *commands: bytes, term: int = 1) -> None:
    for command in commands:
        log.append((command, log.last_index + 1, term))


def entries(log: journal.Journal) -> list[LogEntry]:
    return list(log.entries_from(0))


def write_batches(path: Path, commands: list[list[bytes]]) -> list[LogEntry]:
    """A journal with one sync for each batch."""
    log = journal.create(path, [FIRST])
    for batch in commands:
        append(log, *batch)
        log.sync()
    written = entries(log)
    log.close()
    return written


def load_or_refuse(path: Path) -> list[LogEntry] | None:
    try:
        log = journal.load(path)
    except StorageDamaged:
        return None
    found = entries(log)
    log.close()
    return found


def test_a_restart_gives_back_every_entry(path: Path) -> None:
    written = write_batches(path, [[b"a", b"bb"], [b"x" * 5000]])
    assert load_or_refuse(path) == written


def test_entries_are_not_written_before_a_sync(path: Path, log: journal.Journal) -> None:
    size = path.stat().st_size
    append(log, b"a", b"b")
    assert (path.stat().st_size, log.synced_index) == (size, 1)
    log.sync()
    assert path.stat().st_size > size
    assert log.synced_index == 3


def test_a_sync_without_news_does_not_touch_the_disk(
    log: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, b"a")
    log.sync()
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    log.sync()
    assert synced == []
    append(log, b"b", b"c")
    log.sync()
    log.sync()
    assert len(synced) == 1, "one sync covers a whole batch"


def test_the_sync_comes_after_the_write(
    path: Path, log: journal.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: sizes.append(path.stat().st_size))
    append(log, b"a")
    log.sync()
    assert sizes == [path.stat().st_size]


@quick
@given(commands=batches, keep=st.floats(min_value=0, max_value=1))
def test_any_cut_leaves_a_prefix_or_a_refusal(
    tmp_path: Path, commands: list[list[bytes]], keep: float
) -> None:
    path = tmp_path / "journal"
    written = write_batches(path, commands)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    found = load_or_refuse(path)
    assert found is None or found == written[: len(found)]


@quick
@given(commands=batches, data=st.data())
def test_any_flipped_bit_leaves_a_prefix_or_a_refusal(
    tmp_path: Path, commands: list[list[bytes]], data: st.DataObject
) -> None:
    path = tmp_path / "journal"
    written = write_batches(path, commands)
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    found = load_or_refuse(path)
    assert found is None or found == written[: len(found)]


@quick
@given(commands=batches, data=st.data())
def test_a_flipped_bit_before_the_last_batch_is_always_refused(
    tmp_path: Path, commands: list[list[bytes]], data: st.DataObject
) -> None:
    path = tmp_path / "journal"
    write_batches(path, commands)
    acknowledged = path.stat().st_size
    log = journal.load(path)
    append(log, b"the batch after")
    log.sync()
    log.close()
    content = bytearray(path.read_bytes())
    # The last four bytes of the header are not used.
    bit = data.draw(st.integers(0, 8 * acknowledged - 1).filter(lambda bit: not 160 <= bit < 192))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert load_or_refuse(path) is None


@quick
@given(
    acknowledged=batches,
    torn=st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=6),
    data=st.data(),
)
def test_a_batch_that_was_torn_anywhere_before_its_sync_is_cut_off(
    tmp_path: Path, acknowledged: list[list[bytes]], torn: list[bytes], data: st.DataObject
) -> None:
    """After a power cut any page of an unsynced write may be missing, later ones present."""
    path = tmp_path / "journal"
    written = write_batches(path, acknowledged)
    start = path.stat().st_size
    log = journal.load(path)
    append(log, *torn)
    log.sync()
    log.close()
    content = bytearray(path.read_bytes())
    hole = data.draw(st.integers(start, len(content) - 1))
    end = data.draw(st.integers(hole + 1, len(content)))
    content[hole:end] = bytes(end - hole)
    path.write_bytes(content)
    found = load_or_refuse(path)
    assert found is not None, "a batch that nobody acknowledged is no damage"
    assert found[: len(written)] == written


def test_appending_continues_after_a_torn_tail(path: Path) -> None:
    write_batches(path, [[b"a"], [b"b"]])
    path.write_bytes(path.read_bytes()[:-1])
    log = journal.load(path)
    assert log.last_index == 2
    append(log, b"c")
    log.close()
    assert load_or_refuse(path) == [FIRST, (b"a", 2, 1), (b"c", 3, 1)]


def test_an_entry_that_does_not_follow_is_refused_and_changes_nothing(
    log: journal.Journal,
) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        log.append((b"gap", 5, 1))
    assert entries(log) == [FIRST]


@pytest.mark.parametrize("content", [b"", b"SCTL", b"PYSYNCOBJ" + bytes(100)])
def test_a_file_that_is_no_journal_is_refused_with_steps(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageDamaged) as refusal:
        journal.load(path)
    assert refusal.value.hint is not None
    assert "stackctl node rm" in refusal.value.hint
    assert str(path.parent) in refusal.value.hint


def test_a_truncation_is_durable_and_appending_continues(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a", b"b", b"c")
    log.sync()
    log.truncate(2)
    assert (log.last_index, log.synced_index) == (2, 2)
    append(log, b"other", term=2)
    log.close()
    assert load_or_refuse(path) == [FIRST, (b"a", 2, 1), (b"other", 3, 2)]


def test_a_truncation_reaches_into_what_is_not_written_yet(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a")
    log.sync()
    append(log, b"b", b"c")
    log.truncate(2)
    log.close()
    assert load_or_refuse(path) == [FIRST, (b"a", 2, 1)]


def test_a_rewrite_keeps_the_end_and_what_came_meanwhile(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, *[b"%d" % number for number in range(2, 11)])
    log.sync()
    rewrite = log.begin_rewrite(7)
    append(log, b"meanwhile")
    rewrite.write()
    assert log.adopt(rewrite)
    assert (log.first_index, log.last_index) == (7, 11)
    append(log, b"after")
    kept = entries(log)
    log.close()
    assert load_or_refuse(path) == kept
    assert [command for command, _, _ in kept] == [
        b"7", b"8", b"9", b"10", b"meanwhile", b"after",
    ]  # fmt: skip


def test_a_rewrite_is_dropped_when_its_entries_were_truncated_meanwhile(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a", b"b", b"c")
    rewrite = log.begin_rewrite(2)
    rewrite.write()
    log.truncate(3)
    append(log, b"other", term=2)
    assert not log.adopt(rewrite)
    log.close()
    assert load_or_refuse(path) == [FIRST, (b"a", 2, 1), (b"b", 3, 1), (b"other", 4, 2)]
    assert [each.name for each in path.parent.iterdir()] == ["journal"]


def test_the_rest_of_a_rewrite_is_removed_by_the_next_start(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a", b"b")
    log.begin_rewrite(2).write()
    log.close()
    journal.load(path).close()
    assert [each.name for each in path.parent.iterdir()] == ["journal"]


def test_a_bit_flipped_in_a_rewritten_journal_is_damage_even_at_its_end(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a", b"b", b"c")
    rewrite = log.begin_rewrite(2)
    rewrite.write()
    log.adopt(rewrite)
    log.close()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert load_or_refuse(path) is None


def test_a_reset_starts_where_a_snapshot_ends(path: Path) -> None:
    log = journal.create(path, [FIRST])
    append(log, b"a")
    log.reset([(b"x", 99, 3), (b"y", 100, 4)])
    append(log, b"z", term=4)
    log.close()
    assert load_or_refuse(path) == [(b"x", 99, 3), (b"y", 100, 4), (b"z", 101, 4)]
