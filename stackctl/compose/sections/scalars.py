"""Readers of single values and of plain lists and mappings.

Compose accepts a boolean or a number as text wherever it may come from a variable, so do these
readers; text is never made from a number, because `0644` and `1.10` would not survive it.
"""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from stackctl.compose.grammar.quantities import INT64_MAX, parse_bytes, parse_cpus, parse_duration
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Reader, Value
from stackctl.compose.syntax.yaml_scalars import Written, go_text

RESERVED_LABEL_PREFIX = "stackctl."

E = TypeVar("E", bound=StrEnum)
N = TypeVar("N", int, float)

_INTEGER = re.compile(r"[-+]?[0-9]{1,20}")
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "no", "n", "off"), False),
}


def text(value: Value) -> str:
    """Text; a number or boolean is refused, since its spelling would be lost."""
    written = value.written
    if isinstance(written, str):
        return written
    if isinstance(written, int | float):
        value.expected("text", "put it in quotes")
    else:
        value.expected("text")
    return ""


def filled_text(value: Value) -> str:
    """Text that is not empty."""
    found = text(value)
    if value.written == "":
        value.problem("is empty", "give it a value, or remove the key")
    return found


def scalar_text(value: Value) -> str | None:
    """Text, number or boolean as text, null as None: the values of environment and labels."""
    written = value.written
    if written is None:
        if not value.is_null:
            value.expected("text, a number or a boolean")
        return None
    if isinstance(written, float) and not math.isfinite(written):
        value.expected("a finite number", "put it in quotes")
    return go_text(written)


def boolean(value: Value) -> bool:
    """true or false, as itself or as text; yes/no, on/off and y/n as text too."""
    written = value.written
    if isinstance(written, bool):
        return written
    if isinstance(written, str) and written.lower() in _BOOLEANS:
        return _BOOLEANS[written.lower()]
    value.expected("true or false")
    return False


def integer(minimum: int = 0, maximum: int = INT64_MAX) -> Reader[int]:
    """A reader of whole numbers within bounds."""

    def read(value: Value) -> int:
        number = _whole_number(value.written)
        if number is None:
            value.expected("a whole number")
            return minimum
        if number < minimum:
            value.problem(f"must be at least {minimum}, not {shown(str(value.written))}")
            return minimum
        if number > maximum:
            value.problem(f"must be at most {maximum}, not {shown(str(value.written))}")
            return minimum
        return number

    return read


def _number_up_to(maximum: int) -> Reader[float]:
    def read(value: Value) -> float:
        written = value.written
        number = math.nan
        if isinstance(written, int | float | str) and not isinstance(written, bool):
            try:
                number = float(written)
            except (ValueError, OverflowError):
                number = math.nan
        if not 0 <= number <= maximum:
            value.expected(f"a number from 0 to {maximum}")
            return 0
        return number

    return read


ratio = _number_up_to(1)
percentage = _number_up_to(100)


def duration(value: Value) -> float:
    """Seconds; a bare number is refused, as Compose refuses it."""
    written = value.written
    if isinstance(written, int | float) and not isinstance(written, bool):
        value.expected("a duration with a unit", f"write {go_text(written)}s for seconds")
        return 0
    if not isinstance(written, str):
        value.expected("a duration such as 30s")
        return 0
    return _parsed(value, parse_duration, 0.0)


def byte_size(value: Value) -> int:
    """Bytes: a whole number, or text with a 1024-based unit."""
    written = value.written
    if isinstance(written, int) and not isinstance(written, bool):
        return integer()(value)
    if not isinstance(written, str):
        value.expected("a size such as 50M or a number of bytes")
        return 0
    return _parsed(value, parse_bytes, 0)


def nano_cpus(value: Value) -> int:
    """Billionths of a core, from a number of cores."""
    written = value.written
    if isinstance(written, int | float) and not isinstance(written, bool):
        return _parsed(value, parse_cpus, 0, as_text=go_text(written))
    return _parsed(value, parse_cpus, 0)


def choice(of: type[E], default: E) -> Reader[E]:
    """A reader of one word out of few."""

    def read(value: Value) -> E:
        words = [member.value for member in of]
        written = value.written
        if isinstance(written, str) and written in words:
            return of(written)
        hint = value.reading.log.near(written, words) if isinstance(written, str) else None
        value.expected(" or ".join((", ".join(words[:-1]), words[-1])), hint)
        return default

    return read


def word(known: tuple[str, ...]) -> Reader[str]:
    """A reader of one word out of those known."""

    def read(value: Value) -> str:
        written = value.written
        if isinstance(written, str) and written in known:
            return written
        hint = value.reading.log.near(written, known) if isinstance(written, str) else None
        value.expected(known[0] if len(known) == 1 else f"one of {', '.join(known)}", hint)
        return ""

    return read


def text_list(value: Value) -> tuple[str, ...]:
    """A list of text."""
    return tuple(text(item) for item in value.items("a list of texts"))


def text_or_list(value: Value) -> tuple[str, ...]:
    """One text, or a list of them."""
    return tuple(text(item) for item in one_or_more(value))


def one_or_more(value: Value) -> list[Value]:
    """The value itself when it is one text, otherwise its items."""
    return [value] if isinstance(value.written, str) else value.items("text or a list of texts")


class NamedValue(NamedTuple):
    """A name with its text, None where there is a name only, and where both are written."""

    name: str
    content: str | None
    value: Value

    def problem(self, message: str, hint: str | None = None) -> None:
        """Report that the name or its text is wrong."""
        self.value.key_problem(message, hint)


def named_values(value: Value) -> list[NamedValue]:
    """`{NAME: value}` or `[NAME=value, NAME]`, in the order of the file; no name is empty."""
    if value.is_mapping():
        found = [
            NamedValue(name, scalar_text(inner), inner) for name, inner in value.entries().items()
        ]
    else:
        found = [_named_item(item) for item in value.items("a mapping or a list of NAME=value")]
    for entry in found:
        readable = value.is_mapping() or isinstance(entry.value.written, str)
        if readable and not entry.name.strip():
            entry.problem("there is no name", "write NAME=value")
    return [entry for entry in found if entry.name.strip()]


def _named_item(item: Value) -> NamedValue:
    name, equals, rest = text(item).partition("=")
    return NamedValue(name, rest if equals else None, item)


def labels(value: Value) -> dict[str, str]:
    """Labels; one without a value is empty."""
    found = named_values(value)
    for entry in found:
        check_label_name(entry.value, entry.name)
    return {entry.name: entry.content or "" for entry in found}


def check_label_name(value: Value, name: str) -> None:
    """Report at `value` a label that is ours."""
    if name.startswith(RESERVED_LABEL_PREFIX):
        value.key_problem(f"label {shown(name)} is reserved for stackctl itself")


def options(value: Value) -> dict[str, str]:
    """A mapping of names to texts, numbers or booleans: the options of a driver."""
    return {name: scalar_text(inner) or "" for name, inner in value.entries().items()}


def _whole_number(written: Written) -> int | None:
    if isinstance(written, bool):
        return None
    if isinstance(written, float) and written.is_integer():
        return int(written)
    if isinstance(written, int):
        return written
    if isinstance(written, str) and _INTEGER.fullmatch(written):
        return int(written)
    return None


def _parsed(
    value: Value, parse: Callable[[str], N], default: N, *, as_text: str | None = None
) -> N:
    written = value.written if as_text is None else as_text
    if not isinstance(written, str):
        value.expected("text")
        return default
    try:
        return parse(written)
    except ValueError as error:
        value.problem(f"{shown(written)!r}: {error}")
        return default
