"""Short forms spelt out, so that a file with the short and one with the long form can be merged.

The nodes made here stand where the short form stands. What is neither form is None: it cannot be
merged, and the readers would refuse it.
"""

import re
from collections.abc import Callable

from stackctl.compose.merging.identities import text_of
from stackctl.compose.syntax.tree import Entry, Mapping, Node, Scalar, Sequence

Items = tuple[Node, ...]

# What is more than that stays a range: a file that publishes so many is refused by the readers.
_RANGE_LENGTH_MAX = 1_000
_PORTS_MAX = 65_536

_PORT_RANGES = re.compile(
    r"(?P<address>.*:)?(?P<published>\d{1,5}-\d{1,5}):(?P<target>\d{1,5}-\d{1,5})(?P<rest>/\w+)?",
    re.ASCII,
)


def listed(node: Node) -> Items | None:
    """The items of a list; a text alone is a list of one."""
    if isinstance(node, Sequence):
        return node.items
    return (node,) if isinstance(node, Scalar) else None


def named_items(node: Node) -> Items | None:
    """`NAME=VALUE` for each entry of a mapping, or the items of a list."""
    if not isinstance(node, Mapping):
        return listed(node)
    return tuple(_named(entry) for entry in node)


def host_items(node: Node) -> Items | None:
    """`HOST=ADDRESS` for each address in a mapping of hosts, or the items of a list."""
    if not isinstance(node, Mapping):
        return listed(node)
    return tuple(
        _named(Entry(entry.key, entry.key_position, address))
        for entry in node
        for address in listed(entry.value) or (entry.value,)
    )


def expanded_ports(node: Node) -> Items | None:
    """Ports with each pair of ranges taken apart, so that another file can name one of them."""
    items = listed(node)
    if items is None:
        return None
    found: list[Node] = []
    for item in items:
        found.extend(_single_ports(item))
        if len(found) > _PORTS_MAX:
            return items
    return tuple(found)


def name_entries(node: Node) -> Mapping | None:
    """A list of names as a mapping without values."""
    return _entries(node, lambda item: Scalar(None, "", item.position))


def dependency_entries(node: Node) -> Mapping | None:
    """A list of services as what it stands for: wait until each has started."""
    return _entries(node, _started)


def build_entries(node: Node) -> Mapping | None:
    """A text is the context."""
    if isinstance(node, Scalar):
        return Mapping({"context": Entry("context", node.position, node)}, node.position)
    return node if isinstance(node, Mapping) else None


def _entries(node: Node, value: Callable[[Node], Node]) -> Mapping | None:
    if isinstance(node, Mapping):
        return node
    if not isinstance(node, Sequence):
        return None
    entries: dict[str, Entry] = {}
    for item in node.items:
        name = text_of(item)
        if name is None:
            return None
        entries.setdefault(name, Entry(name, item.position, value(item)))
    return Mapping(entries, node.position)


def _started(item: Node) -> Node:
    position = item.position
    condition = Scalar("service_started", "service_started", position)
    required = Scalar(True, "true", position)
    return Mapping(
        {
            "condition": Entry("condition", position, condition),
            "required": Entry("required", position, required),
        },
        position,
    )


def _named(entry: Entry) -> Node:
    value = entry.value
    if not isinstance(value, Scalar):
        return value
    position = value.position if value.text else entry.key_position
    text = text_of(value)
    joined = entry.key if text is None else f"{entry.key}={text}"
    return Scalar(joined, joined, position, broken=value.broken)


def _single_ports(item: Node) -> Items:
    match = _PORT_RANGES.fullmatch(item.text) if isinstance(item, Scalar) else None
    if match is None:
        return (item,)
    first, last = map(int, match["published"].split("-"))
    target_first, target_last = map(int, match["target"].split("-"))
    if last - first != target_last - target_first or not 0 <= last - first < _RANGE_LENGTH_MAX:
        return (item,)
    texts = (
        f"{match['address'] or ''}{first + offset}:{target_first + offset}{match['rest'] or ''}"
        for offset in range(last - first + 1)
    )
    return tuple(Scalar(text, text, item.position) for text in texts)
