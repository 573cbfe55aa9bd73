"""When a member cannot go on it says so once, and when it cannot start it leaves nothing behind."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from stackctl.errors import ClusterUnavailable, Conflict, InputError, StackctlError
from stackctl.manager import certificates
from stackctl.manager.consensus import Consensus, ConsensusSettings, Leadership, Member
from stackctl.manager.identity import IdentityDirectory, IdentityUnusable
from stackctl.manager.raft import journal
from stackctl.manager.raft.library import UnsuitableLibrary, assert_names
from tests.contract.consensus_cluster import free_port
from tests.eventually import eventually

SECONDS = 5.0


class Nothing:
    """A state machine without state."""

    def apply(self, entry: bytes, *, index: int, term: int) -> bytes:
        return entry

    def capture(self) -> Callable[[], Iterator[bytes]]:
        return lambda: iter(())

    def restore(self, chunks: Iterable[bytes]) -> None:
        pass


class Manager:
    """One member with what it reported."""

    def __init__(
        self,
        settings: ConsensusSettings,
        *,
        on_leadership: Callable[[Leadership], None] = lambda _: None,
    ) -> None:
        self.failures: list[StackctlError] = []
        self.has_failed = threading.Event()
        self.consensus = Consensus(
            settings, Nothing(), on_leadership=on_leadership, on_failure=self._fail
        )

    def _fail(self, error: StackctlError) -> None:
        self.failures.append(error)
        self.has_failed.set()

    def start(self) -> Consensus:
        self.consensus.start()
        return self.consensus

    def wait_leader(self) -> Consensus:
        eventually(lambda: self.consensus.leadership().is_leader, timeout_seconds=SECONDS)
        return self.consensus


@pytest.fixture
def settings(tmp_path: Path) -> ConsensusSettings:
    authority = certificates.create_cluster_authority()
    key_pem = certificates.create_key()
    subject = certificates.Subject(node_id="n1", role="manager", cluster_id="c")
    identity = IdentityDirectory(tmp_path / "identity")
    identity.write_authority(certificate_pem=authority.certificate_pem, key_pem=None)
    identity.write_node(
        certificate_pem=certificates.issue_for_key(key_pem, authority=authority, subject=subject),
        key_pem=key_pem,
    )
    address = f"127.0.0.1:{free_port()}"
    return ConsensusSettings(
        node_id="n1",
        listen=address,
        members=(Member("n1", address),),
        directory=tmp_path / "raft",
        tls=identity.tls_files(),
    )


def propose(consensus: Consensus, key: str) -> bytes:
    return consensus.propose(b"x", key=key, timeout_seconds=SECONDS).result(SECONDS)


def test_a_failing_disk_ends_the_member_and_confirms_nothing(
    settings: ConsensusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Manager(settings)
    consensus = manager.start()
    manager.wait_leader()
    propose(consensus, "before")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(StackctlError, match="No space left on device"):
            propose(consensus, "lost")
        assert manager.has_failed.wait(SECONDS)
    with pytest.raises(StackctlError, match="No space left"):
        propose(consensus, "later")
    with pytest.raises(StackctlError, match="No space left"):
        consensus.read_barrier(timeout_seconds=SECONDS).result(SECONDS)
    consensus.stop()
    assert len(manager.failures) == 1


def test_an_entry_of_a_newer_version_stops_before_anything_diverges(
    settings: ConsensusSettings,
) -> None:
    manager = Manager(settings)
    manager.start()
    manager.wait_leader().stop()
    log = journal.load(settings.directory / "journal")
    log.append((b"\x00\x63a newer command", log.last_index + 1, 1))
    log.close()
    upgraded_too_late = Manager(settings)
    upgraded_too_late.start()
    assert upgraded_too_late.has_failed.wait(SECONDS)
    (failure,) = upgraded_too_late.failures
    assert "entry of format 99" in failure.message
    assert "upgrade stackctl-manager" in str(failure.hint)
    upgraded_too_late.consensus.stop()


def test_a_callback_that_raises_does_not_stop_the_member(settings: ConsensusSettings) -> None:
    def raises(_: Leadership) -> None:
        raise RuntimeError("a defect of the caller")

    manager = Manager(settings, on_leadership=raises)
    manager.start()
    assert propose(manager.wait_leader(), "k") == b"x"
    manager.consensus.stop()
    assert manager.failures == []


def test_a_start_that_fails_leaves_the_directory_to_the_next(settings: ConsensusSettings) -> None:
    first = Manager(settings)
    first.start()
    elsewhere = msgspec.structs.replace(settings, directory=settings.directory.with_name("other"))
    second = Manager(elsewhere)
    with pytest.raises(ClusterUnavailable, match="cannot listen on"):
        second.start()
    second.consensus.stop()
    with pytest.raises(Conflict, match="another stackctl-manager uses"):
        Manager(settings).start()
    first.consensus.stop()
    third = Manager(elsewhere)
    third.start()
    third.wait_leader().stop()


def test_a_missing_certificate_is_reported_before_anything_is_created(
    settings: ConsensusSettings,
) -> None:
    settings.tls.certificate_path.unlink()
    with pytest.raises(IdentityUnusable, match=r"node\.pem is missing"):
        Manager(settings).start()
    assert not settings.directory.exists()


def test_addresses_are_checked_before_anything_is_created(settings: ConsensusSettings) -> None:
    wrong = msgspec.structs.replace(settings, listen="manager1:4242")
    with pytest.raises(InputError, match="'manager1:4242' is not an address"):
        Manager(wrong).start()
    assert not settings.directory.exists()
    manager = Manager(settings)
    manager.start()
    with pytest.raises(InputError, match="'nowhere' is not an address"):
        manager.consensus.add_member(Member("n2", "nowhere"), timeout_seconds=1)
    manager.consensus.stop()


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_a_key_has_a_sane_length(settings: ConsensusSettings, key: str) -> None:
    manager = Manager(settings)
    with pytest.raises(InputError, match="1 to 128 characters"):
        manager.consensus.propose(b"x", key=key, timeout_seconds=1)
    manager.consensus.stop()


def test_another_version_of_the_library_is_refused_by_name() -> None:
    class Renamed:
        present = None

    with pytest.raises(UnsuitableLibrary, match=r"missing: _SyncObj__renamed") as refusal:
        assert_names(Renamed(), ("present", "_SyncObj__renamed"))
    assert str(refusal.value.hint).startswith("pip install pysyncobj==")
