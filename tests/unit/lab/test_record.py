"""What a lab remembers, and who may work on it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stackctl.lab import record
from stackctl.lab.plan import DAEMONS, DaemonName
from stackctl.lab.processes import ProcessIdentity
from stackctl.lab.record import DaemonRecord, LabRecord
from stackctl.lab.tools import LabFailure
from tests.eventually import eventually
from tests.unit.lab.plans import make_plan


def test_a_lab_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert record.read_lab(tmp_path) is None
    written = LabRecord(
        make_plan(directory=str(tmp_path)), machine_did_not_forward=True, previous_context="shop"
    )
    record.write_lab(written)
    assert record.read_lab(tmp_path) == written


def test_a_daemon_keeps_its_membership_when_its_process_ends(tmp_path: Path) -> None:
    node = make_plan(directory=str(tmp_path)).nodes[0]
    assert record.read_daemon(node, "agent") == DaemonRecord()
    process = ProcessIdentity(7, 8, "boot")
    record.remember_process(node, "agent", process)
    record.remember_joined(node, "agent")
    assert record.read_daemon(node, "agent") == DaemonRecord(process, has_joined=True)
    record.remember_process(node, "agent", None)
    assert record.read_daemon(node, "agent") == DaemonRecord(has_joined=True)


def test_daemons_of_one_node_are_remembered_at_the_same_time(tmp_path: Path) -> None:
    node = make_plan(directory=str(tmp_path)).nodes[0]

    def remember(daemon: DaemonName) -> None:
        for number in range(50):
            record.remember_process(node, daemon, ProcessIdentity(number, 0, "boot"))

    with ThreadPoolExecutor(len(DAEMONS)) as pool:
        list(pool.map(remember, DAEMONS))
    last = ProcessIdentity(49, 0, "boot")
    assert [record.read_daemon(node, daemon).process for daemon in DAEMONS] == [last] * 3


def test_a_damaged_record_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / record.LAB_FILE).write_text("{")
    with pytest.raises(LabFailure, match="not a record") as raised:
        record.read_lab(tmp_path)
    assert raised.value.hint is not None
    assert "lab down" in raised.value.hint


def test_two_commands_do_not_work_in_a_directory_at_the_same_time(tmp_path: Path) -> None:
    entered = threading.Event()

    def work() -> None:
        with record.locked(tmp_path):
            entered.set()

    with record.locked(tmp_path):
        second = threading.Thread(target=work)
        second.start()
        assert not entered.wait(0.2)
    second.join(timeout=5)
    assert entered.is_set()


def test_a_directory_that_was_removed_meanwhile_is_made_and_locked_anew(tmp_path: Path) -> None:
    directory = tmp_path / "lab"
    entered = threading.Event()

    def work() -> None:
        with record.locked(directory):
            entered.set()
            eventually(directory.exists, timeout_seconds=1)

    with record.locked(directory):
        second = threading.Thread(target=work)
        second.start()
        directory.rmdir()
    second.join(timeout=5)
    assert entered.is_set()
    assert directory.exists()
    assert list(tmp_path.iterdir()) == [directory]
