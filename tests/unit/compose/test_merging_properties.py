"""Whatever files say together, out comes a tree or located problems, never a traceback."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackctl.compose.merging.assemble import assemble
from stackctl.compose.merging.merge import Merging, without_tags
from stackctl.compose.merging.rules import RULES, first_step
from stackctl.compose.problems import Position, ProblemLog
from stackctl.compose.request import LoadRequest
from stackctl.compose.syntax.tree import Entry, Mapping, Node, Scalar, Sequence
from stackctl.errors import InputError
from tests.unit.compose.tree_folder import plain

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

HERE = Position("f", 1, 1)
KEYS = sorted({word for pattern in RULES for word in pattern.split(".")} | {"x-own", "target"})
TEXTS = st.sampled_from(
    [*("a", "a=b", "a:b", "80:80", "8000-8002:1-3", "/x:/y", "service:a", "${A}", "${A", "..", "")]
)
TAGS = st.sampled_from([None, None, None, "!reset", "!override"])

scalars = st.one_of(
    st.builds(lambda text, tag: Scalar(text, text, HERE, tag=tag), TEXTS, TAGS),
    st.builds(
        lambda value, tag: Scalar(value, str(value), HERE, tag=tag),
        st.sampled_from([None, True, 5, 1.5]),
        TAGS,
    ),
)


def mapping(entries: dict[str, Node], tag: str | None) -> Mapping:
    return Mapping({key: Entry(key, HERE, value) for key, value in entries.items()}, HERE, tag)


def containers(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(
            mapping, st.dictionaries(st.sampled_from(KEYS), inner, min_size=1, max_size=4), TAGS
        ),
        st.builds(
            lambda items, tag: Sequence(tuple(items), HERE, tag), st.lists(inner, max_size=3), TAGS
        ),
    )


nodes: st.SearchStrategy[Node] = st.recursive(scalars, containers, max_leaves=12)
services = st.builds(
    lambda found, networks: mapping(
        {"services": mapping({"web": found}, None), "networks": mapping({"n": networks}, None)},
        None,
    ),
    nodes,
    nodes,
)


def over(earlier: Node, later: Node, log: ProblemLog) -> Node:
    return without_tags(Merging(log).merged(without_tags(earlier), later, (), first_step()))


@few
@given(services, services)
def test_any_two_trees_are_merged_or_their_mismatches_are_told(earlier: Node, later: Node) -> None:
    log = ProblemLog()
    over(earlier, later, log)
    assert all("cannot be merged" in problem.message for problem in log.problems())


@few
@given(services)
def test_nothing_below_or_above_a_tree_changes_nothing(root: Node) -> None:
    nothing = Mapping({}, HERE)
    log = ProblemLog()
    alone = plain(without_tags(root))
    assert plain(over(nothing, root, log)) == alone
    assert plain(over(root, nothing, log)) == alone
    assert log.problems() == ()


@few
@given(services, services)
def test_no_tag_is_left_in_a_result(earlier: Node, later: Node) -> None:
    def tags(node: Node) -> set[str | None]:
        found = {node.tag}
        if isinstance(node, Mapping):
            return found.union(*(tags(entry.value) for entry in node))
        if isinstance(node, Sequence):
            return found.union(*map(tags, node.items))
        return found

    assert tags(over(earlier, later, ProblemLog())) == {None}


PIECES = st.sampled_from(
    [
        *("services: {web: {extends: base}, base: {image: x}}\n", "include: [b.yml]\n", "---\n"),
        *("services:\n  a: {extends: {file: b.yml, service: a}}\n", "include: [{path: a.yml}]\n"),
        *("services: {a: {profiles: [p]}, b: {depends_on: [a]}}\n", "name: $X\n", "  - x\n"),
        *("services: {a: !reset null}\n", "services: !override {c: {}}\n", "x: &a [*a]\n"),
        *("services: {a: {extends: {}}}\n", "include: [{env_file: a.yml, path: [c, b.yml]}]\n"),
        *("services: [", "\t", "? [a]\n", "services:\n", "'", "\0", "services: {a: {<<: *b}}\n"),
    ]
)


@few
@given(st.lists(PIECES, max_size=4), st.lists(PIECES, max_size=4))
def test_any_two_files_are_assembled_or_refused(first: list[str], second: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("a.yml", "b.yml")]
        for path, pieces in zip(paths, (first, second), strict=True):
            path.write_text("".join(pieces))
        request = LoadRequest(environment={}, paths=[str(path) for path in paths])
        log = ProblemLog()
        try:
            assemble(request, log)
        except InputError as error:
            assert error.message  # noqa: PT017 -- either outcome is fine
        assert all(problem.place.position.line > 0 for problem in log.problems())
