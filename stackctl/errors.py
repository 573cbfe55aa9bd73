"""The error tree of stackctl: blame is in the type, the exit code is in the class.

    StackctlError(message, hint=None)   exit 1   anything a user should read
    ├─ InputError                       exit 2   the user's file or flags
    │  └─ UnknownName                            a name nothing bears, with near matches
    ├─ ClusterUnavailable               exit 3   no manager answers, or there is no leader
    ├─ NotConverged                     exit 4   a wait ended before the wanted state was reached
    ├─ Conflict                         exit 1   name in use, stale version, port taken
    ├─ Denied                           exit 1   token, certificate or credentials refused
    └─ UnfitMachine                     exit 5   this machine lacks something that the command needs

    DriverFailure                                a driver of the agent could not do its one call
    ├─ TemporaryFailure(retry_after_seconds)     worth trying again as it is
    └─ PermanentFailure                          trying again as it is cannot help

Driver failures never reach a user: the agent's worker turns them into a task's status.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class StackctlError(Exception):
    """Anything a user should read: one sentence, and optionally what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(StackctlError):
    """The user's file or flags are wrong; nothing has been changed."""

    exit_code = 2


class UnknownName(InputError):
    """A name that nothing bears; the hint offers the nearest names that exist."""

    def __init__(self, kind: str, name: str, *, known: Iterable[str] = ()) -> None:
        near = get_close_matches(name, list(known), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else None
        super().__init__(f"no such {kind}: {name}", hint=hint)
        self.kind = kind
        self.name = name


class ClusterUnavailable(StackctlError):
    """No manager answers, or the managers have no leader."""

    exit_code = 3


class NotConverged(StackctlError):
    """A wait ended before the wanted state was reached."""

    exit_code = 4


class Conflict(StackctlError):
    """The name is in use, the version is stale, or the port is taken."""


class Denied(StackctlError):
    """A token, certificate or peer was refused."""


class UnfitMachine(StackctlError):
    """This machine lacks something that the command needs (a program, a right, a kernel
    feature)."""

    exit_code = 5


class DriverFailure(Exception):
    """A driver could not do its one call; `reason` is the other side's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFailure(DriverFailure):
    """Worth trying again as it is, after `retry_after_seconds`."""

    def __init__(self, reason: str, *, retry_after_seconds: float) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class PermanentFailure(DriverFailure):
    """Trying again as it is cannot help."""
