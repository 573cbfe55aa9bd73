"""The Compose file's JSON Schema: where it lies, and a tree's problems by it.

`schemas/compose-file.json` is for editors first: completion, descriptions, mistakes while typing.
This module, the only one that imports jsonschema, holds a tree against it and says what is wrong in
the words and at the places of the readers. The readers know more than a schema can: what
references lead to, the grammars inside texts, keys that exclude each other. So the schema accepts
whatever the readers accept, and what it refuses they refuse; `lint` shows both, tests hold the two
against each other.

The schema is written for its errors: a value with several forms lists their types, and the
keywords of each form then act on that type alone, so there is no "none of the alternatives fits".
`patternErrorMessage` and `errorMessage`, which editors know too, say in words what a pattern wants.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from stackctl.compose.problems import Path as DocumentPath
from stackctl.compose.problems import Place, ProblemLog, shown
from stackctl.compose.read import NoSuchFile, read_bytes
from stackctl.compose.syntax import tree

SCHEMA_NAME = "compose-file.json"

_SCHEMA_BYTES_MAX = 1 << 20
_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


@cache
def compose_schema() -> dict[str, Any]:
    """The schema as parsed JSON. It is part of an installed package, or beside the sources."""
    here = Path(__file__).resolve()
    try:
        content = read_bytes(here.parents[1] / "schemas" / SCHEMA_NAME, bytes_max=_SCHEMA_BYTES_MAX)
    except NoSuchFile:
        content = read_bytes(here.parents[2] / "schemas" / SCHEMA_NAME, bytes_max=_SCHEMA_BYTES_MAX)
    schema: dict[str, Any] = json.loads(content)
    return schema


def check_schema(root: tree.Node, log: ProblemLog) -> None:
    """Report everything in the interpolated, merged tree of a file that the schema refuses.

    What could not be read at all (a broken scalar) has been reported and is passed over.
    """
    if _is_broken(root):
        return
    for error in _validator().iter_errors(_plain(root)):
        path = tuple(error.absolute_path)
        node, place = _found(root, path)
        if _is_broken(node):
            continue
        for wrong_place, message, hint in _said(error, node, place, log):
            log.add(wrong_place, message, hint)


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(compose_schema())


def _is_broken(node: tree.Node) -> bool:
    return isinstance(node, tree.Scalar) and node.broken


def _plain(node: tree.Node) -> Any:
    """The tree as jsonschema takes it."""
    if isinstance(node, tree.Mapping):
        return {entry.key: _plain(entry.value) for entry in node}
    if isinstance(node, tree.Sequence):
        return [_plain(item) for item in node.items]
    return node.value


def _found(root: tree.Node, path: DocumentPath) -> tuple[tree.Node, Place]:
    """The node at `path`, and where to complain: an empty value is where its key is."""
    node, position = root, root.position
    for step in path:
        if isinstance(node, tree.Mapping):
            entry = node.entries[str(step)]
            node, position = entry.value, entry.key_position
        elif isinstance(node, tree.Sequence):
            node = node.items[int(step)]
            position = node.position
    empty = isinstance(node, tree.Scalar) and not node.text
    return node, Place(position if empty else node.position, path)


Said = tuple[Place, str, str | None]


def _said(
    error: jsonschema.ValidationError, node: tree.Node, place: Place, log: ProblemLog
) -> Iterator[Said]:
    """What one error of jsonschema means to a user."""
    said: Any = error.validator_value  # of the kind that the schema gives to the keyword
    if error.validator == "additionalProperties" and isinstance(node, tree.Mapping):
        yield from _unknown_keys(_own_schema(error), node, place, log)
    elif error.validator == "propertyNames" or "propertyNames" in error.schema_path:
        entry = node.entries.get(str(error.instance)) if isinstance(node, tree.Mapping) else None
        position = entry.key_position if entry else place.position
        key_place = Place(position, (*place.path, str(error.instance)))
        yield key_place, _own_message(error) or "is no name", None
    elif error.validator == "required":
        missing = [
            key for key in said if isinstance(node, tree.Mapping) and key not in node.entries
        ]
        for key in missing:
            yield place, f"no {key} is given", f"add {key}:"
    elif error.validator == "type":
        yield place, *_wrong_type(said, node)
    else:
        yield place, _wrong_value(error, node), None


def _unknown_keys(
    schema: Mapping[str, Any], node: tree.Mapping, place: Place, log: ProblemLog
) -> Iterator[Said]:
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for entry in node:
        if entry.key in known or any(re.search(pattern, entry.key) for pattern in patterns):
            continue
        path = (*place.path, entry.key)
        yield Place(entry.key_position, path), "unknown key", log.near(entry.key, known)


def _wrong_type(types: str | list[str], node: tree.Node) -> tuple[str, str | None]:
    names = [types] if isinstance(types, str) else types
    wanted = [_TYPE_NAMES[name] for name in names if name != "null"]
    what = " or ".join(filter(None, (", ".join(wanted[:-1]), wanted[-1])))
    if isinstance(node, tree.Scalar) and node.value is None:
        return f"has no value; {what} is expected", "give one or remove the key"
    is_number = isinstance(node, tree.Scalar) and isinstance(node.value, int | float)
    return f"must be {what}, not {_described(node)}", (
        "put it in quotes" if is_number and "string" in names else None
    )


def _wrong_value(error: jsonschema.ValidationError, node: tree.Node) -> str:
    message = _own_message(error)
    if error.validator == "not":
        return message or "does not fit here"
    if error.validator == "minLength":
        return "is empty"
    if error.validator in ("minimum", "maximum"):
        bound = "least" if error.validator == "minimum" else "most"
        return f"must be at {bound} {error.validator_value}, not {_described(node)}"
    return f"{message or 'does not have the form it must have'}, not {_described(node)}"


def _own_message(error: jsonschema.ValidationError) -> str | None:
    """What the schema itself says to the user about this mistake."""
    schema = _own_schema(error)
    said = schema.get("errorMessage") or schema.get("patternErrorMessage")
    return None if said is None else str(said)


def _own_schema(error: jsonschema.ValidationError) -> Mapping[str, Any]:
    """The part of the schema that the value does not meet."""
    return error.schema if isinstance(error.schema, Mapping) else {}


def _described(node: tree.Node) -> str:
    kind = tree.kind_of(node)
    return f"{kind} ({shown(node.text)})" if isinstance(node, tree.Scalar) else kind
