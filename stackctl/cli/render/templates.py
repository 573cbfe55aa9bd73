"""The part of Go's templates that people use with `--format`.

`{{.Name}}`, `{{.Spec.Name}}`, `{{json .}}`, `{{json .Labels}}`, with `\\t` and `\\n` between them.
Anything else is refused by name rather than printed as it stands.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stackctl.errors import InputError

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(r"^(json\s+)?\.([A-Za-z_][\w]*(?:\.[\w-]+)*)?$")
_ESCAPES = {"\\t": "\t", "\\n": "\n"}
_HINT = "templates are made of {{.Field}} and {{json .Field}}"


class Field(NamedTuple):
    """One `{{…}}`: the way down to a value, and whether it is written as JSON."""

    path: tuple[str, ...]
    is_json: bool


class Template(NamedTuple):
    """Texts and fields in order."""

    parts: tuple[str | Field, ...]

    def render(self, value: Mapping[str, Any]) -> str:
        """The template filled in. Raises InputError for a field that does not exist."""
        return "".join(
            part if isinstance(part, str) else _render_field(part, value) for part in self.parts
        )

    def check(self, known: Mapping[str, Any]) -> None:
        """Raises InputError when a field is not among the known ones, rows or not."""
        for part in self.parts:
            if not isinstance(part, str) and part.path and part.path[0] not in known:
                raise _unknown(part.path[0], known)


def parse_template(text: str) -> Template:
    """The template in a text. Raises InputError."""
    parts: list[str | Field] = []
    for index, part in enumerate(_ACTION.split(text)):
        if index % 2:
            parts.append(_parse_field(part.strip()))
        elif "{{" in part or "}}" in part:
            raise InputError(f"a template's braces do not match: {text}", hint=_HINT)
        elif part:
            parts.append(_unescaped(part))
    return Template(tuple(parts))


def _parse_field(text: str) -> Field:
    match = _FIELD.match(text)
    if not match or (match[2] is None and not match[1]):
        raise InputError(f"a template cannot hold {{{{{text}}}}}", hint=_HINT)
    path = tuple(match[2].split(".")) if match[2] else ()
    return Field(path, bool(match[1]))


def _unescaped(text: str) -> str:
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def _render_field(field: Field, value: Any) -> str:
    for name in field.path:
        if not isinstance(value, Mapping) or name not in value:
            raise _unknown(name, value if isinstance(value, Mapping) else {})
        value = value[name]
    if field.is_json:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unknown(name: str, known: Mapping[str, Any]) -> InputError:
    fields = ", ".join(sorted(known)) or "none here"
    return InputError(f"there is no field .{name}", hint=f"fields: {fields}")
