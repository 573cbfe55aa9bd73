"""The agent's disk in memory: what its users rely on, of the real one and of its stand-in."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.drivers.memory_disk import MemoryDisk
from agent.drivers.secret_files import Disk
from tests.fakes.memory_disk import PlainDisk


@pytest.fixture(
    params=[
        pytest.param(MemoryDisk, marks=pytest.mark.integration, id="real"),
        pytest.param(PlainDisk, id="fake"),
    ]
)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    made: Disk = request.param(tmp_path / "run" / "secrets")
    try:
        yield made
    finally:
        made.detach()


def test_attached_it_takes_files_and_keeps_them(disk: Disk) -> None:
    disk.attach()
    (disk.path / "file").write_bytes(b"content")
    disk.attach()
    assert (disk.path / "file").read_bytes() == b"content"


def test_only_its_owner_may_look_into_it(disk: Disk) -> None:
    disk.attach()
    assert disk.path.stat().st_mode & 0o777 == 0o700


def test_detached_it_leaves_no_folder_and_no_file(disk: Disk) -> None:
    disk.attach()
    (disk.path / "file").write_bytes(b"content")
    disk.detach()
    assert not disk.path.exists()
    disk.attach()
    assert list(disk.path.iterdir()) == []


def test_what_is_not_attached_can_be_detached(disk: Disk) -> None:
    disk.detach()
    assert not disk.path.exists()


@pytest.mark.integration
def test_the_real_one_is_in_memory_and_runs_nothing(tmp_path: Path) -> None:
    disk = MemoryDisk(tmp_path / "secrets")
    disk.attach()
    try:
        command = ["findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", str(disk.path)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        kind, options = shown.split()
        assert kind == "tmpfs"
        assert {"nosuid", "nodev", "noexec"} <= set(options.split(","))
        assert disk.path.stat().st_dev != tmp_path.stat().st_dev
    finally:
        disk.detach()
