"""Placement constraints: their grammar and what they compare, as Swarm has them, and lists.

`key==value` or `key!=value`; values compare without case as whole strings (`node.ip` also as CIDR);
label keys keep their case; a missing label is the empty string, so `!=` holds for it. Beyond Swarm:
`key in (a, b)` holds when one of the values does, `key not in (a, b)` when none does.
"""

import functools
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from stackctl.model import objects
from stackctl.model.structs import Model

KEYS = (
    "node.id",
    "node.hostname",
    "node.ip",
    "node.role",
    "node.platform.os",
    "node.platform.arch",
)
LABEL_PREFIXES = ("node.labels.", "engine.labels.")

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9\-_.]+\Z")
_VALUE = re.compile(r"[A-Za-z0-9:\-_.*()?+\[\]\\^$|/ ]*\Z")
_LIST = re.compile(r"\s*([^\s=!(]+)\s+(not\s+)?in\s*\((.*)\)\s*\Z", re.IGNORECASE | re.DOTALL)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Constraint(Model, frozen=True, kw_only=True):
    """One condition on a node: what it has under `key` is one of `values`, or none of them."""

    key: str
    is_equal: bool
    values: tuple[str, ...]


@functools.lru_cache(maxsize=1024)  # every round reads the constraints of every service
def parse(text: str) -> Constraint:
    """The constraint in a text. Raises ValueError with the reason.

    A key that no node can have is an error here; in Swarm the task then stays pending for ever.
    """
    key, is_equal, values = _split(text)
    if not _KEY.match(key):
        raise ValueError(f"constraint key {key!r} is invalid")
    for value in values:
        if not value or not _VALUE.match(value):
            raise ValueError(f"constraint value {value!r} is invalid")
    if key not in KEYS and not key.startswith(LABEL_PREFIXES):
        raise ValueError(f"no node has {key!r}; keys are {', '.join((*KEYS, 'node.labels.NAME'))}")
    return Constraint(key=key, is_equal=is_equal, values=values)


def _split(text: str) -> tuple[str, bool, tuple[str, ...]]:
    listed = _LIST.match(text)
    if listed:
        key, negation, inner = listed.groups()
        return key, not negation, tuple(value.strip() for value in inner.split(","))
    is_equal = "==" in text
    left, found, right = text.partition("==" if is_equal else "!=")
    if not found:
        raise ValueError(f"constraint {text!r} needs one of the operators ==, !=, in and not in")
    return left.strip(), is_equal, (right.strip(),)


def is_met(constraint: Constraint, node: objects.Node) -> bool:
    """True when the node satisfies the constraint."""
    if constraint.key == "node.ip":
        has_one = any(_has_address(node, value) for value in constraint.values)
        return has_one == constraint.is_equal
    wanted = [value.lower() for value in constraint.values]
    actual = describe(node, constraint.key).lower()
    if constraint.key == "node.platform.arch":
        wanted = [architecture(value) for value in wanted]
        actual = architecture(actual)
    return (actual in wanted) == constraint.is_equal


def architecture(name: str) -> str:
    """An architecture as images name it: what the kernel calls x86_64 is amd64 there."""
    return _ARCHITECTURES.get(name.lower(), name.lower())


def describe(node: objects.Node, key: str) -> str:
    """What a node has under a key of constraints and spread preferences; "" when it has nothing."""
    if key.startswith("node.labels."):
        return node.labels.get(key.removeprefix("node.labels."), "")
    if key.startswith("engine.labels."):
        return node.description.engine_labels.get(key.removeprefix("engine.labels."), "")
    reader = _READERS.get(key)
    return reader(node) if reader is not None else ""


_READERS: dict[str, Callable[[objects.Node], str]] = {
    "node.id": lambda node: node.id,
    "node.hostname": lambda node: node.hostname,
    "node.ip": lambda node: node.description.data_address,
    "node.role": lambda node: node.role.value,
    "node.platform.os": lambda node: node.description.os,
    "node.platform.arch": lambda node: node.description.arch,
}


def _has_address(node: objects.Node, value: str) -> bool:
    try:
        return ip_address(node.description.data_address) in ip_network(value, strict=False)
    except ValueError:
        return False
