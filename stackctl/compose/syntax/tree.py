"""The document as a tree of values that know where they were written.

It is what every later step works on: interpolation replaces scalars in it, readers turn it into
the typed document. An alias shares its anchor's nodes, so a value used twice has one position.
"""

from collections.abc import Iterator

import msgspec

from stackctl.compose.problems import Position
from stackctl.compose.syntax.yaml_scalars import Written


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A text, number, boolean or null; `text` is what was written (after interpolation).

    A broken one stands where something could not be read; that has been reported, so readers of it
    stay silent.
    """

    value: Written
    text: str
    position: Position
    broken: bool = False


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: "tuple[Node, ...]"
    position: Position


class Entry(msgspec.Struct, frozen=True):
    """A key of a mapping with its value."""

    key: str
    key_position: Position
    value: "Node"


class Mapping(msgspec.Struct, frozen=True):
    """A mapping; keys are text and unique, in the order of the file."""

    entries: dict[str, Entry]
    position: Position

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())


Node = Scalar | Sequence | Mapping


def broken(position: Position) -> Scalar:
    """What stands for a value that could not be read."""
    return Scalar("", "", position, broken=True)


def kind_of(node: Node) -> str:
    """What a user would call the node: "a mapping", "a list", "text", "a number" …"""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "empty"
    if isinstance(node.value, bool):
        return "a boolean"
    return "text" if isinstance(node.value, str) else "a number"
