"""Single values as text that reads back as the same number, and mappings without what says nothing.

The readers' defaults are those of the document's structs, so what has its default is left out.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

from stackctl.compose.grammar.quantities import parse_duration
from stackctl.compose.printing.yaml_text import Plain
from stackctl.model.specs import NANO, Ulimit

_UNIT_SECONDS = (("h", 3600), ("m", 60))


def section(
    filled: Mapping[str, Plain], given: Mapping[str, Plain] | None = None
) -> dict[str, Plain]:
    """The keys of a section in alphabetical order.

    Of `filled`, what is empty, 0 or false is left out; of `given`, only None is.
    """
    entries = {key: value for key, value in filled.items() if value}
    entries.update({key: value for key, value in (given or {}).items() if value is not None})
    return dict(sorted(entries.items()))


def extended(keys: Mapping[str, Plain], extensions: Mapping[str, object]) -> dict[str, Plain]:
    """The keys of a section, and behind them the user's own (`x-`) as they stand."""
    # The reader made them of scalars, lists and mappings, which is what Plain is.
    return {**keys, **cast("Mapping[str, Plain]", extensions)}


def duration_text(seconds: float | None) -> str | None:
    """`1m30s`; what units would round is written as seconds with all their digits."""
    if seconds is None:
        return None
    whole, parts = int(seconds), []
    if seconds == whole:
        for unit, size in _UNIT_SECONDS:
            count, whole = divmod(whole, size)
            if count:
                parts.append(f"{count}{unit}")
        text = "".join((*parts, f"{whole}s" if whole or not parts else ""))
        if parse_duration(text) == seconds:
            return text
    return f"{Decimal(repr(seconds)):f}s"


def positive_duration(seconds: float) -> str | None:
    """As `duration_text`, and nothing for 0."""
    return duration_text(seconds) if seconds else None


def cpus_text(nano_cpus: int) -> str | None:
    """Cores to nine places, and nothing for 0."""
    if not nano_cpus:
        return None
    whole, fraction = divmod(nano_cpus, NANO)
    return f"{whole}.{fraction:09d}".rstrip("0").removesuffix(".")


def mode_text(mode: int) -> str:
    """A file's mode in octal, as text: numbers lose their base."""
    return f"0{mode:03o}"


def pairs(variables: Sequence[str]) -> dict[str, Plain]:
    """`("NAME=value", …)` as a mapping."""
    return {name: value for name, _, value in (each.partition("=") for each in variables)}


def ulimits(limits: Sequence[Ulimit]) -> dict[str, Plain]:
    """Limits by name: one number where both are the same."""
    return {
        limit.name: limit.soft
        if limit.soft == limit.hard
        else {"soft": limit.soft, "hard": limit.hard}
        for limit in limits
    }
