"""Daemons as processes: started detached, named by more than a number, ended."""

import os
import socket
from pathlib import Path

import msgspec
import pytest

from stackctl.lab import processes
from stackctl.lab.tools import LabFailure
from tests.eventually import eventually


def launch(tmp_path: Path, *command: str) -> processes.ProcessIdentity:
    return processes.launch(
        command, log_file=tmp_path / "log" / "daemon.log", cgroup_file=tmp_path / "cgroup.procs"
    )


def test_a_launched_process_runs_by_itself_and_its_output_is_kept(tmp_path: Path) -> None:
    identity = launch(tmp_path, "sh", "-c", "echo started; exec sleep 60")
    try:
        assert processes.is_alive(identity)
        log_file = tmp_path / "log" / "daemon.log"
        eventually(lambda: log_file.read_text() == "started\n", timeout_seconds=1)
        assert os.getsid(identity.process_id) == identity.process_id
        assert (tmp_path / "cgroup.procs").read_text() == "0\n"
    finally:
        processes.end(identity, grace_seconds=0)
    assert not processes.is_alive(identity)


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    identity = launch(tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 60; done")
    processes.end(identity, grace_seconds=0.1)
    assert not processes.is_alive(identity)


def test_a_number_that_was_given_again_is_not_the_same_process(tmp_path: Path) -> None:
    mine = processes.identify(os.getpid())
    assert mine is not None
    assert processes.is_alive(mine)
    recycled = msgspec.structs.replace(mine, start_time=mine.start_time - 1)
    rebooted = msgspec.structs.replace(mine, boot_id="another")
    for other in (recycled, rebooted):
        assert not processes.is_alive(other)
        processes.end(other, grace_seconds=1)  # would end this test run


def test_what_cannot_be_started_is_reported_with_its_words(tmp_path: Path) -> None:
    try:
        identity = launch(tmp_path, "/nowhere/daemon")
    except LabFailure:
        pass
    else:
        eventually(lambda: not processes.is_alive(identity), timeout_seconds=1)
    assert "/nowhere/daemon" in processes.last_lines(tmp_path / "log" / "daemon.log")


def test_a_connection_counts_while_it_is_established_and_only_to_its_port() -> None:
    mine = processes.identify(os.getpid())
    assert mine is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not processes.is_connected(mine, port)
        with socket.create_connection(("127.0.0.1", port)):
            assert processes.is_connected(mine, port)
            assert not processes.is_connected(mine, 1)


@pytest.mark.parametrize(("content", "words"), [(None, "does not exist"), ("", "is empty")])
def test_a_log_without_lines_says_so(tmp_path: Path, content: str | None, words: str) -> None:
    log_file = tmp_path / "a.log"
    if content is not None:
        log_file.write_text(content)
    assert words in processes.last_lines(log_file)
