"""How a section of the document is read: a cursor that knows its path and where to complain.

A *reader* is a function from a `Value` to what it means. It always returns: a value that is wrong
is reported to the log and replaced by a placeholder, which never leaves this package because
the log then raises. A `Fields` is a mapping with a fixed set of keys: the keys that were asked for
are the keys that exist, so the check for unknown keys cannot drift from the readers.

Readers do not know what the file is read for: what a cluster cannot do is said by `verdicts`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from stackctl.compose.problems import Path as DocumentPath
from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.syntax import tree
from stackctl.compose.syntax.template import Lookup
from stackctl.compose.syntax.yaml_scalars import Written

T = TypeVar("T")
D = TypeVar("D")

EXTENSION_PREFIX = "x-"

# Ranges of ports multiply; more than this in one file is a mistake or an attack.
PORTS_MAX = 65_536


class Reading(msgspec.Struct):
    """What the readers of one load share."""

    log: ProblemLog
    base: Path  # absolute: what relative paths in the file start from
    variables: Lookup
    ports_left: int = PORTS_MAX
    contents: frozenset[tuple[str, str]] | None = None  # section and key; None is all of them


class Value:
    """A node with its path, and the key it stands under."""

    __slots__ = ("key_position", "node", "path", "reading")

    def __init__(
        self,
        node: tree.Node,
        *,
        path: DocumentPath,
        reading: Reading,
        key_position: Position | None = None,
    ) -> None:
        self.node = node
        self.path = path
        self.reading = reading
        self.key_position = key_position

    @property
    def place(self) -> Place:
        """Where the value is written; of an empty one, where its key is."""
        if self.key_position and isinstance(self.node, tree.Scalar) and not self.node.text:
            return Place(self.key_position, self.path)
        return Place(self.node.position, self.path)

    @property
    def key_place(self) -> Place:
        """Where the key is written that leads to the value."""
        return Place(self.key_position or self.node.position, self.path)

    @property
    def is_null(self) -> bool:
        """Whether nothing is said: an empty value, `null` or `~`."""
        return isinstance(self.node, tree.Scalar) and self.node.value is None

    @property
    def written(self) -> Written:
        """The value of a scalar; None when it is a mapping or a list."""
        return self.node.value if isinstance(self.node, tree.Scalar) else None

    def problem(self, message: str, hint: str | None = None) -> None:
        """Report that this value is wrong."""
        if not self._is_broken():
            self.reading.log.add(self.place, message, hint)

    def key_problem(self, message: str, hint: str | None = None) -> None:
        """Report that the key is wrong under which this value stands."""
        if not self._is_broken():
            self.reading.log.add(self.key_place, message, hint)

    def note(self, message: str) -> None:
        """Say that this value has no effect, or not the one it seems to have."""
        self.reading.log.note(self.key_place, message)

    def expected(self, what: str, hint: str | None = None) -> None:
        """Report that the value is of the wrong kind."""
        if self.is_null:
            self.problem(f"has no value; {what} is expected", hint or "give one or remove the key")
        else:
            self.problem(f"must be {what}, not {self._described()}", hint)

    def items(self, what: str = "a list") -> "list[Value]":
        """The values of a list; anything else is reported as not being `what`."""
        if isinstance(self.node, tree.Sequence):
            return [
                Value(item, path=(*self.path, index), reading=self.reading)
                for index, item in enumerate(self.node.items)
            ]
        self.expected(what)
        return []

    def entries(self, what: str = "a mapping") -> "dict[str, Value]":
        """The values of a mapping by key; anything else is reported as not being `what`."""
        if isinstance(self.node, tree.Mapping):
            return {
                entry.key: Value(
                    entry.value,
                    path=(*self.path, entry.key),
                    reading=self.reading,
                    key_position=entry.key_position,
                )
                for entry in self.node
            }
        self.expected(what)
        return {}

    def is_mapping(self) -> bool:
        """Whether the value has the long form."""
        return isinstance(self.node, tree.Mapping)

    def is_list(self) -> bool:
        """Whether the value is a list."""
        return isinstance(self.node, tree.Sequence)

    @property
    def needs_contents(self) -> bool:
        """Whether what stands outside the file is read for the object this value is a part of."""
        wanted = self.reading.contents
        return wanted is None or self.path[:2] in wanted

    def plain(self) -> object:
        """The value as it stands, in lists, mappings and scalars."""
        return _plain(self.node)

    def _is_broken(self) -> bool:
        return isinstance(self.node, tree.Scalar) and self.node.broken

    def _described(self) -> str:
        kind = tree.kind_of(self.node)
        if isinstance(self.node, tree.Scalar):
            return f"{kind} ({shown(self.node.text)})"
        return kind


def _plain(node: tree.Node) -> object:
    if isinstance(node, tree.Mapping):
        return {entry.key: _plain(entry.value) for entry in node}
    if isinstance(node, tree.Sequence):
        return [_plain(item) for item in node.items]
    return node.value


Reader = Callable[[Value], T]


class Fields:
    """A mapping whose keys are fixed. `x-` keys are the user's own, but for those asked for."""

    def __init__(self, value: Value, what: str = "a mapping", *, or_null: bool = False) -> None:
        self._value = value
        self._entries = {} if or_null and value.is_null else value.entries(what)
        self._known: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> Value | None:
        """The value under `key`, or None; makes the key a known one."""
        self._known[key] = None
        return self._entries.get(key)

    def read(self, key: str, reader: Reader[T], default: D) -> T | D:
        """What `reader` makes of the value under `key`, `default` when the key is absent."""
        value = self.get(key)
        return default if value is None else reader(value)

    def extensions(self) -> dict[str, object]:
        """The `x-` keys that nothing asked for, as they stand."""
        return {
            key: value.plain()
            for key, value in self._entries.items()
            if key.startswith(EXTENSION_PREFIX) and key not in self._known
        }

    def places(self) -> dict[str, Place]:
        """Where each key is written."""
        return {key: value.key_place for key, value in self._entries.items()}

    def finish(self) -> None:
        """Report every key that nothing asked for."""
        log = self._value.reading.log
        for key, value in self._entries.items():
            if key not in self._known and not key.startswith(EXTENSION_PREFIX):
                value.key_problem("unknown key", log.near(key, self._known))
