"""A folder in place of the agent's disk in memory: unit tests mount nothing."""

import shutil
from pathlib import Path


class PlainDisk:
    """An ordinary folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def attach(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def detach(self) -> None:
        if self.path.is_dir():
            shutil.rmtree(self.path)
