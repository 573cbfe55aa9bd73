"""Variables in a text: the grammar of Compose.

    $$                   a dollar sign
    $NAME  ${NAME}       the value; "" when the variable is not set
    ${NAME:-TEXT}        TEXT when not set or empty         ${NAME-TEXT}   TEXT when not set
    ${NAME:+TEXT}        TEXT when set and not empty        ${NAME+TEXT}   TEXT when set
    ${NAME:?TEXT}        error TEXT when not set or empty   ${NAME?TEXT}   error when not set

TEXT may hold variables itself, which are looked up only when TEXT is used. The operator is the
first thing after the name. A dollar sign before anything else stands for itself.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from stackctl.compose.problems import shown

NESTING_MAX = 32
# A variable that doubles itself in every line of a .env file must not fill the memory.
LENGTH_MAX = 1 << 20

Lookup = Callable[[str], str | None]

_NAME = re.compile(r"[_A-Za-z][_A-Za-z0-9]*", re.ASCII)
_OPERATOR = re.compile(r":?[-+?]")
_BRACE = re.compile(r"\$\{|\}")


class TemplateError(ValueError):
    """The text breaks the grammar, or a required variable is missing; `hint` says what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Substituted(NamedTuple):
    """The text with values in place, and the plain variables in it that are not set."""

    text: str
    not_set: tuple[str, ...]


def substitute(text: str, lookup: Lookup) -> Substituted:
    """Put the values of variables into `text`. Raises `TemplateError`."""
    if "$" not in text:
        return Substituted(text, ())
    not_set: list[str] = []
    return Substituted(_substitute(text, lookup, not_set, 0), tuple(dict.fromkeys(not_set)))


def _substitute(text: str, lookup: Lookup, not_set: list[str], depth: int) -> str:
    if depth > NESTING_MAX:
        raise TemplateError(f"variables are nested deeper than {NESTING_MAX} levels")
    parts: list[str] = []
    length = at = 0
    while True:
        dollar = text.find("$", at)
        if dollar < 0:
            parts.append(text[at:])
            return "".join(parts)
        parts.append(text[at:dollar])
        value, at = _variable(text, dollar, lookup, not_set, depth)
        parts.append(value)
        length += len(value)
        if length > LENGTH_MAX:
            raise TemplateError(f"variables make this text longer than {LENGTH_MAX} characters")


def _variable(
    text: str, dollar: int, lookup: Lookup, not_set: list[str], depth: int
) -> tuple[str, int]:
    """The value of what begins at `dollar`, and where it ends."""
    following = text[dollar + 1 : dollar + 2]
    if following == "$":
        return "$", dollar + 2
    if following == "{":
        end = _closing_brace(text, dollar)
        return _braced(text[dollar + 2 : end], lookup, not_set, depth), end + 1
    name = _NAME.match(text, dollar + 1)
    if name is None:
        return "$", dollar + 1
    return _plain(name[0], lookup, not_set), name.end()


def _closing_brace(text: str, dollar: int) -> int:
    open_braces = 0
    for brace in _BRACE.finditer(text, dollar):
        open_braces += 1 if brace[0] == "${" else -1
        if open_braces == 0:
            return brace.start()
    raise TemplateError(
        f"variable without closing brace: {shown(text[dollar:])}",
        "write $$ for a dollar sign that begins no variable",
    )


def _braced(inner: str, lookup: Lookup, not_set: list[str], depth: int) -> str:
    name_match = _NAME.match(inner)
    if name_match is None:
        raise _invalid(inner)
    name = name_match[0]
    if name_match.end() == len(inner):
        return _plain(name, lookup, not_set)
    operator = _OPERATOR.match(inner, name_match.end())
    if operator is None:
        raise _invalid(inner)
    value = lookup(name)
    counts = value is not None and (value != "" or ":" not in operator[0])
    alternative = inner[operator.end() :]
    kind = operator[0][-1]
    if kind == "+":
        return _substitute(alternative, lookup, not_set, depth + 1) if counts else ""
    if counts:
        return value or ""
    words = _substitute(alternative, lookup, not_set, depth + 1)
    if kind == "-":
        return words
    state = "not set" if value is None else "empty"
    reason = f": {shown(words)}" if words else ""
    raise TemplateError(
        f"required variable {name} is {state}{reason}", f"set {name} in the environment or in .env"
    )


def _plain(name: str, lookup: Lookup, not_set: list[str]) -> str:
    value = lookup(name)
    if value is None:
        not_set.append(name)
        return ""
    return value


def _invalid(inner: str) -> TemplateError:
    return TemplateError(
        f"invalid variable: {shown('${' + inner + '}')}",
        "write ${NAME} or ${NAME:-default}, and $$ for a dollar sign",
    )
