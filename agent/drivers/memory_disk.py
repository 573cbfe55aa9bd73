"""A folder whose files are in memory and never on the node's disk: a tmpfs of the agent's own.

It is mounted when the first file is wanted and unmounted when the last one is gone, so a node
without secrets has none. It outlives the agent, whose containers run on, and ends with the node's
power. Where the kernel allows it (6.4 on), its pages are never swapped out either.

The engine must see the mount: agent and engine share a mount namespace, as they do on a plain host
and on a node of the lab. `mount` is called in the C library; a program would have to be there.
"""

import ctypes
import os
from pathlib import Path

FOLDER_MODE = 0o700

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_OPTIONS = "mode=0700"


class MemoryDisk:
    """The folder, in memory from `attach` to `detach`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def attach(self) -> None:
        """Make sure that the folder is there and in memory. Raises OSError."""
        if self.path.is_mount():
            return
        self.path.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        try:
            _mount(self.path, f"{_OPTIONS},noswap")
        except OSError:  # an older kernel does not know the option
            _mount(self.path, _OPTIONS)

    def detach(self) -> None:
        """Take the folder away with whatever is in it; files that containers mount stay theirs.

        Raises OSError.
        """
        if self.path.is_mount():
            _check(_library().umount2(os.fsencode(self.path), 0), self.path)
        if self.path.is_dir():
            self.path.rmdir()


def _mount(path: Path, options: str) -> None:
    failed = _library().mount(
        b"stackctl-secrets",
        os.fsencode(path),
        b"tmpfs",
        ctypes.c_ulong(_MS_NOSUID | _MS_NODEV | _MS_NOEXEC),
        options.encode(),
    )
    _check(failed, path)


def _check(failed: int, path: Path) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
