"""What a manager refuses, as an error of ours; and errors that only a client can have.

StackctlError
├─ UnknownName
│  └─ NoSuchName        exit 1   a manager knows no such name (Swarm's exit code: scripts test it)
├─ ClusterUnavailable
│  └─ NoManagerAnswers  exit 3   none of the endpoints could be asked
└─ OutcomeUnknown       exit 1   a request was sent and its answer never came
"""

import json
from collections.abc import Iterable

from stackctl.client import views
from stackctl.errors import (
    ClusterUnavailable,
    Conflict,
    Denied,
    InputError,
    StackctlError,
    UnknownName,
)


class NoSuchName(UnknownName):
    """A name that nothing in the cluster bears."""

    exit_code = 1

    @classmethod
    def as_said(cls, message: str, hint: str | None) -> "NoSuchName":
        """The error in a manager's own words."""
        kind, _, name = message.partition(": ")
        error = cls(kind.removeprefix("no such "), name)
        error.args = (message,)
        error.message = message
        error.hint = hint
        return error


class NoManagerAnswers(ClusterUnavailable):
    """None of the endpoints could be asked; says for each one why."""

    def __init__(self, attempts: Iterable[tuple[str, str]]) -> None:
        tried = "; ".join(f"{endpoint} ({reason})" for endpoint, reason in attempts)
        super().__init__(
            f"no manager answers at {tried}",
            hint="start one, look at 'stackctl lab status' or 'stackctl context ls', "
            "or name another manager with --endpoint",
        )


class OutcomeUnknown(StackctlError):
    """The request was sent, the answer never came: it may or may not have been carried out."""

    def __init__(self, method: str, endpoint: str, reason: str) -> None:
        super().__init__(
            f"{endpoint} was asked to {method.lower()} and did not answer ({reason}); "
            "it may have been done or not",
            hint="look at the state before you try again",
        )


_KINDS: dict[str, type[StackctlError]] = {
    "input": InputError,
    "conflict": Conflict,
    "denied": Denied,
    "unavailable": ClusterUnavailable,
    "internal": StackctlError,
}


def of_answer(status: int, body: bytes, *, endpoint: str) -> StackctlError:
    """The error that an answer with a status of 400 or above stands for."""
    try:
        answer = json.loads(body)
        error = views.complete_error(answer)
        kind, message, hint = error["kind"], error["message"], error["hint"] or None
    except (ValueError, TypeError, KeyError):
        return _not_ours(status, body, endpoint)
    if kind == "unknown-name":
        return NoSuchName.as_said(message, hint)
    return _KINDS.get(kind, StackctlError)(message, hint=hint)


def _not_ours(status: int, body: bytes, endpoint: str) -> StackctlError:
    text = " ".join(body.decode("utf-8", "replace").split())[:200]
    kind = ClusterUnavailable if status in {502, 503, 504} else StackctlError
    said = f": {text}" if text else ""
    return kind(
        f"{endpoint} answered {status}{said}",
        hint="is that the address of a stackctl manager's API?",
    )
