"""What is wrong with a Compose file, and where: all of it at once, in the order of the file.

Terms: a *position* is a file with a 1-based line and column; a *path* leads to a value inside the
document (`services.web.ports[0]`); a *place* is both. A *problem* stops the deploy; a *note* says
that something accepted has no effect, so that nothing is ever dropped in silence.

Readers add problems to one log and carry on with a placeholder, because a user with three
mistakes wants to hear of three.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import NamedTuple

from stackctl.errors import InputError

SHOWN_LENGTH_MAX = 60

# Comparing words is slow: a file of nonsense must not take minutes to refuse.
HINTS_MAX = 100
HINTED_WORD_LENGTH_MAX = 40
KNOWN_WORDS_MAX = 200


Path = tuple[str | int, ...]


class Position(NamedTuple):
    """Where in which file; line and column count from 1."""

    file: str
    line: int
    column: int


class Place(NamedTuple):
    """Where something was said, by position and by path."""

    position: Position
    path: Path


class Problem(NamedTuple):
    """One thing that is wrong, and what to do about it."""

    place: Place
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return _render(self.place, self.message, self.hint)


class Note(NamedTuple):
    """Something accepted that has no effect, or that the user may not have meant."""

    place: Place
    message: str

    def __str__(self) -> str:
        return _render(self.place, self.message, None)


class ComposeProblems(InputError):
    """All problems of a Compose file, in the order of the file; its text has a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ProblemLog:
    """Collects problems and notes; the files are ranked in the order in which they are named."""

    def __init__(self) -> None:
        self._problems: dict[tuple[Position, str, str | None], Problem] = {}
        self._notes: dict[tuple[Position, str], Note] = {}
        self._files: dict[str, int] = {}
        self._hints_left = HINTS_MAX

    def add_file(self, file: str) -> None:
        """Make problems of `file` come after those of all files added before."""
        self._files.setdefault(file, len(self._files))

    def add(self, place: Place, message: str, hint: str | None = None) -> None:
        """Record a problem. What several aliases of one value repeat is kept once."""
        self.add_file(place.position.file)
        key = (place.position, message, hint)
        self._problems.setdefault(key, Problem(place, message, hint))

    def note(self, place: Place, message: str) -> None:
        """Record a note, once per place."""
        self.add_file(place.position.file)
        self._notes.setdefault((place.position, message), Note(place, message))

    def near(self, word: str, known: Iterable[str]) -> str | None:
        """A hint naming the known word that `word` may have been meant for, if there is one."""
        if self._hints_left <= 0 or len(word) > HINTED_WORD_LENGTH_MAX:
            return None
        self._hints_left -= 1
        near = get_close_matches(word.lower(), islice(known, KNOWN_WORDS_MAX), n=1, cutoff=0.7)
        return f"did you mean {near[0]}?" if near else None

    def problems(self) -> tuple[Problem, ...]:
        """All problems so far, in file order."""
        return tuple(sorted(self._problems.values(), key=lambda found: self._rank(found.place)))

    def notes(self) -> tuple[Note, ...]:
        """All notes so far, in file order."""
        return tuple(sorted(self._notes.values(), key=lambda found: self._rank(found.place)))

    def raise_if_any(self) -> None:
        """Raise `ComposeProblems` when at least one problem was recorded."""
        if self._problems:
            raise ComposeProblems(self.problems())

    def _rank(self, place: Place) -> tuple[int, int, int]:
        position = place.position
        return (self._files[position.file], position.line, position.column)


def shown(text: str) -> str:
    """`text` as a message may quote it: one line, printable, and short."""
    return _printable(text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 1] + "…")


def render_path(path: Path) -> str:
    """`("services", "web", "ports", 0)` as `services.web.ports[0]`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{shown(step)}" if parts else shown(step))
    return "".join(parts)


def _render(place: Place, message: str, hint: str | None) -> str:
    position, path = place
    where = f"{position.file}:{position.line}:{position.column}: "
    what = f"{render_path(path)}: {message}" if path else message
    return _printable(f"{where}{what}; {hint}" if hint else f"{where}{what}")


def _printable(text: str) -> str:
    """`text` in one line: paths of files, for one, are shown whole but may have any character."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
