"""The Compose files of one load: read and parsed once each, and counted."""

import os
from pathlib import Path
from typing import NamedTuple

from stackctl.compose import read
from stackctl.compose.merging.merge import TooMuch
from stackctl.compose.problems import Place, Position, ProblemLog
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.yaml_tree import NODES_MAX, parse_documents

# Files that include each other twice double at every level.
FILES_MAX = 500
TOTAL_BYTES_MAX = 2 * read.COMPOSE_FILE_BYTES_MAX
TOTAL_NODES_MAX = 2 * NODES_MAX

STDIN_SHOWN = "<stdin>"

_REPEATED = "counting those of files that are named repeatedly"


class ComposeFile(NamedTuple):
    """A file by its absolute path, and as messages show it. The standard input has no path."""

    path: Path | None
    shown: str

    @property
    def key(self) -> str:
        """What tells files apart, however their paths are written."""
        return self.shown if self.path is None else os.path.normpath(self.path)


def compose_file(path: Path, folder: Path) -> ComposeFile:
    """A file that another names, shown as seen from `folder`."""
    absolute = Path(os.path.normpath(path))
    inside = absolute.is_relative_to(folder)
    return ComposeFile(absolute, str(absolute.relative_to(folder) if inside else absolute))


class Files:
    """What has been read; `has_tags` says whether merging will meet a tag."""

    def __init__(self, log: ProblemLog) -> None:
        self._log = log
        self._documents: dict[str, tuple[tree.Node, ...]] = {}
        self._shown: list[str] = []
        self._bytes_left = TOTAL_BYTES_MAX
        self._uses_left = FILES_MAX
        self._nodes_left = TOTAL_NODES_MAX
        self._nodes: dict[str, int] = {}
        self.has_tags = False

    @property
    def shown(self) -> tuple[str, ...]:
        """All files, in the order of reading."""
        return tuple(self._shown)

    def read(self, file: ComposeFile) -> tuple[tree.Node, ...]:
        """The documents of a file, with variables in them. Raises `read.ReadError`, `TooMuch`."""
        found = self._documents.get(file.key)
        if found is None:
            found = self._documents[file.key] = self._parsed(file)
            self._nodes[file.key] = sum(tree.count(node, NODES_MAX) for node in found)
        return found

    def used(self, file: ComposeFile) -> tuple[tree.Node, ...]:
        """The same, to become a part of the tree once more."""
        found = self.read(file)
        self._uses_left -= 1
        self._nodes_left -= self._nodes[file.key]
        if self._uses_left < 0:
            raise self._too_much(file, f"more than {FILES_MAX} files, {_REPEATED}")
        if self._nodes_left < 0:
            raise self._too_much(file, f"more than {TOTAL_NODES_MAX} values, {_REPEATED}")
        return found

    def _too_much(self, file: ComposeFile, message: str) -> TooMuch:
        self._log.add(Place(Position(file.shown, 1, 1), ()), message)
        return TooMuch()

    def _parsed(self, file: ComposeFile) -> tuple[tree.Node, ...]:
        content = _content(file)
        self._log.add_file(file.shown)
        self._shown.append(file.shown)
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            kibibytes = TOTAL_BYTES_MAX >> 10
            raise self._too_much(file, f"the files have more than {kibibytes} KiB together")
        try:
            text = read.decode_text(content)
        except UnicodeDecodeError as error:
            position = _position(content, error.start, file.shown)
            self._log.add(Place(position, ()), "the file is not UTF-8 text")
            return (tree.broken(position),)
        self.has_tags = self.has_tags or tree.RESET in text or tree.OVERRIDE in text
        return parse_documents(text, file=file.shown, log=self._log)


def _content(file: ComposeFile) -> bytes:
    if file.path is None:
        return read.read_stdin(bytes_max=read.COMPOSE_FILE_BYTES_MAX)
    return read.read_bytes(file.path, bytes_max=read.COMPOSE_FILE_BYTES_MAX, shown=file.shown)


def _position(content: bytes, at: int, shown: str) -> Position:
    before = content[:at]
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return Position(shown, before.count(b"\n") + 1, column)
