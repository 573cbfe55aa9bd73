"""Two trees become one, as the table of `rules` says; every value keeps the place it came from.

The tree that comes later has the last word. Its tags are kept in the result: a result may itself be
laid over a third tree (a service that extends another, a file that includes one), which they are
meant for too. `without_tags` ends that.

Items of one list are never compared with each other here: two files may name one thing, one file
that names it twice is a mistake for the checks.
"""

from collections.abc import Callable

from stackctl.compose.merging.forms import Items, named_items
from stackctl.compose.merging.identities import field, name
from stackctl.compose.merging.rules import FREE, Step, Way
from stackctl.compose.problems import Path, Place, Position, ProblemLog
from stackctl.compose.syntax.tree import (
    RESET,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    kind_of,
)

# Values handled by all merges of a load: a few services that extend each other in a chain could
# otherwise take minutes.
STEPS_MAX = 400_000


class TooMuch(Exception):
    """Merging cannot go on; the problem has been recorded."""


class Merging:
    """The merges of one load."""

    def __init__(self, log: ProblemLog) -> None:
        self._log = log
        self._steps_left = STEPS_MAX
        self._ways: dict[Way, Callable[[Node, Node, Path, Step], Node]] = {
            Way.GENERAL: self._general,
            Way.REPLACE: lambda _earlier, later, _path, _step: later,
            Way.NAMED: self._named,
            Way.UNITE: self._united,
            Way.MAPPING: self._spelt_out,
            Way.LOGGING: self._logging,
            Way.PAIR: self._paired,
            Way.FREE: self._free,
        }

    def merged(self, earlier: Node, later: Node, path: Path, step: Step | None) -> Node:
        """`later` over `earlier`, both at `path`, for which the table holds `step`.

        Raises `TooMuch`.
        """
        if later.tag is not None or _is_broken(later) or _is_null(earlier) or _is_broken(earlier):
            return later
        way = step.rule.way if step else Way.GENERAL
        if _is_null(later) and way is not Way.REPLACE:
            return earlier
        if step is None:
            return self._general(earlier, later, path, None)
        return self._ways[way](earlier, later, path, step)

    def _general(self, earlier: Node, later: Node, path: Path, step: Step | None) -> Node:
        if isinstance(earlier, Mapping) and isinstance(later, Mapping):
            return self._mappings(earlier, later, path, step)
        if isinstance(earlier, Sequence) and isinstance(later, Sequence):
            items = earlier.items + self._effective(later.items, path)
            self._spend(len(items), later.position, path)
            return Sequence(items, later.position)
        if isinstance(earlier, Scalar):
            return later
        return self._mismatch(earlier, later, path)

    def _mappings(self, earlier: Mapping, later: Mapping, path: Path, step: Step | None) -> Mapping:
        self._spend(len(earlier.entries) + len(later.entries), later.position, path)
        entries = dict(earlier.entries)
        for entry in later:
            key = entry.key
            before = entries.get(key)
            if before is None:
                entries[key] = entry
                continue
            inner = step.next(key) if step else None
            value = self.merged(before.value, entry.value, (*path, key), inner)
            if value is not before.value:
                entries[key] = Entry(key, entry.key_position, value)
        return Mapping(entries, later.position)

    def _free(self, earlier: Node, later: Node, path: Path, step: Step) -> Node:
        """The user's own values: merged while they are alike, otherwise replaced."""
        if type(earlier) is not type(later):
            return later
        if isinstance(earlier, Mapping) and isinstance(later, Mapping):
            everywhere = Step(FREE, {"*": step})
            return self._mappings(earlier, later, path, everywhere)
        return self._general(earlier, later, path, None)

    def _named(self, earlier: Node, later: Node, path: Path, _step: Step) -> Node:
        if isinstance(earlier, Mapping) and isinstance(later, Mapping):
            self._spend(len(earlier.entries) + len(later.entries), later.position, path)
            return Mapping({**earlier.entries, **later.entries}, later.position)
        before, after = named_items(earlier), named_items(later)
        if before is None or after is None:
            return self._mismatch(earlier, later, path)
        if isinstance(later, Mapping):
            gone = {entry.key for entry in later if entry.value.tag == RESET}
            before = tuple(item for item in before if name(item) not in gone)
            kept = {entry.key: entry for entry in later if entry.key not in gone}
            after = named_items(Mapping(kept, later.position)) or ()
        return self._replacing(before, after, later, path, name)

    def _united(self, earlier: Node, later: Node, path: Path, step: Step) -> Node:
        rule = step.rule
        before, after = rule.items(earlier), rule.items(later)
        if before is None or after is None:
            return self._mismatch(earlier, later, path)
        return self._replacing(before, after, later, path, rule.identity)

    def _replacing(
        self,
        before: Items,
        after: Items,
        later: Node,
        path: Path,
        identity: Callable[[Node], str | None],
    ) -> Sequence:
        self._spend(len(before) + len(after), later.position, path)
        items = list(before)
        indices: dict[str, int] = {}
        for number, item in enumerate(before):
            known = identity(item)
            if known is not None:
                indices.setdefault(known, number)
        for item in self._effective(after, path):
            known = identity(item)
            index = indices.pop(known, None) if known is not None else None
            if index is None:
                items.append(item)
            else:
                items[index] = item
        return Sequence(tuple(items), later.position)

    def _spelt_out(self, earlier: Node, later: Node, path: Path, step: Step) -> Node:
        rule = step.rule
        before, after = rule.entries(earlier), rule.entries(later)
        if before is None or after is None:
            return self._mismatch(earlier, later, path)
        return self._mappings(before, after, path, step)

    def _logging(self, earlier: Node, later: Node, path: Path, step: Step) -> Node:
        if isinstance(earlier, Mapping) and isinstance(later, Mapping):
            drivers = {field(earlier, "driver"), field(later, "driver")} - {None}
            if len(drivers) > 1:
                return later
        return self._general(earlier, later, path, step)

    def _paired(self, earlier: Node, later: Node, path: Path, step: Step) -> Node:
        if not isinstance(earlier, Sequence) or not isinstance(later, Sequence):
            return self._mismatch(earlier, later, path)
        self._spend(len(earlier.items) + len(later.items), later.position, path)
        items = list(earlier.items)
        identity = step.rule.identity
        indices = {identity(item): index for index, item in enumerate(items)}
        for item in self._effective(later.items, path):
            index = indices.get(identity(item))
            if index is None or identity(item) is None:
                items.append(item)
            else:
                items[index] = self.merged(items[index], item, (*path, index), None)
        return Sequence(tuple(items), later.position)

    def _effective(self, items: Items, path: Path) -> Items:
        """Without the items that say `!reset`, which takes away keys, never single items."""
        for item in items:
            if item.tag == RESET:
                place = Place(item.position, path)
                self._log.note(place, "!reset has no effect on one item of a list; tag the list")
        return tuple(item for item in items if item.tag != RESET)

    def _mismatch(self, earlier: Node, later: Node, path: Path) -> Node:
        """The earlier value stays, so that its reader does not complain of the later one again."""
        place = Place(later.position, path)
        file, line, column = earlier.position
        self._log.add(
            place,
            f"is {kind_of(later)} here and {kind_of(earlier)} in {file}:{line}:{column}, "
            "which cannot be merged",
            "write both alike, or put !override before the later one",
        )
        return earlier

    def _spend(self, steps: int, position: Position, path: Path) -> None:
        self._steps_left -= steps
        if self._steps_left < 0:
            self._log.add(Place(position, path), f"merging takes more than {STEPS_MAX} values")
            raise TooMuch


def without_tags(node: Node) -> Node:
    """The tree as its tags want it: without what is reset, and without tags."""
    if isinstance(node, Mapping):
        entries = {
            entry.key: Entry(entry.key, entry.key_position, without_tags(entry.value))
            for entry in node
            if entry.value.tag != RESET
        }
        return Mapping(entries, node.position)
    if isinstance(node, Sequence):
        items = tuple(without_tags(item) for item in node.items if item.tag != RESET)
        return Sequence(items, node.position)
    if node.tag is not None:
        return Scalar(node.value, node.text, node.position, node.broken)
    return node


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and not node.broken


def _is_broken(node: Node) -> bool:
    return isinstance(node, Scalar) and node.broken
