"""Paths on nodes and in containers, and the modes of files."""

import os
import posixpath
import re
from pathlib import Path

from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Reading, Value

MODE_MAX = 0o7777

OCTAL_MODE = re.compile(r"(?:0[oO])?[0-7]{1,5}")
_PATH_LENGTH_MAX = 4096


def file_mode(value: Value) -> int:
    """A file mode: a number (0440 and 0o440 are octal in YAML), or text in octal."""
    written = value.written
    mode = -1
    if isinstance(written, int) and not isinstance(written, bool):
        mode = written
    elif isinstance(written, str) and OCTAL_MODE.fullmatch(written):
        mode = int(written.lower().removeprefix("0o"), 8)
    if not 0 <= mode <= MODE_MAX:
        value.expected("a file mode such as 0440")
        return 0
    return mode


def absolute_path(path: str, reading: Reading) -> str:
    """`path` of the file as an absolute one: `~` is the user's home, the rest starts at the file.

    Raises `ValueError` with a sentence.
    """
    if path == "~" or path.startswith("~/"):
        home = reading.variables("HOME")
        if not home:
            raise ValueError("~ is used, and HOME is not set")
        path = home + path[1:]
    elif path.startswith("~"):
        raise ValueError(f"{shown(path)!r}: the home of another user is not known")
    return os.path.normpath(Path(reading.base, path))


def container_path(value: Value, path: str) -> str:
    """A path in the container in its shortest form; reports what is no place for a mount."""
    if not path.startswith("/"):
        value.problem(f"the path in the container must be absolute, not {shown(path)!r}")
        return "/"
    clean = "/" + posixpath.normpath(path).lstrip("/")
    if clean == "/":
        value.problem("nothing can be mounted over the root of the container")
    if len(clean) > _PATH_LENGTH_MAX:
        value.problem(f"a path has at most {_PATH_LENGTH_MAX} characters")
    return clean
