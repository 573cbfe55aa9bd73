"""Names without an agent: a process that waits, and answers DNS once the agent has been killed.

Containers ask the agent for the names of their stack. An agent that is killed (out of memory, a
crash) must not take the names from tasks that run on, and rules for VIPs stay in the kernel anyway.
So the agent keeps a shell (1 MB) that waits on a pipe. When the pipe ends without a word, the agent
is gone, and the shell becomes `agent.standin`, which answers from the set on disk until the next
agent asks it to leave.

Who answers holds a lock on `standin.lock`; a stand-in writes its process number into it, so that
nobody else is ever asked to leave. The lock ends with its holder, however that ends.
"""

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from stackctl.errors import TemporaryFailure

LOCK_FILE = "standin.lock"
LEAVE_SECONDS_MAX = 5.0

_PERIOD_SECONDS = 0.01
_RETRY_SECONDS = 1.0
_DISMISS_SECONDS_MAX = 2.0
_WAIT_SCRIPT = 'read -r word || exec "$@"'

_log = logging.getLogger(__name__)


class StandIn:
    """The agent's side: sends a former stand-in away, and keeps one ready for the agent's end.

    `folder` is where the agent keeps its assignment. Belongs to one thread at a time.
    """

    def __init__(self, folder: Path, *, port: int) -> None:
        self._folder = folder
        self._port = port
        self._lock: int | None = None
        self._waiting: subprocess.Popen[bytes] | None = None

    def relieve(self) -> None:
        """From now on this process answers names; does nothing when it does already.

        Raises `TemporaryFailure` when somebody else goes on answering.
        """
        if self._lock is not None:
            return
        lock = _open_lock(self._folder)
        try:
            _take_over(lock)
            self._waiting = self._keep_one_waiting()
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def dismiss(self) -> None:
        """The agent ends of its own will: nobody is to answer in its place."""
        if self._lock is None:
            return
        if self._waiting is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._waiting.communicate(b"\n", timeout=_DISMISS_SECONDS_MAX)
        self._waiting = None
        os.close(self._lock)
        self._lock = None

    def _keep_one_waiting(self) -> subprocess.Popen[bytes] | None:
        program = [sys.executable, "-m", "agent.standin", str(self._folder), str(self._port)]
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", _WAIT_SCRIPT, "stackctl-standin", *program],
                stdin=subprocess.PIPE,
            )
        except OSError as error:
            _log.warning("names will not be answered without this agent: %s", error)
            return None


def dismiss_others(folder: Path) -> None:
    """Send away stand-ins of this node's former identities, whose folders lie beside this one: a
    node that was set up anew after its agent had been killed still has one answering.
    """
    for lock_file in folder.parent.glob(f"*/{LOCK_FILE}"):
        if lock_file.parent == folder:
            continue
        lock = _open_lock(lock_file.parent)
        try:
            _take_over(lock)
        except TemporaryFailure as failure:
            _log.warning("a stand-in of a former identity stays: %s", failure.reason)
        finally:
            os.close(lock)


def hold_lock(folder: Path) -> int | None:
    """The stand-in's side: the lock, which says who it is; None when an agent is there already.

    It is held until the process ends.
    """
    lock = _open_lock(folder)
    if not _is_free(lock):
        os.close(lock)
        return None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _open_lock(folder: Path) -> int:
    return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take_over(lock: int) -> None:
    deadline = time.monotonic() + LEAVE_SECONDS_MAX
    while not _is_free(lock):
        _ask_to_leave(lock)
        if time.monotonic() > deadline:
            raise TemporaryFailure(
                "another agent of this node answers its names", retry_after_seconds=_RETRY_SECONDS
            )
        time.sleep(_PERIOD_SECONDS)
    os.ftruncate(lock, 0)


def _ask_to_leave(lock: int) -> None:
    written = os.pread(lock, 20, 0)
    if not written.isdigit():
        return
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(int(written))
        try:
            # The number was its holder's if the lock is still held: nobody else can have got it.
            if not _is_free(lock):
                signal.pidfd_send_signal(process, signal.SIGTERM)
        finally:
            os.close(process)


def _is_free(lock: int) -> bool:
    """Take the lock if nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
