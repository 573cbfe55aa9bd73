"""The keys of a file looked up in the table; when leniency is asked for, refused ones are left out.

Readers never learn the target: they know every key, and what a target cannot do is said here. A
refused key that is a problem stays in the tree, so that what is wrong inside of it is told as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import msgspec

from stackctl.compose.problems import Path, Place, Problem, ProblemLog
from stackctl.compose.syntax import tree
from stackctl.compose.verdicts.rules import Kind, Rule, Target, Verdict
from stackctl.compose.verdicts.table import RULES

ANY_NAME = "*"
ANY_ITEM = "[]"
_EXTENSION_PREFIX = "x-"
_WHERE = {Target.CLUSTER: "in a cluster", Target.LOCAL: "on one host"}


class Judgement(NamedTuple):
    """What becomes of one key of the file; the place is the key's own."""

    place: Place
    rule: Rule
    verdict: Verdict


class Step(msgspec.Struct):
    """The table from one path on: the rules for it, and what may follow."""

    rules: list[Rule] = []
    following: "dict[str, Step]" = {}


@cache
def first_step() -> Step:
    """The table as a tree of steps."""
    first = Step()
    for rule in RULES:
        step = first
        for word in steps_of(rule.pattern):
            step = step.following.setdefault(word, Step())
        step.rules.append(rule)
    return first


def steps_of(pattern: str) -> tuple[str, ...]:
    """`services.*.ports[].host_ip` as its steps."""
    return tuple(pattern.replace(ANY_ITEM, f".{ANY_ITEM}").split("."))


def judge(root: tree.Node, target: Target) -> tuple[Judgement, ...]:
    """A judgement for each key of the merged tree that has a verdict of its own, in tree order."""
    return tuple(_judged(root, first_step(), (), target))


def enforce(
    root: tree.Node,
    judgements: Sequence[Judgement],
    log: ProblemLog,
    *,
    target: Target,
    lenient: bool,
) -> tree.Node:
    """Make each refused key a problem; or, when `lenient`, a note, and leave it out of the tree."""
    left_out: list[Path] = []
    for each in judgements:
        if each.verdict.kind is not Kind.REFUSED:
            continue
        problem = problem_of(each, target)
        if lenient and not each.verdict.firm:
            log.note(problem.place, f"ignored, as it {problem.message}")
            left_out.append(problem.place.path)
        else:
            log.add(*problem)
    return pruned(root, left_out)


def problem_of(judgement: Judgement, target: Target) -> Problem:
    """What is said about a refused key."""
    verdict = judgement.verdict
    message = f"cannot be honoured {_WHERE[target]}: {verdict.text}"
    return Problem(judgement.place, message, verdict.fix)


def pruned(root: tree.Node, paths: Iterable[Path]) -> tree.Node:
    """The tree without the nodes at `paths`."""
    away = frozenset(paths)
    return _without(root, (), away) if away else root


def _judged(node: tree.Node, step: Step, path: Path, target: Target) -> Iterator[Judgement]:
    if isinstance(node, tree.Mapping):
        any_name = step.following.get(ANY_NAME)
        for entry in node:
            next_step = step.following.get(entry.key)
            if next_step is None and (any_name is None or entry.key.startswith(_EXTENSION_PREFIX)):
                continue
            inner = (*path, entry.key)
            place = Place(entry.key_position, inner)
            yield from _at(entry.value, next_step or any_name, place, target)
    elif isinstance(node, tree.Sequence) and ANY_ITEM in step.following:
        for index, item in enumerate(node.items):
            place = Place(item.position, (*path, index))
            yield from _at(item, step.following[ANY_ITEM], place, target)


def _at(node: tree.Node, step: Step | None, place: Place, target: Target) -> Iterator[Judgement]:
    if step is None:
        return
    verdict = None
    rule = next((each for each in step.rules if each.when is None or each.when.holds(node)), None)
    if rule is not None:
        verdict = rule.verdict(target)
        yield Judgement(place, rule, verdict)
    if verdict is None or verdict.kind is not Kind.REFUSED:
        yield from _judged(node, step, place.path, target)


def _without(node: tree.Node, path: Path, away: frozenset[Path]) -> tree.Node:
    if isinstance(node, tree.Mapping):
        entries = {
            entry.key: tree.Entry(
                entry.key, entry.key_position, _without(entry.value, (*path, entry.key), away)
            )
            for entry in node
            if (*path, entry.key) not in away
        }
        return tree.Mapping(entries, node.position)
    if isinstance(node, tree.Sequence):
        items = tuple(
            _without(item, (*path, index), away)
            for index, item in enumerate(node.items)
            if (*path, index) not in away
        )
        return tree.Sequence(items, node.position)
    return node
