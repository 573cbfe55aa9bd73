"""Configs as files on the node, one folder per config, mounted read-only into containers.

Two references to one config may ask for different owners or modes; each has its own file, named
after both. A file is never changed once it is there: a config's content belongs to its id.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.drivers import disk
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.assignment import ConfigAssignment

# Containers mount the files; their own modes say who may read them, the folder keeps the node's
# other users out.
FOLDER_MODE = 0o700


class ConfigFiles:
    """The folder with the configs' files."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(
        self,
        references: Iterable[specs.ConfigReference],
        configs: Mapping[str, ConfigAssignment],
    ) -> Mapping[str, str]:
        """Make sure that the files are there; returns target in the container -> file.

        `configs` are those assigned to the node, by name. Raises PermanentFailure for a reference
        to none of them and for an owner that is no number.
        """
        sources: dict[str, str] = {}
        for reference in references:
            config = configs.get(reference.name)
            if config is None:
                raise PermanentFailure(f"config {reference.name} is not assigned to this node")
            sources[reference.target] = str(self._file(reference, config))
        return sources

    def keep_only(self, config_ids: Iterable[str]) -> None:
        """Remove the files of every other config. What is still mounted stays readable there."""
        wanted = set(config_ids)
        if not self._path.is_dir():
            return
        for folder in self._path.iterdir():
            if folder.name not in wanted:
                with contextlib.suppress(OSError):
                    shutil.rmtree(folder)

    def _file(self, reference: specs.ConfigReference, config: ConfigAssignment) -> Path:
        try:
            uid, gid = int(reference.uid), int(reference.gid)
        except ValueError:
            raise PermanentFailure(
                f"config {reference.name}: owner {reference.uid}:{reference.gid} is not a pair of "
                "numbers"
            ) from None
        path = self._path / config.id / f"{uid}-{gid}-{reference.mode:o}"
        if path.exists() and path.read_bytes() == config.content:
            return path
        try:
            disk.write_whole(path, config.content, mode=reference.mode)
            os.chown(path, uid, gid)
            path.chmod(reference.mode)  # chown clears set-id bits
            self._path.chmod(FOLDER_MODE)
        except OSError as error:
            raise PermanentFailure(f"config {reference.name}: {error}") from error
        return path
