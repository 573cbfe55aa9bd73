"""Compose files read for a command: their problems and notes go to stderr as editors know them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stackctl.cli.session import Session
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.compose.problems import Note, Problem


def count_text(count: int, singular: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{count} {singular}" if count == 1 else f"{count} {singular}s"


def show_problems(session: Session, problems: Iterable["Problem"]) -> None:
    """As they stand, without our name in front: editors and CI look for file:line:column."""
    for problem in problems:
        session.terminal.note(str(problem))


def show_notes(session: Session, notes: Iterable["Note"]) -> None:
    """What has no effect, or not the one it seems to have."""
    for note in notes:
        session.terminal.note(f"note: {note}")


def refusal(problems: int, *, consequence: str = "") -> InputError:
    """The end of a command whose files are wrong."""
    return InputError(f"{count_text(problems, 'problem')} in the Compose file{consequence}")
