"""The streams that commands write to, and what they can show. The only writer of the CLI.

Results go to stdout; progress, notes and errors go to stderr. Colour marks what the words already
say: it is used on a terminal only, NO_COLOR forbids and FORCE_COLOR demands it.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TextIO

from stackctl.errors import StackctlError

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2"}
_DEFAULT_SIZE = (100, 30)


class Ansi(StrEnum):
    """`--ansi`: whether colours are used and lines are redrawn."""

    NEVER = "never"
    ALWAYS = "always"
    AUTO = "auto"


class Size(NamedTuple):
    """Columns and rows of a terminal."""

    width: int
    height: int


class Terminal:
    """Where a command writes. `table_width` is None when stdout is no terminal: nothing is cut."""

    def __init__(self, out: TextIO, errors: TextIO, environment: Mapping[str, str]) -> None:
        self._out = out
        self._errors = errors
        self._environment = environment
        self._ansi = Ansi.AUTO
        self.is_interactive = errors.isatty() and environment.get("TERM") != "dumb"
        self.has_colour = self._wants_colour()

    def use_ansi(self, ansi: Ansi) -> None:
        """Demand or forbid colours and redrawn lines, whatever the streams and variables are."""
        self._ansi = ansi
        if ansi is not Ansi.AUTO:
            self.is_interactive = self.has_colour = ansi is Ansi.ALWAYS

    @property
    def table_width(self) -> int | None:
        """Columns of the terminal that stdout is, None when it is none."""
        return self._size(self._out).width if self._out.isatty() else None

    @property
    def has_terminal(self) -> bool:
        """Whether stdout is a terminal."""
        return self._out.isatty()

    @property
    def progress_size(self) -> Size:
        """Columns and rows for progress on stderr."""
        return self._size(self._errors)

    @property
    def has_output_colour(self) -> bool:
        """Whether results may be coloured: those of stdout, which may be another thing."""
        if self._ansi is not Ansi.AUTO:
            return self._ansi is Ansi.ALWAYS
        if self._environment.get("NO_COLOR"):
            return False
        return bool(self._environment.get("FORCE_COLOR")) or self._out.isatty()

    def write(self, text: str) -> None:
        """A result, with its own line ends. Raises StackctlError when it cannot be written."""
        with _telling_of_lost_output():
            self._out.write(text)

    def flush(self) -> None:
        """Let what was written be seen now (logs that are followed); raises as `write` does."""
        with _telling_of_lost_output():
            self._out.flush()

    def pass_on(self, content: bytes, is_error: bool = False) -> None:
        """Bytes of a container as they are, at once; raises as `write` does."""
        stream = self._errors if is_error else self._out
        with _telling_of_lost_output():
            stream.flush()
            stream.buffer.write(content)
            stream.buffer.flush()

    def note(self, text: str) -> None:
        """A line beside the result: progress, warnings, errors."""
        # Results that were written before come first, also when both streams end in one file.
        # Where they can't be written, `flush` says so at the end.
        with contextlib.suppress(OSError):
            self._out.flush()
        self._errors.write(text if text.endswith("\n") else text + "\n")
        self._errors.flush()

    def ask(self, question: str) -> str | None:
        """What somebody answers; None when nobody is there."""
        if not (sys.stdin.isatty() and self._errors.isatty()):
            return None
        self._errors.write(question)
        self._errors.flush()
        return sys.stdin.readline()

    def redraw(self, lines: Sequence[str], *, over: int) -> None:
        """Write lines over the `over` lines that were written last."""
        if over:
            self._errors.write(f"\x1b[{over}A")
        self._errors.write("".join(f"\x1b[2K{line}\n" for line in lines))
        # Fewer lines than before: what is left of the old ones must go.
        self._errors.write("\x1b[J")
        self._errors.flush()

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, or as it is where there is none."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.has_colour and colour else text

    def _wants_colour(self) -> bool:
        if self._environment.get("NO_COLOR"):
            return False
        return bool(self._environment.get("FORCE_COLOR")) or self.is_interactive

    def _size(self, stream: TextIO) -> Size:
        columns, lines = self._environment.get("COLUMNS", ""), self._environment.get("LINES", "")
        try:
            size = os.get_terminal_size(stream.fileno())
            measured = Size(size.columns or _DEFAULT_SIZE[0], size.lines or _DEFAULT_SIZE[1])
        except (OSError, ValueError):
            measured = Size(*_DEFAULT_SIZE)
        return Size(
            int(columns) if columns.isdigit() and int(columns) else measured.width,
            int(lines) if lines.isdigit() and int(lines) else measured.height,
        )


@contextlib.contextmanager
def _telling_of_lost_output() -> Iterator[None]:
    """A reader that went away is the shell's matter; a full disk is the user's."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StackctlError(f"cannot write the output: {error.strerror}") from error
