"""`include`: other stacks' files as a part of this one.

An included file is a project of its own: its own folder, from which its paths start, and its own
`.env`, below the variables of the project that includes it. What it makes is what the including
file starts from, and may change.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stackctl.compose.merging.identities import text_of
from stackctl.compose.problems import Path as DocumentPath
from stackctl.compose.problems import Place, ProblemLog
from stackctl.compose.syntax.interpolate import Variables
from stackctl.compose.syntax.tree import (
    RESET,
    Entry,
    Mapping,
    Node,
    Scalar,
    kind_of,
)
from stackctl.compose.syntax.tree import Sequence as SequenceNode

INCLUDE = "include"

# What an included file adds to the including one; `name`, `version` and x- keys are its own.
SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")

_KEYS = ("path", "project_directory", "env_file")
_REMOTE_PREFIXES = ("git@", "github.com/", "oci://")


class Located(NamedTuple):
    """A text, and where it is written."""

    text: str
    place: Place


class Inclusion(NamedTuple):
    """One item: files that are merged in their order, the folder and variables of their project."""

    paths: tuple[Located, ...]
    project_directory: Located | None = None
    env_files: tuple[Located, ...] = ()


def read_include(entry: Entry, log: ProblemLog) -> tuple[Inclusion, ...]:
    """What a file includes; what is wrong is reported and left out."""
    path: DocumentPath = (INCLUDE,)
    value = entry.value
    if isinstance(value, Scalar) and (value.broken or value.tag == RESET):
        return ()
    if not isinstance(value, SequenceNode):
        place = Place(entry.key_position, path)
        log.add(place, f"must be a list of files, not {kind_of(value)}")
        return ()
    found = [
        _inclusion(item, (*path, index), log)
        for index, item in enumerate(value.items)
        if item.tag != RESET
    ]
    return tuple(inclusion for inclusion in found if inclusion is not None)


def is_elsewhere(path: str, place: Place, log: ProblemLog) -> bool:
    """Whether a file would have to be fetched, which is reported."""
    if "://" not in path and not path.startswith(_REMOTE_PREFIXES):
        return False
    log.add(place, "files are not fetched from elsewhere", "keep a copy beside this file")
    return True


def included_path(base: Path, text: str, variables: Variables) -> Path:
    """A path in a file whose project has the folder `base`."""
    home = variables.setting("HOME")
    if home and (text == "~" or text.startswith("~/")):
        text = home + text[1:]
    return Path(os.path.normpath(base / text))


def with_inherited(root: Mapping, variables: Variables, outer: Variables) -> Mapping:
    """The tree with the values of bare names in `environment` that only this project knows.

    Readers look such names up among the variables of the project that includes this one.
    """

    def environment(node: Node) -> Node:
        if isinstance(node, Mapping):
            entries = {
                entry.key: Entry(entry.key, entry.key_position, inherited(entry.key, entry.value))
                for entry in node
            }
            return Mapping(entries, node.position, node.tag)
        if isinstance(node, SequenceNode):
            items = tuple(listed(item) for item in node.items)
            return SequenceNode(items, node.position, node.tag)
        return node

    def inherited(name: str, node: Node) -> Node:
        value = None if text_of(node) is not None or outer(name) is not None else variables(name)
        if value is None or not isinstance(node, Scalar):
            return node
        return Scalar(value, value, node.position)

    def listed(item: Node) -> Node:
        name = text_of(item)
        if name is None or "=" in name or outer(name) is not None:
            return item
        value = variables(name)
        joined = name if value is None else f"{name}={value}"
        return Scalar(joined, joined, item.position)

    return _changed(root, "services", lambda node: _each(node, "environment", environment))


def _changed(node: Mapping, key: str, change: Callable[[Node], Node]) -> Mapping:
    entry = node.entries.get(key)
    if entry is None:
        return node
    return Mapping(
        {**node.entries, key: Entry(key, entry.key_position, change(entry.value))},
        node.position,
        node.tag,
    )


def _each(services: Node, key: str, change: Callable[[Node], Node]) -> Node:
    if not isinstance(services, Mapping):
        return services
    entries = {
        entry.key: Entry(
            entry.key,
            entry.key_position,
            _changed(entry.value, key, change) if isinstance(entry.value, Mapping) else entry.value,
        )
        for entry in services
    }
    return Mapping(entries, services.position, services.tag)


def _inclusion(item: Node, path: DocumentPath, log: ProblemLog) -> Inclusion | None:
    if isinstance(item, SequenceNode):
        log.add(Place(item.position, path), "must be a path or a mapping, not a list")
        return None
    if not isinstance(item, Mapping):
        paths = _texts(item, path, log)
        return Inclusion(paths) if paths else None
    fields = {}
    for entry in item:
        inner = (*path, entry.key)
        if entry.key in _KEYS:
            fields[entry.key] = _texts(entry.value, inner, log)
        elif not entry.key.startswith("x-"):
            place = Place(entry.key_position, inner)
            log.add(place, "unknown key", log.near(entry.key, _KEYS))
    if "path" not in fields:
        log.add(Place(item.position, path), "no path is given to include", "add path:")
    folders = fields.get("project_directory", ())
    for other in folders[1:]:
        log.add(other.place, "a project has one folder")
    if not fields.get("path"):
        return None
    return Inclusion(fields["path"], folders[0] if folders else None, fields.get("env_file", ()))


def _texts(node: Node, path: DocumentPath, log: ProblemLog) -> tuple[Located, ...]:
    items: Sequence[Node] = node.items if isinstance(node, SequenceNode) else (node,)
    found: list[Located] = []
    for index, item in enumerate(items):
        inner = (*path, index) if isinstance(node, SequenceNode) else path
        place = Place(item.position, inner)
        text = text_of(item)
        if text and is_elsewhere(text, place, log):
            continue
        if text:
            found.append(Located(text, place))
        elif not (isinstance(item, Scalar) and item.broken):
            log.add(place, f"must be a path, not {kind_of(item) if text is None else 'empty'}")
    return tuple(found)
