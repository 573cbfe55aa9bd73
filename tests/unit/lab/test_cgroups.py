"""Finding, freezing and removing cgroups, on folders that look like the kernel's."""

from pathlib import Path

import pytest

from stackctl.lab import cgroups
from stackctl.lab.cgroups import Hierarchies
from stackctl.lab.tools import LabFailure

VERSION_1 = """\
tmpfs /sys/fs/cgroup tmpfs ro 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""
VERSION_2 = "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"


def test_version_1_freezes_in_the_freezers_tree_and_removes_from_all() -> None:
    found = cgroups.parse_hierarchies(VERSION_1)
    assert found is not None
    assert found.version == 1
    assert found.freezer == Path("/sys/fs/cgroup/freezer")
    assert len(found.mounts) == 3


def test_version_2_has_one_tree() -> None:
    root = Path("/sys/fs/cgroup")
    assert cgroups.parse_hierarchies(VERSION_2) == Hierarchies(2, root, (root,))


def test_a_machine_without_a_freezer_is_recognised() -> None:
    assert cgroups.parse_hierarchies("proc /proc proc rw 0 0\n") is None
    assert cgroups.parse_hierarchies("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n") is None


def test_freezing_waits_for_the_kernels_word(tmp_path: Path) -> None:
    hierarchies = Hierarchies(2, tmp_path, (tmp_path,))
    cgroups.create(hierarchies, "lab/node")
    (tmp_path / "lab/node/cgroup.events").write_text("populated 1\nfrozen 0\n")
    with pytest.raises(LabFailure, match="did not freeze"):
        cgroups.freeze(hierarchies, "lab/node", timeout_seconds=0)
    assert (tmp_path / "lab/node/cgroup.freeze").read_text() == "0"
    (tmp_path / "lab/node/cgroup.events").write_text("populated 1\nfrozen 1\n")
    cgroups.freeze(hierarchies, "lab/node")
    assert (tmp_path / "lab/node/cgroup.freeze").read_text() == "1"
    assert cgroups.is_frozen(hierarchies, "lab/node")


def test_processes_are_found_in_the_whole_tree(tmp_path: Path) -> None:
    hierarchies = Hierarchies(1, tmp_path, (tmp_path,))
    cgroups.create(hierarchies, "node/daemons").write_text("11\n12\n")
    cgroups.create(hierarchies, "node/containers/abc").write_text("13\n")
    assert sorted(cgroups.process_ids(hierarchies, "node")) == [11, 12, 13]
    assert cgroups.process_ids(hierarchies, "other") == []


def test_removing_takes_every_hierarchy_and_only_the_named_cgroup(tmp_path: Path) -> None:
    mounts = (tmp_path / "cpu", tmp_path / "freezer")
    for mount in mounts:
        (mount / "lab/node/containers").mkdir(parents=True)
        (mount / "other").mkdir()
    cgroups.remove(Hierarchies(1, mounts[1], mounts), "lab")
    assert [sorted(found.name for found in mount.iterdir()) for mount in mounts] == [["other"]] * 2


def test_a_cgroup_that_is_not_there_counts_as_thawed_and_removed(tmp_path: Path) -> None:
    hierarchies = Hierarchies(1, tmp_path, (tmp_path,))
    cgroups.thaw(hierarchies, "lab")
    cgroups.kill(hierarchies, "lab")
    cgroups.remove(hierarchies, "lab")
    assert not cgroups.is_frozen(hierarchies, "lab")
