"""A folder of Compose files, assembled to one tree as every command does it."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from stackctl.compose.merging.assemble import Assembled, assemble
from stackctl.compose.problems import ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.syntax import tree


def plain(node: tree.Node) -> object:
    """The values without their places."""
    if isinstance(node, tree.Mapping):
        return {entry.key: plain(entry.value) for entry in node}
    if isinstance(node, tree.Sequence):
        return [plain(item) for item in node.items]
    return node.value


class TreeFolder:
    """Writes files and assembles them under short relative paths; the stack is called shop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.request = LoadRequest(environment={}, stack_name="shop")
        self.log = ProblemLog()

    def write(self, **files: str) -> None:
        """Write files; `__` in a name stands for a slash and `_` for a dot."""
        for name, text in files.items():
            self.write_at(name.replace("__", "/").replace("_", "."), text)

    def write_at(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def assembled(self, *paths: str) -> Assembled:
        self.log = ProblemLog()
        return assemble(self.request._replace(paths=paths), self.log)

    def root(self, *paths: str) -> object:
        """The plain tree of files in which nothing is wrong."""
        root = plain(self.assembled(*paths).root)
        self.log.raise_if_any()
        return root

    def at(self, path: Sequence[str], *paths: str) -> object:
        """The plain value at a path of the tree."""
        found = self.root(*paths)
        for key in path:
            assert isinstance(found, dict)
            found = found.get(key)
        return found

    def problems(self, *paths: str) -> list[str]:
        self.assembled(*paths)
        return [str(problem) for problem in self.log.problems()]

    def notes(self, *paths: str) -> list[str]:
        self.assembled(*paths)
        return [str(note) for note in self.log.notes()]
