"""Compose files read for a command: their problems and notes go to stderr as editors know them."""

from collections.abc import Iterable
from difflib import get_close_matches
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


def show_daily_notes(
    session: Session, notes: Iterable["Note"], switched_off: Iterable[str]
) -> None:
    """As `show_notes`, for commands that are typed all day: profiles are off on purpose."""
    off = {("services", key) for key in switched_off}
    show_notes(session, (note for note in notes if note.place.path not in off))


def show_unknown_profiles(session: Session, given: Iterable[str], known: Iterable[str]) -> None:
    """What `--profile` names and no service has: probably a slip of the pen."""
    there = sorted(known)
    for profile in given:
        if profile not in (*there, "*"):
            near = get_close_matches(profile, there, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            session.terminal.note(f"note: no service has the profile {profile}{hint}")


def refusal(problems: int, *, consequence: str = "") -> InputError:
    """The end of a command whose files are wrong."""
    return InputError(f"{count_text(problems, 'problem')} in the Compose file{consequence}")
