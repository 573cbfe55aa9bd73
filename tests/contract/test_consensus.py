"""The promises of the replicated log, held by the real one and by the fake."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from stackctl.errors import ClusterUnavailable, Conflict, InputError, StackctlError
from stackctl.manager import certificates
from stackctl.manager.consensus import (
    Consensus,
    ConsensusSettings,
    Leadership,
    Member,
    ReplicatedLog,
)
from stackctl.manager.identity import IdentityDirectory
from tests.contract.consensus_cluster import free_port
from tests.eventually import eventually
from tests.fakes.consensus import FakeConsensus, FakeDisk

SECONDS = 10.0


class Recorder:
    """A state machine that keeps what it was given."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.places: list[tuple[int, int]] = []

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        if entry == b"raise":
            raise ValueError("cannot be applied")
        self.entries.append(entry)
        self.places.append((index, term))
        return b"answer to " + entry

    def capture(self) -> Callable[[], Iterator[bytes]]:
        entries = tuple(self.entries)
        return lambda: iter(entries)

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.entries = list(chunks)


class Run(Protocol):
    """Starts a member; the second start of the same fixture is a restart."""

    def __call__(self, machine: Recorder) -> ReplicatedLog: ...


class Started:
    """Members that a test started, with what they reported."""

    def __init__(self, make: Callable[[Recorder, Callable[[Leadership], None]], ReplicatedLog]):
        self._make = make
        self.reports: list[Leadership] = []
        self.running: list[ReplicatedLog] = []

    def __call__(self, machine: Recorder) -> ReplicatedLog:
        log = self._make(machine, self.reports.append)
        log.start()
        self.running.append(log)
        eventually(lambda: log.leadership().is_leader, timeout_seconds=5, period_seconds=0.005)
        return log

    def stop(self) -> None:
        for log in self.running:
            log.stop()


def make_fake(_: Path) -> Any:
    disk = FakeDisk()
    return lambda machine, report: FakeConsensus(machine, on_leadership=report, disk=disk)


def make_real(directory: Path) -> Any:
    authority = certificates.create_cluster_authority()
    key_pem = certificates.create_key()
    subject = certificates.Subject(node_id="n1", role="manager", cluster_id="c")
    identity = IdentityDirectory(directory / "identity")
    identity.write_authority(certificate_pem=authority.certificate_pem, key_pem=None)
    identity.write_node(
        certificate_pem=certificates.issue_for_key(key_pem, authority=authority, subject=subject),
        key_pem=key_pem,
    )
    address = f"127.0.0.1:{free_port()}"
    settings = ConsensusSettings(
        node_id="n1",
        listen=address,
        members=(Member("n1", address),),
        directory=directory / "raft",
        tls=identity.tls_files(),
    )
    return lambda machine, report: Consensus(settings, machine, on_leadership=report)


@pytest.fixture(params=[make_fake, make_real], ids=["fake", "real"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Started]:
    started = Started(request.param(tmp_path))
    yield started
    started.stop()


def propose(log: ReplicatedLog, entry: bytes, *, key: str | None = None) -> bytes:
    future = log.propose(entry, key=key or entry.decode(), timeout_seconds=SECONDS)
    return future.result(SECONDS)


def test_the_answer_of_the_state_machine_reaches_the_proposer(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    assert propose(log, b"one") == b"answer to one"
    assert machine.entries == [b"one"]


def test_entries_are_applied_in_order_at_growing_indexes(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    futures = [
        log.propose(b"%d" % number, key=str(number), timeout_seconds=SECONDS)
        for number in range(50)
    ]
    for future in futures:
        future.result(SECONDS)
    assert machine.entries == [b"%d" % number for number in range(50)]
    assert machine.places == sorted(set(machine.places))


def test_the_same_key_is_applied_once_and_answered_twice(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    assert propose(log, b"first", key="k") == b"answer to first"
    assert propose(log, b"again", key="k") == b"answer to first"
    assert machine.entries == [b"first"]


def test_an_entry_that_raises_fails_its_proposer_and_nobody_else(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    with pytest.raises(StackctlError, match="ValueError"):
        propose(log, b"raise")
    assert propose(log, b"next") == b"answer to next"


def test_an_entry_that_raised_does_not_stop_the_next_start(start: Started) -> None:
    log = start(Recorder())
    with pytest.raises(StackctlError):
        propose(log, b"raise")
    propose(log, b"next")
    log.stop()
    machine = Recorder()
    start(machine)
    assert machine.entries == [b"next"]


def test_leadership_is_reported_with_its_term(start: Started) -> None:
    log = start(Recorder())
    leadership = log.leadership()
    assert leadership.leader_id == "n1"
    assert leadership.term >= 1
    assert start.reports[-1] == leadership


def test_a_restart_leads_a_later_term(start: Started) -> None:
    log = start(Recorder())
    before = log.leadership().term
    log.stop()
    assert start(Recorder()).leadership().term > before


def test_a_leader_knows_everything_confirmed_before_it_reports_itself(start: Started) -> None:
    log = start(Recorder())
    for number in range(20):
        propose(log, b"%d" % number)
    log.stop()
    machine = Recorder()
    start(machine)
    assert len(machine.entries) == 20


def test_keys_are_remembered_over_a_restart(start: Started) -> None:
    log = start(Recorder())
    propose(log, b"first", key="k")
    log.stop()
    assert propose(start(Recorder()), b"again", key="k") == b"answer to first"


def test_a_read_barrier_is_as_new_as_what_was_confirmed(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    propose(log, b"one")
    index = log.read_barrier(timeout_seconds=SECONDS).result(SECONDS)
    assert index >= machine.places[-1][0]
    assert log.applied_index() >= index


def test_concurrent_readers_are_all_answered(start: Started) -> None:
    log = start(Recorder())
    readers = [log.read_barrier(timeout_seconds=SECONDS) for _ in range(200)]
    assert all(reader.result(SECONDS) >= 0 for reader in readers)


def test_a_stopped_member_refuses_what_comes(start: Started) -> None:
    log = start(Recorder())
    log.stop()
    with pytest.raises(ClusterUnavailable):
        log.propose(b"late", key="late", timeout_seconds=SECONDS).result(SECONDS)
    with pytest.raises(ClusterUnavailable):
        log.read_barrier(timeout_seconds=SECONDS).result(SECONDS)


def test_an_entry_over_a_mebibyte_is_refused_at_once(start: Started) -> None:
    machine = Recorder()
    log = start(machine)
    with pytest.raises(InputError, match="1048577 bytes"):
        log.propose(b"x" * ((1 << 20) + 1), key="large", timeout_seconds=SECONDS)
    assert machine.entries == []


def test_members_start_as_this_node(start: Started) -> None:
    assert [member.node_id for member in start(Recorder()).members()] == ["n1"]


def test_adding_a_member_that_is_one_is_done_already(start: Started) -> None:
    log = start(Recorder())
    (self_member,) = log.members()
    log.add_member(self_member, timeout_seconds=SECONDS).result(SECONDS)
    assert log.members() == (self_member,)


def test_adding_a_member_under_another_address_is_a_conflict(start: Started) -> None:
    log = start(Recorder())
    with pytest.raises(Conflict, match="n1"):
        log.add_member(Member("n1", "192.0.2.7:1"), timeout_seconds=SECONDS).result(SECONDS)


def test_removing_a_stranger_is_done_already(start: Started) -> None:
    log = start(Recorder())
    log.remove_member("n9", timeout_seconds=SECONDS).result(SECONDS)
    assert len(log.members()) == 1


def test_the_only_member_cannot_be_removed(start: Started) -> None:
    log = start(Recorder())
    with pytest.raises(Conflict, match="only manager"):
        log.remove_member("n1", timeout_seconds=SECONDS).result(SECONDS)
    assert propose(log, b"still works") == b"answer to still works"
