"""Plain values as YAML that our reader and every other one understand alike.

Not PyYAML's emitter: it quotes by the rules of YAML 1.1, where `1e3` is text, while go-yaml and we
read a number there. Here a text is left unquoted only where no YAML, old or new, takes it for
anything else. Texts of several lines become blocks where a block can hold them.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stackctl.compose.syntax.yaml_scalars import resolve_plain

Plain = str | int | float | bool | None | Sequence["Plain"] | Mapping[str, "Plain"]

_INDENT = "  "

# YAML 1.1 finds no key where more than 1024 characters stand before its colon.
_SIMPLE_KEY_LENGTH_MAX = 1000

_UNQUOTED = re.compile(r"[\w/.$(][\w/.@+,=%$~()^;-]*(?:[ :][\w/.@+,=%$~()^;-]+)*", re.ASCII)
# What some YAML takes for a number, a date or a time: 22:22, 1_000, 2024-01-01, 1.5e3, 0x1F.
_NUMBER_LIKE = re.compile(r"[-+.0-9][-+.:_0-9a-fA-FoOxXTtZz]*")
_OLD_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def to_yaml(value: Plain) -> str:
    """The value as one YAML document, indented by two."""
    if isinstance(value, str):  # a block has nothing to be indented against
        return f"{_scalar(value)}\n"
    head, below = _parts(value)
    return "".join(f"{line}\n" for line in ((head, *below) if head else below))


class _Parts(NamedTuple):
    """What stands behind `key:` or `-`, and the lines below it, not indented yet."""

    head: str
    below: Sequence[str]


def _parts(value: Plain) -> _Parts:
    if isinstance(value, Mapping):
        return _Parts("", list(_mapping(value))) if value else _Parts("{}", ())
    if isinstance(value, str):
        return _block(value) or _Parts(_scalar(value), ())
    if isinstance(value, Sequence):
        return _Parts("", list(_sequence(value))) if value else _Parts("[]", ())
    if isinstance(value, float) and not math.isfinite(value):
        return _Parts(unbounded_text(value), ())
    return _Parts(json.dumps(value), ())


def unbounded_text(value: float) -> str:
    """What YAML calls a number that JSON has no word for."""
    if math.isnan(value):
        return ".nan"
    return ".inf" if value > 0 else "-.inf"


def _mapping(value: Mapping[str, Plain]) -> Iterator[str]:
    for key, inner in value.items():
        head, below = _parts(inner)
        if len(key) > _SIMPLE_KEY_LENGTH_MAX:
            yield f"? {_scalar(key)}"
            yield f": {head}".rstrip()
        else:
            yield f"{_scalar(key)}: {head}".rstrip()
        yield from _indented(below)


def _sequence(value: Sequence[Plain]) -> Iterator[str]:
    for item in value:
        head, below = _parts(item)
        if head:
            yield f"- {head}"
            yield from _indented(below)
        else:
            yield f"- {below[0]}"
            yield from _indented(below[1:])


def _indented(lines: Sequence[str]) -> Iterator[str]:
    return (_INDENT + line if line else "" for line in lines)


def _scalar(text: str) -> str:
    if _is_unmistakable(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(character: str) -> str:
    """JSON writes characters beyond 16 bits as two escapes; YAML has an escape for each alone."""
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _is_unmistakable(text: str) -> bool:
    return (
        _UNQUOTED.fullmatch(text) is not None
        and not _NUMBER_LIKE.fullmatch(text)
        and text.lower() not in _OLD_WORDS
        and resolve_plain(text) == text
    )


def _block(text: str) -> _Parts | None:
    """The text as a literal block; None when it has one line or a block could not keep it."""
    lines = text.removesuffix("\n").split("\n")
    if "\n" not in text or not lines[0] or not lines[-1]:
        return None
    if lines[0][0] in " \t" or not all(_fits_block(line) for line in lines):
        return None
    return _Parts("|" if text.endswith("\n") else "|-", lines)


def _fits_block(line: str) -> bool:
    # Line breaks of Unicode would end a line; blanks alone, or at an end, get lost in editors.
    return not line or (line.replace("\t", " ").isprintable() and line[-1] not in " \t")
