"""Small files that must survive a power cut: written beside, synced, renamed, directory synced.

Whoever reads such a file sees the old content or the new one, never a mixture and never nothing.
"""

import contextlib
import os
from pathlib import Path

PRIVATE_MODE = 0o600


def write_durably(path: Path, content: bytes, *, mode: int = PRIVATE_MODE) -> None:
    """Replace `path` by `content` atomically and durably; `mode` is set before any byte is in it.

    Raises OSError; the old content is then untouched.
    """
    beside = path.with_name(path.name + ".new")
    # Removed first: O_CREAT's mode is ignored for a file that an earlier crash left behind.
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
    sync_directory(path.parent)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte; a short write (a signal, a full disk) is continued or raises OSError."""
    remaining = memoryview(content)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def sync_directory(directory: Path) -> None:
    """Make creations, renames and removals inside `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
