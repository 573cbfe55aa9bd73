"""The lab's daemons as processes: started detached, known by more than their number, ended by it.

A number alone does not name a process: it is given again. An *identity* adds the time at which
the process started and the boot in which that happened; nothing is ever signalled without
comparing all three. Daemons are children of nobody (the shell between ends at once), so that the
command that started them can end and no caller collects them.
"""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stackctl.lab import tools
from stackctl.lab.tools import LabFailure

_PERIOD_SECONDS = 0.01
_ESTABLISHED = "01"  # as the kernel lists the states of TCP

# Enters the cgroup, drops the terminal and prints the number of the process that stays. The zero
# means "the process that writes"; `echo` is built in, so that is the one which then becomes
# the daemon.
_LAUNCH_SCRIPT = """
log=$1; cgroup=$2; shift 2
(echo 0 >"$cgroup" && exec setsid "$@") </dev/null >>"$log" 2>&1 &
echo $!
"""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """One process and no other, now or later."""

    process_id: int
    start_time: int  # clock ticks since the boot
    boot_id: str


def launch(command: Sequence[str], *, log_file: Path, cgroup_file: Path) -> ProcessIdentity:
    """Start `command` in the background inside a cgroup, with its output appended to `log_file`.

    Raises `LabFailure` when it ends at once.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    printed = tools.run(
        *("sh", "-c", _LAUNCH_SCRIPT, "sh", str(log_file), str(cgroup_file), *command)
    )
    found = identify(int(printed))
    if found is None:
        raise LabFailure(f"{command[0]} ended at once: {last_lines(log_file)}")
    return found


def identify(process_id: int) -> ProcessIdentity | None:
    """The identity of a running process; None when there is none, or only its remains."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rsplit(")", 1)[1].split()  # the name before may hold blanks and brackets
    if fields[0] in "ZX":
        return None
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ProcessIdentity(process_id, int(fields[19]), boot_id)


def is_alive(identity: ProcessIdentity) -> bool:
    return identify(identity.process_id) == identity


def is_connected(identity: ProcessIdentity, port: int) -> bool:
    """Whether the process has an established TCP connection to somebody's `port`, over IPv4."""
    process = Path(f"/proc/{identity.process_id}")
    own = set()
    try:
        connections = (process / "net" / "tcp").read_text().splitlines()[1:]
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                own.add(str(entry.readlink()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    for line in connections:
        fields = line.split()
        remote, state, inode = fields[2], fields[3], fields[9]
        is_to_port = int(remote.rpartition(":")[2], 16) == port
        if is_to_port and state == _ESTABLISHED and f"socket:[{inode}]" in own:
            return True
    return False


def end(identity: ProcessIdentity, *, grace_seconds: float) -> None:
    """Ask the process to end, and kill it when it has not done so after `grace_seconds`.

    Zero seconds kill at once. Raises `LabFailure` when even that does not help.
    """
    if grace_seconds > 0:
        _signal(identity, signal.SIGTERM)
        if _is_gone_within(identity, grace_seconds):
            return
    _signal(identity, signal.SIGKILL)
    if not _is_gone_within(identity, 10):
        raise LabFailure(f"process {identity.process_id} survives its killing")


def last_lines(log_file: Path, *, lines_max: int = 5) -> str:
    """The end of a log, for a message that says why a daemon is not there."""
    try:
        lines = log_file.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return f"{log_file} does not exist"
    return "\n  ".join(["", *lines[-lines_max:]]) if lines else f"{log_file} is empty"


def _signal(identity: ProcessIdentity, number: signal.Signals) -> None:
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.process_id, number)


def _is_gone_within(identity: ProcessIdentity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PERIOD_SECONDS)
    return True
