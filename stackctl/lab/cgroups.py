"""The control groups of the lab's nodes: freeze, list, kill and remove everything in one.

Every node has one cgroup with two children: `daemons`, into which the lab puts what it starts, and
`containers`, the parent that the node's engine gives to its containers. Freezing or killing the
node's cgroup therefore reaches everything of the node, also what lost its parent.

In version 1 there is a tree per controller: the lab uses the freezer's, engines create the same
path in the others, and removing goes through all. In version 2 there is one tree.
"""

import contextlib
import errno
import os
import signal
import time
from pathlib import Path
from typing import Literal

import msgspec

from stackctl.lab.tools import LabFailure

_PERIOD_SECONDS = 0.01


class Hierarchies(msgspec.Struct, frozen=True):
    """Where cgroups are mounted; `freezer` is the tree in which the lab's processes are put."""

    version: Literal[1, 2]
    freezer: Path
    mounts: tuple[Path, ...]


def parse_hierarchies(mounts: str) -> Hierarchies | None:
    """The hierarchies in a text like /proc/mounts; None when nothing in it can freeze.

    Engines follow version 2 exactly when it is mounted at /sys/fs/cgroup itself; on hybrid
    machines (version 2 without controllers, beside version 1) they use version 1.
    """
    version_1: list[Path] = []
    version_2: list[Path] = []
    freezer: Path | None = None
    for line in mounts.splitlines():
        _device, target, kind, options = line.split()[:4]
        if kind == "cgroup":
            version_1.append(Path(target))
            freezer = Path(target) if "freezer" in options.split(",") else freezer
        elif kind == "cgroup2":
            version_2.append(Path(target))
    if version_2 and not version_1:
        return Hierarchies(2, version_2[0], (version_2[0],))
    if freezer is not None:
        return Hierarchies(1, freezer, (*version_1, *version_2))
    return None


def read_hierarchies() -> Hierarchies:
    """This machine's hierarchies; raises `LabFailure` where there is no freezer."""
    found = parse_hierarchies(Path("/proc/mounts").read_text())
    if found is None:
        raise LabFailure("no cgroup freezer is mounted below /sys/fs/cgroup")
    return found


def create(hierarchies: Hierarchies, cgroup: str) -> Path:
    """Make sure `cgroup` exists; returns the file into which a process writes 0 to enter it."""
    folder = hierarchies.freezer / cgroup
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "cgroup.procs"


def freeze(hierarchies: Hierarchies, cgroup: str, *, timeout_seconds: float = 10) -> None:
    """Stop everything in `cgroup` where it stands; raises `LabFailure` when that takes too long.

    A process inside an uninterruptible system call freezes when the call ends.
    """
    _write_freezer(hierarchies, cgroup, frozen=True)
    deadline = time.monotonic() + timeout_seconds
    while not is_frozen(hierarchies, cgroup):
        if time.monotonic() > deadline:
            _write_freezer(hierarchies, cgroup, frozen=False)
            raise LabFailure(f"the processes of {cgroup} did not freeze in {timeout_seconds:g} s")
        time.sleep(_PERIOD_SECONDS)


def thaw(hierarchies: Hierarchies, cgroup: str) -> None:
    """Let everything in `cgroup` run on; nothing happens when it is not frozen."""
    if (hierarchies.freezer / cgroup).exists():
        _write_freezer(hierarchies, cgroup, frozen=False)


def is_frozen(hierarchies: Hierarchies, cgroup: str) -> bool:
    folder = hierarchies.freezer / cgroup
    try:
        if hierarchies.version == 1:
            return (folder / "freezer.state").read_text().strip() == "FROZEN"
        return "frozen 1" in (folder / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def process_ids(hierarchies: Hierarchies, cgroup: str) -> list[int]:
    """All processes in `cgroup` and below."""
    found: list[int] = []
    for folder in _tree(hierarchies.freezer / cgroup):
        with contextlib.suppress(FileNotFoundError, OSError):
            found += [int(line) for line in (folder / "cgroup.procs").read_text().split()]
    return found


def kill(hierarchies: Hierarchies, cgroup: str, *, timeout_seconds: float = 20) -> None:
    """End everything in `cgroup` at once, frozen or not, and wait until it is gone.

    Frozen processes get the signal first and are thawed into their death: they never run on.
    Raises `LabFailure` when something survives.
    """
    deadline = time.monotonic() + timeout_seconds
    while remaining := process_ids(hierarchies, cgroup):
        for process_id in remaining:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        for folder in _tree(hierarchies.freezer / cgroup):
            thaw(hierarchies, str(folder.relative_to(hierarchies.freezer)))
        if time.monotonic() > deadline:
            raise LabFailure(f"processes of {cgroup} survive their killing: {remaining}")
        time.sleep(_PERIOD_SECONDS)


def remove(hierarchies: Hierarchies, cgroup: str, *, timeout_seconds: float = 10) -> None:
    """Remove `cgroup` and everything below from all hierarchies, when no process is in it.

    The kernel keeps a cgroup busy for a moment after its last process; raises `LabFailure` when
    it stays so.
    """
    deadline = time.monotonic() + timeout_seconds
    for mount in hierarchies.mounts:
        for folder in reversed(_tree(mount / cgroup)):
            _remove_folder(folder, deadline)


def _remove_folder(folder: Path, deadline: float) -> None:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise LabFailure(f"cannot remove {folder}: {error.strerror}") from error
            time.sleep(_PERIOD_SECONDS)
        else:
            return


def _tree(top: Path) -> list[Path]:
    """`top` and all folders below it, parents first; empty when there is no `top`."""
    return [Path(folder) for folder, _folders, _files in os.walk(top)]


def _write_freezer(hierarchies: Hierarchies, cgroup: str, *, frozen: bool) -> None:
    folder = hierarchies.freezer / cgroup
    if hierarchies.version == 1:
        (folder / "freezer.state").write_text("FROZEN" if frozen else "THAWED")
    else:
        (folder / "cgroup.freeze").write_text("1" if frozen else "0")
