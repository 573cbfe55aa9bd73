"""What a lab remembers: its plan, the processes it started, what to put back at the end.

`lab.json` in the lab's directory is written before anything is created, so that a lab which died
while it was made can be taken down. Every daemon of every node has a file of its own: they are
started at the same time, also those of one node.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from stackctl.errors import Conflict
from stackctl.lab.plan import DaemonName, LabPlan, NodePlan
from stackctl.lab.processes import ProcessIdentity
from stackctl.lab.tools import LabFailure

LAB_FILE = "lab.json"

_WAIT_SECONDS = 120
_PERIOD_SECONDS = 0.05

T = TypeVar("T")


class LabRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The plan, and what taking the lab down has to put back."""

    plan: LabPlan
    machine_did_not_forward: bool = False
    previous_context: str | None = None


class DaemonRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The process that was started last for a daemon, and whether it has joined the cluster."""

    process: ProcessIdentity | None = None
    has_joined: bool = False


def read_lab(directory: Path) -> LabRecord | None:
    """The lab in `directory`, None where there is none; raises `LabFailure` on a damaged record."""
    return _read(directory / LAB_FILE, LabRecord)


def write_lab(record: LabRecord) -> None:
    _write(record.plan.directory / LAB_FILE, record)


def read_daemon(node: NodePlan, daemon: DaemonName) -> DaemonRecord:
    """What is remembered of a daemon of `node`; nothing when it was never started."""
    return _read(_daemon_file(node, daemon), DaemonRecord) or DaemonRecord()


def remember_process(node: NodePlan, daemon: DaemonName, process: ProcessIdentity | None) -> None:
    """Remember which process the daemon is; None when there is none any more."""
    before = read_daemon(node, daemon)
    if before.process != process:
        _write(_daemon_file(node, daemon), msgspec.structs.replace(before, process=process))


def remember_joined(node: NodePlan, daemon: DaemonName) -> None:
    """Remember that the daemon's state holds a membership of the cluster."""
    before = read_daemon(node, daemon)
    if not before.has_joined:
        _write(_daemon_file(node, daemon), msgspec.structs.replace(before, has_joined=True))


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep every other command of the lab away from `directory`, which is made when missing.

    Nothing is left behind: the lock is on the folder itself. Raises `Conflict` after two minutes.
    """
    descriptor = _open_locked(directory)
    try:
        yield
    finally:
        os.close(descriptor)


def _open_locked(directory: Path) -> int:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        with contextlib.suppress(FileExistsError):
            directory.mkdir(parents=True)
        with contextlib.suppress(FileNotFoundError):  # removed since the line before
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            if _try_lock(descriptor, directory):
                return descriptor
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise Conflict(f"another command has been at work in {directory} for too long")
        time.sleep(_PERIOD_SECONDS)


def _try_lock(descriptor: int, directory: Path) -> bool:
    """Whether the lock was free, and `directory` is still the one that was opened."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        return directory.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def _path_from_text(_kind: type, text: str) -> Path:
    """The only values in a record that JSON does not know are paths."""
    return Path(text)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=_path_from_text)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LabFailure(
            f"{path} is not a record of a lab: {error}", hint="stackctl lab down cleans up"
        ) from error


def _daemon_file(node: NodePlan, daemon: DaemonName) -> Path:
    return node.directory / "daemons" / f"{daemon}.json"


def _write(path: Path, record: LabRecord | DaemonRecord) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(record, enc_hook=str)))
    unfinished.replace(path)
