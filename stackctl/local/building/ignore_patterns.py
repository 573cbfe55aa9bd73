"""The patterns of `.dockerignore`: which paths of a folder a builder or a watch never sees.

Pure. The language is the builder's own, not that of .gitignore: a pattern starts at the folder,
`**` stands for any number of folders, a later pattern beats an earlier one, `!` takes paths back,
and what is below an ignored folder is ignored as well unless it was taken back. Python's `fnmatch`
lets `*` cross folders, hence a translation of our own.
"""

import posixpath
import re
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

_PLAIN_IN_PATTERNS = ".+()|{}$^"


class IgnorePattern(NamedTuple):
    """One line: what it matches, and whether it ignores or takes back."""

    text: str
    expression: re.Pattern[str]
    takes_back: bool


class IgnorePatterns:
    """Lines of one file, in their order; paths are relative to the folder, with `/` between."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises ValueError with the line that is no pattern."""
        self._patterns = tuple(_parse_pattern(line) for line in _meaningful(lines))

    @cached_property
    def _takes_something_back(self) -> bool:
        return any(pattern.takes_back for pattern in self._patterns)

    def ignores(self, path: str) -> bool:
        """True if the path itself or a folder above it is ignored and nothing took it back."""
        parts = path.split("/")
        ancestors = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        is_ignored = False
        for pattern in self._patterns:
            # A pattern that would change nothing need not be compared.
            if pattern.takes_back != is_ignored:
                continue
            if any(pattern.expression.fullmatch(ancestor) for ancestor in ancestors):
                is_ignored = not pattern.takes_back
        return is_ignored

    def ignores_all_below(self, folder: str) -> bool:
        """True if nothing in an ignored folder can have been taken back, so nobody need look."""
        if not self.ignores(folder):
            return False
        if not self._takes_something_back:
            return True
        return not any(
            _may_match_below(pattern.text, folder)
            for pattern in self._patterns
            if pattern.takes_back
        )


def parse_lines(text: str) -> tuple[str, ...]:
    """The lines of a `.dockerignore`; comments start in the first column only."""
    return tuple(line for line in text.removeprefix("\ufeff").splitlines() if line[:1] != "#")


def _meaningful(lines: Iterable[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def _parse_pattern(line: str) -> IgnorePattern:
    takes_back = line.startswith("!")
    text = line[1:].strip() if takes_back else line
    if not text:
        raise ValueError(f"{line!r} takes nothing back")
    text = posixpath.normpath(text).lstrip("/") or "."
    try:
        return IgnorePattern(text, re.compile(_expression(text)), takes_back)
    except re.error as error:
        raise ValueError(f"{line!r} is no pattern: {error}") from error


def _expression(pattern: str) -> str:
    found: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*" and pattern[position : position + 1] == "*":
            position += 1
            if pattern[position : position + 1] == "/":
                position += 1
            found.append(".*" if position >= len(pattern) else "(?:.*/)?")
        elif character == "*":
            found.append("[^/]*")
        elif character == "?":
            found.append("[^/]")
        elif character == "\\":
            if position == len(pattern):
                raise ValueError(f"{pattern!r} ends in a backslash")
            found.append(re.escape(pattern[position]))
            position += 1
        elif character == "[":
            end = _end_of_class(pattern, position)
            found.append("[" + pattern[position:end].replace("[", "\\[") + "]")
            position = end + 1
        else:
            found.append("\\" + character if character in _PLAIN_IN_PATTERNS else character)
    return "".join(found)


def _end_of_class(pattern: str, start: int) -> int:
    end = pattern.find("]", start + 1)
    if end < 0:
        raise ValueError(f"{pattern!r} has a [ without its ]")
    return end


def _may_match_below(pattern: str, folder: str) -> bool:
    """Whether a pattern could match a path below the folder: wrong answers are only too careful."""
    wanted, given = pattern.split("/"), folder.split("/")
    for mask, part in zip(wanted, given, strict=False):
        if "**" in mask:
            return True
        if not re.fullmatch(_expression(mask), part):
            return False
    return len(wanted) > len(given)
