"""Configs as files on the node, one folder per config, mounted read-only into containers.

Two references to one config may ask for different owners or modes; each has its own file, named
after both. Such a file is never changed once it is there: a config's content belongs to its id. A
reference whose process is told of changes has a file of its own in a folder of its task, which is
rewritten in place.

Files are written by the threads that create containers and removed by the one that applies the
network, which may still be busy with an older assignment. Therefore the newest assignment claims
its configs as soon as it arrives, and only what nobody claims is removed.
"""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.drivers import disk
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.assignment import ConfigAssignment

# Containers mount the files; their own modes say who may read them, the folder keeps the node's
# other users out.
FOLDER_MODE = 0o700


def told_file_name(reference: specs.ConfigReference) -> str:
    """The name of a file that is one task's own, by where the task has it."""
    return f"told-{hashlib.sha256(reference.target.encode()).hexdigest()[:16]}"


class ConfigFiles:
    """The folder with the configs' files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._claimed: frozenset[str] = frozenset()

    def claim(self, ids: Iterable[str]) -> None:
        """These configs, and the files of these tasks, are needed on the node from now on."""
        with self._lock:
            self._claimed = frozenset(ids)

    def write(
        self,
        task_id: str,
        references: Iterable[specs.ConfigReference],
        configs: Mapping[str, ConfigAssignment],
    ) -> Mapping[str, str]:
        """Make sure that the files are there; returns target in the container -> file.

        `configs` are the contents that the task mounts, by name. Raises PermanentFailure for a
        reference to none of them and for an owner that is no number.
        """
        sources: dict[str, str] = {}
        for reference in references:
            config = configs.get(reference.name)
            if config is None:
                raise PermanentFailure(f"config {reference.name} is not assigned to this node")
            with self._lock:
                sources[reference.target] = str(self._file(task_id, reference, config))
        return sources

    def remove_unclaimed(self) -> None:
        """Remove the files of every other config. What is still mounted stays readable there."""
        with self._lock:
            folders = list(self._path.iterdir()) if self._path.is_dir() else []
            for folder in folders:
                if folder.name not in self._claimed:
                    with contextlib.suppress(OSError):
                        shutil.rmtree(folder)

    def _file(
        self, task_id: str, reference: specs.ConfigReference, config: ConfigAssignment
    ) -> Path:
        try:
            uid, gid = int(reference.uid), int(reference.gid)
        except ValueError:
            raise PermanentFailure(
                f"config {reference.name}: owner {reference.uid}:{reference.gid} is not a pair of "
                "numbers"
            ) from None
        path = self._path / config.id / f"{uid}-{gid}-{reference.mode:o}"
        if reference.on_change:
            path = self._path / task_id / told_file_name(reference)
        try:
            if path.exists():
                if path.read_bytes() == config.content:
                    return path
                if reference.on_change:
                    disk.rewrite(path, config.content)
                    return path
            disk.write_whole(path, config.content, mode=reference.mode)
            os.chown(path, uid, gid)
            path.chmod(reference.mode)  # chown clears set-id bits
            self._path.chmod(FOLDER_MODE)
        except OSError as error:
            raise PermanentFailure(f"config {reference.name}: {error}") from error
        return path
