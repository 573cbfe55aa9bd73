"""The table of verdicts and the readers know the same keys.

A reader says which keys it knows when it meets one that it does not: it looks for the nearest. So
each mapping of the table is read with an unknown key in it, and the answer is compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from stackctl.compose.printing.yaml_text import Plain, to_yaml
from stackctl.compose.problems import ProblemLog
from stackctl.compose.sections.reading import Reading, Value
from stackctl.compose.sections.top_level import read_document
from stackctl.compose.syntax.yaml_tree import parse
from stackctl.compose.verdicts.judge import steps_of
from stackctl.compose.verdicts.table import RULES, keys_of

UNKNOWN = "no-such-key"
# Taken out of the tree before it is read: they say what the tree is made of.
OF_MERGING = {("include",), ("services", "*", "extends")}
# Known to readers only to be refused in words of their own, whatever the target.
REFUSED_BY_READERS: Mapping[tuple[str, ...], set[str]] = {
    ("services", "*", "deploy", "resources", "reservations"): {"pids"},
    ("services", "*", "volumes", "[]"): {"cluster", "npipe"},
}
# What a mapping must have beside, so that its reader looks into the block.
BESIDE: Mapping[tuple[str, ...], Mapping[str, Plain]] = {
    ("services", "*", "volumes", "[]", kind): {"type": kind, "target": "/somewhere", "source": "x"}
    for kind in ("bind", "volume", "tmpfs", "image")
}


class KnownKeys(ProblemLog):
    """Keeps which words the unknown key was compared with."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] | None = None

    def near(self, word: str, known: Iterable[str]) -> str | None:
        if word == UNKNOWN:
            self.known = set(known)
        return super().near(word, known)


def mappings() -> dict[tuple[str, ...], set[str]]:
    """The path of every mapping of the table, with the keys that it has."""
    found: dict[tuple[str, ...], set[str]] = {}
    for rule in RULES:
        for key in keys_of(rule):
            steps = steps_of(key)
            for length in range(1, len(steps) + 1):
                *above, last = steps[:length]
                if last not in ("*", "[]"):
                    found.setdefault(tuple(above), set()).add(last)
    return {path: keys for path, keys in found.items() if not _is_of_merging(path)}


def _is_of_merging(path: Sequence[str]) -> bool:
    return any(tuple(path[: len(above)]) == above for above in OF_MERGING)


def file_with(path: tuple[str, ...]) -> Plain:
    """A file with an unknown key in the mapping at `path`."""
    value: Plain = {UNKNOWN: "?"}
    for length in range(len(path), 0, -1):
        step = path[length - 1]
        if step == "[]":
            value = [value]
        else:
            name = "name" if step == "*" else step
            value = {name: value, **BESIDE.get(path[:length], {})}
    return value


MAPPINGS = mappings()


@pytest.mark.parametrize("path", MAPPINGS, ids=".".join)
def test_a_reader_knows_the_keys_of_the_table(path: tuple[str, ...]) -> None:
    log = KnownKeys()
    root = parse(to_yaml(file_with(path)), file="stack.yml", log=log)
    reading = Reading(log=log, base=Path("/stack"), variables=lambda _: None)
    read_document(Value(root, path=(), reading=reading), "shop")
    assert log.known is not None, "no reader looked at the keys of this mapping"
    of_the_reader = {key for key in log.known if not key.startswith("x-")}
    of_the_table = {
        key
        for key in MAPPINGS[path]
        if not _is_of_merging((*path, key)) and not key.startswith("x-")
    }
    assert of_the_reader - REFUSED_BY_READERS.get(path, set()) == of_the_table
