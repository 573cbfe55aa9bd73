"""The grammar of placement: which nodes a constraint or a spread preference can speak of.

A constraint is `KEY==VALUE`, `KEY!=VALUE`, `KEY in (VALUE, …)` or `KEY not in (VALUE, …)`; blanks
around the parts do not count, all constraints of a service must hold. Swarm knows the first two;
it accepts a key that nothing has and then never places the task, which here is a mistake of the
file.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

from stackctl.compose.problems import shown

LABEL_PREFIXES = ("node.labels.", "engine.labels.")
KEYS = (
    "node.id",
    "node.hostname",
    "node.ip",
    "node.role",
    "node.platform.os",
    "node.platform.arch",
)
ROLES = ("manager", "worker")

_OPERATOR = re.compile(r"==|!=")
_LIST = re.compile(r"\s*([^\s=!(]+)\s+(not\s+)?in\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][-_.A-Za-z0-9]+")
_VALUE = re.compile(r"[-A-Za-z0-9:_\s.*()?+\[\]\\^$|/]+", re.ASCII)
_LENGTH_MAX = 1024


class Constraint(NamedTuple):
    """One parsed constraint; the operator is `==`, `!=`, `in` or `not in`, and the value of a list
    is what stands between its brackets.
    """

    key: str
    operator: str
    value: str


class ConstraintError(ValueError):
    """The text is no constraint; `near` is a key that may have been meant."""

    def __init__(self, message: str, wrong_key: str | None = None) -> None:
        super().__init__(message)
        self.wrong_key = wrong_key


def parse_constraint(text: str) -> Constraint:
    """The parts of a constraint. Raises `ConstraintError`."""
    text = text[:_LENGTH_MAX]
    listed = _LIST.fullmatch(text)
    if listed is not None:
        key, negation, inner = listed.groups()
        operator = "not in" if negation else "in"
        values = [value.strip() for value in inner.split(",")]
        shape = ", ".join(values)
    else:
        found = _OPERATOR.search(text)
        if found is None:
            raise ConstraintError("a constraint needs one operator, ==, !=, in or not in")
        key, operator = text[: found.start()].strip(), found[0]
        shape = text[found.end() :].strip()
        values = [shape]
    if not _KEY.fullmatch(key):
        raise ConstraintError(f"{shown(key)!r} is no key", key)
    if not is_known_key(key):
        raise ConstraintError(f"no node has {shown(key)}, so no task could ever be placed", key)
    for value in values:
        _check_value(key, value)
    return Constraint(key, operator, shape)


def _check_value(key: str, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise ConstraintError(f"{shown(value)!r} is no value" if value else "there is no value")
    if key == "node.role" and value.lower() not in ROLES:
        raise ConstraintError(f"a node's role is manager or worker, never {shown(value)}")
    if key == "node.ip" and not _is_network(value):
        raise ConstraintError(f"{shown(value)} is neither an address nor a subnet")


def is_known_key(key: str) -> bool:
    """Whether nodes have `key`; the names of labels are free."""
    return key in KEYS or is_label_key(key)


def is_label_key(key: str) -> bool:
    """Whether `key` names a label of nodes or engines, which is what tasks can be spread over."""
    return any(key.startswith(prefix) and len(key) > len(prefix) for prefix in LABEL_PREFIXES)


def near_keys(key: str) -> Iterable[str]:
    """Keys that `key` may have been meant for: those known, with the label it names."""
    label = key.rpartition(".")[2] or "NAME"
    return (*KEYS, *(prefix + label for prefix in LABEL_PREFIXES))


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True
