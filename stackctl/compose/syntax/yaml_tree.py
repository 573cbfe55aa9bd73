"""YAML text to a positioned tree; the only module that imports yaml.

The tree is built from libyaml's events, not with `yaml.compose`: that keeps the position of an
alias, allows an anchor to be defined again as YAML does, needs half the time, and lets a limit on
nesting act before libyaml's own composer would overflow the C stack.

Merge keys (`<<`) are resolved here: explicit keys win over merged ones, earlier maps over later.
Anchors live in one document. Aliases are counted at their expanded size, so a few lines that would
unfold to millions of values are refused.
"""

import re
from collections.abc import Iterator

import yaml

from stackctl.compose.problems import Place, Position, ProblemLog, shown
from stackctl.compose.syntax.tree import (
    OVERRIDE,
    RESET,
    Entry,
    Mapping,
    Node,
    Scalar,
    Sequence,
    broken,
    kind_of,
)
from stackctl.compose.syntax.yaml_scalars import resolve_plain

DEPTH_MAX = 64
NODES_MAX = 100_000

_TAG_PREFIX = "tag:yaml.org,2002:"
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MERGE = "<<"
_TAGS_OF_MERGES = frozenset((RESET, OVERRIDE))


class _Unreadable(Exception):
    """Reading cannot go on; the problem has been recorded."""


def parse(text: str, *, file: str, log: ProblemLog) -> Node:
    """The only document in `text`; a second one is a problem like what is wrong with it."""
    first, *others = parse_documents(text, file=file, log=log)
    for other in others:
        log.add(Place(other.position, ()), "a second document is not expected here")
    return first


def parse_documents(text: str, *, file: str, log: ProblemLog) -> tuple[Node, ...]:
    """The documents in `text`, at least one; what is wrong with them goes to `log`.

    Where the text is so wrong that no tree can be built, it is one broken value.
    """
    nothing = (broken(Position(file, 1, 1)),)
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        before = text[: unprintable.start()]
        column = unprintable.start() - (before.rfind("\n") + 1) + 1
        place = Place(Position(file, before.count("\n") + 1, column), ())
        log.add(place, f"control character {unprintable[0]!r} is not allowed in YAML")
        return nothing
    try:
        return _Composer(yaml.parse(text, Loader=_LOADER), file, log).documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = ", ".join(part for part in (_context(error, line), error.problem) if part)
        place = Place(Position(file, line, column), ())
        log.add(place, f"not valid YAML: {what}", _syntax_hint(text, line, column, what))
    except yaml.YAMLError as error:
        log.add(Place(Position(file, 1, 1), ()), f"not valid YAML: {shown(str(error))}")
    except _Unreadable:
        return nothing
    return nothing


def _context(error: yaml.MarkedYAMLError, line: int) -> str | None:
    """What was being read, and where it begins, when that is not where the error shows."""
    begin = error.context_mark
    if error.context is None or begin is None or begin.line + 1 == line:
        return error.context
    return f"{error.context} that begins at line {begin.line + 1}, column {begin.column + 1}"


# libyaml is part of every PyYAML wheel; the slow loader keeps a source build working.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _syntax_hint(text: str, line: int, column: int, what: str) -> str | None:
    """Advice for the mistakes that everybody makes once."""
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    if "\t" in written[:column] and not written[: column - 1].strip():
        return "indent with spaces, not with tabs"
    if written[column - 1 : column] in ("@", "`", "%"):
        return f"put a value that begins with {written[column - 1]} in quotes"
    if "mapping values are not allowed" in what:
        return "check the indentation, and put a value that contains ': ' in quotes"
    return None


class _Composer:
    """Builds one document from events; one use."""

    def __init__(self, events: Iterator[yaml.Event], file: str, log: ProblemLog) -> None:
        self._events = events
        self._file = file
        self._log = log
        self._count = 0
        self._anchors: dict[str, Node | None] = {}  # None while its value is still being read
        self._weights: dict[str, int] = {}

    def documents(self) -> tuple[Node, ...]:
        """All documents of the stream; those with nothing in them are left out."""
        next(self._events)  # the stream's start
        found: list[Node] = []
        while isinstance(next(self._events), yaml.DocumentStartEvent):
            self._anchors, self._weights = {}, {}
            root = self._node(next(self._events), 0)
            next(self._events)  # the document's end
            if not (isinstance(root, Scalar) and root.text == "" and root.value is None):
                found.append(root)
        if not found:
            start = Position(self._file, 1, 1)
            self._problem(start, "the file is empty")
            found.append(broken(start))
        return tuple(found)

    def _position(self, event: yaml.Event) -> Position:
        mark = event.start_mark
        if mark is None:  # never with libyaml, whose types allow it
            return Position(self._file, 1, 1)
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _problem(self, position: Position, message: str, hint: str | None = None) -> None:
        self._log.add(Place(position, ()), message, hint)

    def _give_up(self, position: Position, message: str) -> _Unreadable:
        self._problem(position, message)
        return _Unreadable()

    def _node(self, event: yaml.Event, depth: int) -> Node:
        position = self._position(event)
        if depth > DEPTH_MAX:
            raise self._give_up(position, f"nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), position)
        self._grow(1, position)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is None:
            return self._value(event, position, depth)
        before = self._count
        self._anchors[anchor] = None
        node = self._value(event, position, depth)
        self._anchors[anchor] = node
        self._weights[anchor] = self._count - before + 1
        return node

    def _grow(self, by: int, position: Position) -> None:
        self._count += by
        if self._count > NODES_MAX:
            raise self._give_up(
                position, f"more than {NODES_MAX} values, counting what aliases repeat"
            )

    def _alias(self, anchor: str, position: Position) -> Node:
        if anchor not in self._anchors:
            hint = self._log.near(anchor, self._anchors)
            self._problem(position, f"unknown anchor: *{shown(anchor)}", hint)
            return broken(position)
        node = self._anchors[anchor]
        if node is None:
            self._problem(position, f"anchor &{shown(anchor)} contains itself")
            return broken(position)
        self._grow(self._weights[anchor], position)
        return node

    def _value(self, event: yaml.Event, position: Position, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, position)
        if isinstance(event, yaml.SequenceStartEvent):
            tag = self._tag(event.tag, "seq", position)
            items: list[Node] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return Sequence(tuple(items), position, tag)
        tag = None
        if isinstance(event, yaml.MappingStartEvent):
            tag = self._tag(event.tag, "map", position)
        return self._mapping(position, depth, tag)

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> Scalar:
        text: str = event.value
        if "\0" in text:
            self._problem(position, "text with a NUL character cannot reach a container")
        if event.tag is None:
            return Scalar(resolve_plain(text) if event.implicit[0] else text, text, position)
        kind = event.tag.removeprefix(_TAG_PREFIX)
        if event.tag == "!" or kind == "str":
            return Scalar(text, text, position)
        value = resolve_plain(text)
        match kind, value:
            case ("bool", bool()) | ("null", None):
                return Scalar(value, text, position)
            case "int", int() if not isinstance(value, bool):
                return Scalar(value, text, position)
            case "float", int() | float() if not isinstance(value, bool):
                return Scalar(float(value), text, position)
            case (("bool" | "null" | "int" | "float"), _):
                self._problem(position, f"{shown(text)!r} does not fit its tag !!{kind}")
            case _:
                tag = self._tag(event.tag, "str", position)
                is_plain = tag is not None and event.style in (None, "")
                return Scalar(value if is_plain else text, text, position, tag=tag)
        return broken(position)

    def _tag(self, tag: str | None, kind: str, position: Position) -> str | None:
        """The tag if it is one of merging. Others change nothing in go-yaml, which is noted."""
        if tag in (None, "!", _TAG_PREFIX + kind):
            return None
        if tag in _TAGS_OF_MERGES:
            return tag
        name = shown(str(tag).replace(_TAG_PREFIX, "!!"))
        hint = self._log.near(str(tag), sorted(_TAGS_OF_MERGES))
        if hint or name.startswith("!!"):
            self._problem(position, f"unknown tag {name}", hint or "remove it")
        else:
            self._log.note(Place(position, ()), f"tag {name} is unknown and has no effect")
        return None

    def _mapping(self, position: Position, depth: int, tag: str | None) -> Mapping:
        entries: dict[str, Entry] = {}
        merge: tuple[Position, Node] | None = None
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key_position = self._position(inner)
            if _is_merge_key(inner):
                if merge is not None:
                    self._duplicate(_MERGE, key_position, merge[0])
                merge = (key_position, self._node(next(self._events), depth + 1))
                continue
            key = self._key(self._node(inner, depth + 1), key_position)
            value = self._node(next(self._events), depth + 1)
            if key is None:
                continue
            if key in entries:
                self._duplicate(key, key_position, entries[key].key_position)
                continue
            entries[key] = Entry(key, key_position, value)
        if merge is not None:
            for source in self._merge_sources(*merge):
                for entry in source:
                    entries.setdefault(entry.key, entry)
        return Mapping(entries, position, tag)

    def _duplicate(self, key: str, position: Position, first: Position) -> None:
        self._problem(
            position,
            f"key {shown(key)} is given twice in this mapping",
            f"it is given first at line {first.line}, column {first.column}",
        )

    def _key(self, node: Node, position: Position) -> str | None:
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        hint = "put it in quotes" if isinstance(node, Scalar) and node.text else None
        self._problem(position, f"a key must be text, and this one is {kind_of(node)}", hint)
        return None

    def _merge_sources(self, key_position: Position, value: Node) -> list[Mapping]:
        sources = value.items if isinstance(value, Sequence) else (value,)
        wrong = [source for source in sources if not isinstance(source, Mapping)]
        if wrong:
            self._problem(key_position, "<< takes a mapping or a list of mappings")
        return [source for source in sources if isinstance(source, Mapping)]


def _is_merge_key(event: yaml.Event) -> bool:
    if not isinstance(event, yaml.ScalarEvent) or event.value != _MERGE:
        return False
    return event.tag == _TAG_PREFIX + "merge" or (event.tag is None and event.implicit[0])
