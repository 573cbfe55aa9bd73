"""Paths of a tree from another folder: what was relative to that folder becomes relative to ours.

Readers know one folder only. Of a file that is included or extended from elsewhere, each value that
is a path is rewritten here, and keeps the place where it was written. Absolute paths, paths of the
user's home and what a builder fetches stay as they are.
"""

import os
import posixpath
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from stackctl.compose.grammar.build_contexts import is_other_service, is_remote
from stackctl.compose.merging.identities import field
from stackctl.compose.syntax.tree import Entry, Node, Scalar, Sequence
from stackctl.compose.syntax.tree import Mapping as MappingNode

# A text that is or holds a path, and the path from our folder to the other one.
TextRule = Callable[[str, str], str]

_SECCOMP = "seccomp"
_SECCOMP_WORDS = frozenset(("unconfined", "builtin"))
_BIND = "bind"


def rebased(node: Node, path: tuple[str, ...], *, written_in: Path, read_from: Path) -> Node:
    """The tree at `path` with its paths as seen from `read_from`. Both folders are absolute."""
    if written_in == read_from:
        return node
    prefix = os.path.relpath(written_in, read_from)
    step: _Step | None = _first_step()
    for word in path:
        step = step.next(word) if step else None
    return _rebased(node, step, prefix)


def _path(text: str, prefix: str) -> str:
    if not text or text.startswith(("/", "~")):
        return text
    joined = posixpath.normpath(posixpath.join(prefix, text))
    return joined if joined in (".", "..") or joined.startswith("../") else f"./{joined}"


def _context(text: str, prefix: str) -> str:
    return text if is_remote(text) or is_other_service(text) else _path(text, prefix)


def _named(rule: TextRule) -> TextRule:
    """`NAME=PATH`; a name alone has no path."""

    def rebase(text: str, prefix: str) -> str:
        name, separator, rest = text.partition("=")
        return f"{name}={rule(rest, prefix)}" if separator else text

    return rebase


def _volume(text: str, prefix: str) -> str:
    """`SOURCE:TARGET`, where a source that begins with a dot is a path."""
    source, separator, rest = text.partition(":")
    return f"{_path(source, prefix)}:{rest}" if separator and source.startswith(".") else text


def _security(text: str, prefix: str) -> str:
    """`seccomp:PROFILE` or `seccomp=PROFILE`."""
    for separator in (":", "="):
        name, _, profile = text.partition(separator)
        if name == _SECCOMP and profile not in _SECCOMP_WORDS and not profile.startswith("{"):
            return f"{name}{separator}{_path(profile, prefix)}"
    return text


# A pattern ends at a text, or at a list of texts. `*` is any name, `[]` any item of a list.
_TEXTS: Mapping[str, TextRule] = {
    "services.*.build": _context,
    "services.*.build.context": _context,
    "services.*.build.additional_contexts": _named(_context),
    "services.*.build.additional_contexts.*": _context,
    "services.*.build.ssh": _named(_path),
    "services.*.build.ssh.*": _path,
    "services.*.env_file": _path,
    "services.*.env_file.[].path": _path,
    "services.*.label_file": _path,
    "services.*.develop.watch.[].path": _path,
    "services.*.security_opt": _security,
    "services.*.volumes": _volume,
    "services.*.volumes.[].source": _path,  # of a bind alone: see _IF
    "configs.*.file": _path,
    "secrets.*.file": _path,
    "volumes.*.driver_opts.device": _path,  # the same
}


def _is_bind(node: Node) -> bool:
    return field(node, "type") == _BIND


def _is_bind_option(node: Node) -> bool:
    return _BIND in (field(node, "o") or "").split(",")


# Mappings whose paths are paths under a condition.
_IF: Mapping[str, Callable[[Node], bool]] = {
    "services.*.volumes.[]": _is_bind,
    "volumes.*.driver_opts": _is_bind_option,
}


# Mappings with a path that is there also when it is not written.
_IMPLIED: Mapping[str, tuple[str, str]] = {"services.*.build": ("context", ".")}


class _Step(msgspec.Struct):
    rule: TextRule | None = None
    implied: tuple[str, str] | None = None
    condition: Callable[[Node], bool] | None = None
    following: "dict[str, _Step]" = {}

    def next(self, word: str) -> "_Step | None":
        return self.following.get(word) or self.following.get("*")


@cache
def _first_step() -> _Step:
    first = _Step()

    def step_of(pattern: str) -> _Step:
        step = first
        for word in pattern.split("."):
            step = step.following.setdefault(word, _Step())
        return step

    for pattern, rule in _TEXTS.items():
        step_of(pattern).rule = rule
    for pattern, condition in _IF.items():
        step_of(pattern).condition = condition
    for pattern, implied in _IMPLIED.items():
        step_of(pattern).implied = implied
    return first


def _rebased(node: Node, step: _Step | None, prefix: str) -> Node:
    if step is None:
        return node
    if isinstance(node, MappingNode):
        if step.condition is not None and not step.condition(node):
            return node
        entries = {
            entry.key: Entry(
                entry.key, entry.key_position, _rebased(entry.value, step.next(entry.key), prefix)
            )
            for entry in node
        }
        if step.implied is not None and step.implied[0] not in entries:
            key, text = step.implied
            value = _text(Scalar(text, text, node.position), _path, prefix)
            entries[key] = Entry(key, node.position, value)
        return MappingNode(entries, node.position, node.tag)
    if isinstance(node, Sequence):
        item_step = step.following.get("[]")
        items = tuple(
            _text(item, step.rule, prefix)
            if isinstance(item, Scalar)
            else _rebased(item, item_step, prefix)
            for item in node.items
        )
        return Sequence(items, node.position, node.tag)
    return _text(node, step.rule, prefix)


def _text(node: Scalar, rule: TextRule | None, prefix: str) -> Scalar:
    if rule is None or node.broken or not isinstance(node.value, str):
        return node
    text = rule(node.value, prefix)
    return Scalar(text, text, node.position, tag=node.tag)
