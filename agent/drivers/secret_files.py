"""Secrets as files in memory, one folder per task, mounted read-only into its container.

A file is there from before its container is made until the task may go; it is named after what it
holds and who may read it, and never changed; unless the process is told of changes: then it is
named after its place in the container, and rewritten in place. Its content is what a manager has
sent in this life of the agent: where there is none yet, the file of an earlier life is used, and
without one the task waits. The agent's own disk never holds a content (see `disk`).
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from agent.drivers.config_files import told_file_name
from agent.drivers.disk import rewrite, write_whole
from stackctl.errors import PermanentFailure, TemporaryFailure
from stackctl.model import specs
from stackctl.model.assignment import SecretAssignment

CONTENT_RETRY_SECONDS = 1.0


class Disk(Protocol):
    """Where the files are; `agent.drivers.memory_disk.MemoryDisk` is the real one."""

    path: Path

    def attach(self) -> None:
        """Make sure that the folder is there and in memory. Raises OSError."""

    def detach(self) -> None:
        """Take the folder away. Raises OSError."""


class SecretFiles:
    """The files of the node's tasks."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._lock = threading.Lock()
        self._claimed: frozenset[str] = frozenset()

    def claim(self, task_ids: Iterable[str]) -> None:
        """The files of these tasks, and of no others, are needed from now on."""
        with self._lock:
            self._claimed = frozenset(task_ids)

    def write(
        self,
        task_id: str,
        references: Iterable[specs.ConfigReference],
        secrets: Mapping[str, SecretAssignment],
        *,
        anew: bool = False,
    ) -> Mapping[str, str]:
        """Make sure that a task's files are there; returns target in the container -> file.

        `secrets` are those that the task mounts, by name. `anew` is for a process that is about to
        be told of them: no file of an earlier content will do. Raises TemporaryFailure for a
        content that has not come yet, PermanentFailure for a reference to no secret of the task,
        for an owner that is no number, and where no memory can be had.
        """
        sources: dict[str, str] = {}
        for reference in references:
            secret = secrets.get(reference.name)
            if secret is None:
                raise PermanentFailure(f"secret {reference.name} is not assigned to this node")
            with self._lock:
                path = self._file(task_id, reference, secret, anew=anew)
            sources[reference.target] = str(path)
        return sources

    def remove_unclaimed(self) -> None:
        """Remove the files of every other task. What is still mounted stays readable there."""
        with self._lock:
            folders = list(self._disk.path.iterdir()) if self._disk.path.is_dir() else []
            left = 0
            for folder in folders:
                if folder.name in self._claimed:
                    left += 1
                    continue
                with contextlib.suppress(OSError):
                    shutil.rmtree(folder)
            if not left:
                with contextlib.suppress(OSError):  # somebody looks at it: next time
                    self._disk.detach()

    def _file(
        self,
        task_id: str,
        reference: specs.ConfigReference,
        secret: SecretAssignment,
        *,
        anew: bool,
    ) -> Path:
        try:
            uid, gid = int(reference.uid), int(reference.gid)
        except ValueError:
            raise PermanentFailure(
                f"secret {reference.name}: owner {reference.uid}:{reference.gid} is not a pair of "
                "numbers"
            ) from None
        path = self._disk.path / task_id / f"{secret.id}-{uid}-{gid}-{reference.mode:o}"
        try:
            self._disk.attach()
            is_told = bool(reference.on_change)
            if is_told:
                path = path.with_name(told_file_name(reference))
            if path.exists() and not (is_told and (anew or secret.content is not None)):
                return path
            if secret.content is None:
                raise TemporaryFailure(
                    f"secret {reference.name}: no manager has sent its content yet",
                    retry_after_seconds=CONTENT_RETRY_SECONDS,
                )
            if path.exists():
                rewrite(path, secret.content)
                return path
            write_whole(path, secret.content)
            os.chown(path, uid, gid)
            path.chmod(reference.mode)  # last: chown clears set-id bits
        except OSError as error:
            raise PermanentFailure(f"secret {reference.name}: {error}") from error
        return path
