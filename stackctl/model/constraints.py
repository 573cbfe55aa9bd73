"""Placement constraints: their grammar and what they compare, as Swarm has them.

`key==value` or `key!=value`; values compare without case as whole strings (`node.ip` also as CIDR);
label keys keep their case; a missing label is the empty string, so `!=` holds for it.
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
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Constraint(Model, frozen=True, kw_only=True):
    """One condition on a node."""

    key: str
    is_equal: bool
    value: str


@functools.lru_cache(maxsize=1024)  # every round reads the constraints of every service
def parse(text: str) -> Constraint:
    """The constraint in a text. Raises ValueError with the reason.

    A key that no node can have is an error here; in Swarm the task then stays pending for ever.
    """
    is_equal = "==" in text
    left, found, right = text.partition("==" if is_equal else "!=")
    if not found:
        raise ValueError(f"constraint {text!r} needs one of the operators == and !=")
    key, value = left.strip(), right.strip()
    if not _KEY.match(key):
        raise ValueError(f"constraint key {key!r} is invalid")
    if not value or not _VALUE.match(value):
        raise ValueError(f"constraint value {value!r} is invalid")
    if key not in KEYS and not key.startswith(LABEL_PREFIXES):
        raise ValueError(f"no node has {key!r}; keys are {', '.join((*KEYS, 'node.labels.NAME'))}")
    return Constraint(key=key, is_equal=is_equal, value=value)


def is_met(constraint: Constraint, node: objects.Node) -> bool:
    """True when the node satisfies the constraint."""
    if constraint.key == "node.ip":
        return _has_address(node, constraint.value) == constraint.is_equal
    wanted = constraint.value.lower()
    actual = describe(node, constraint.key).lower()
    if constraint.key == "node.platform.arch":
        wanted = _ARCHITECTURES.get(wanted, wanted)
        actual = _ARCHITECTURES.get(actual, actual)
    return (wanted == actual) == constraint.is_equal


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
