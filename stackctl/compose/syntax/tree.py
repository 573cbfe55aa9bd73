"""The document as a tree of values that know where they were written.

It is what every later step works on: interpolation replaces scalars in it, merging joins several,
readers turn it into the typed document. An alias shares its anchor's nodes, so a value used twice
has one position. A *tag* (`!reset`, `!override`) is an order to merging, and gone after it.
"""

from collections.abc import Iterator

import msgspec

from stackctl.compose.problems import Position
from stackctl.compose.syntax.yaml_scalars import Written

RESET = "!reset"  # take the key away
OVERRIDE = "!override"  # replace what is there, instead of merging with it


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A text, number, boolean or null; `text` is what was written (after interpolation).

    A broken one stands where something could not be read; that has been reported, so readers of it
    stay silent.
    """

    value: Written
    text: str
    position: Position
    broken: bool = False
    tag: str | None = None


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: "tuple[Node, ...]"
    position: Position
    tag: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """A key of a mapping with its value."""

    key: str
    key_position: Position
    value: "Node"


class Mapping(msgspec.Struct, frozen=True):
    """A mapping; keys are text and unique, in the order of the file."""

    entries: dict[str, Entry]
    position: Position
    tag: str | None = None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())


Node = Scalar | Sequence | Mapping


def count(node: Node, at_most: int) -> int:
    """How many values are in the tree, each as often as it is repeated; stops above `at_most`."""
    found = 0
    waiting = [node]
    while waiting and found <= at_most:
        found += 1
        following = waiting.pop()
        if isinstance(following, Mapping):
            waiting.extend(entry.value for entry in following)
        elif isinstance(following, Sequence):
            waiting.extend(following.items)
    return found


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
