"""YAML to tree: go-yaml's scalars, positions, anchors and merges, and what is refused."""

import math

import pytest

from stackctl.compose.problems import Position, ProblemLog
from stackctl.compose.syntax.tree import Mapping, Node, Scalar, Sequence
from stackctl.compose.syntax.yaml_scalars import go_text, resolve_plain
from stackctl.compose.syntax.yaml_tree import DEPTH_MAX, NODES_MAX, parse, parse_documents


def tree_of(text: str) -> Node:
    log = ProblemLog()
    node = parse(text, file="f", log=log)
    log.raise_if_any()
    return node


def problems_of(text: str) -> list[str]:
    log = ProblemLog()
    parse(text, file="f", log=log)
    return [str(problem) for problem in log.problems()]


def plain(node: Node) -> object:
    if isinstance(node, Mapping):
        return {entry.key: plain(entry.value) for entry in node}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "n", "Yes", "NO", "tRUE"])
def test_only_true_and_false_are_booleans(text: str) -> None:
    assert resolve_plain(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("22:22", "22:22"),
        ("1:30.5", "1:30.5"),
        ("0644", 420),
        ("0o644", 420),
        ("0O17", 15),
        ("-0o17", -15),
        ("0b101", 5),
        ("-0b11", -3),
        ("0xff", 255),
        ("+0x1F", 31),
        ("1_000", 1000),
        ("0_7", 7),
        ("1__0", 10),
        ("00", 0),
        ("+12", 12),
        ("-0", 0),
        ("08", 8.0),
        ("1e3", 1000.0),
        ("1.5e3", 1500.0),
        (".5e1", 5.0),
        ("+.5", 0.5),
        ("1.", 1.0),
        ("._5", "._5"),
        ("1e400", "1e400"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("9007199254740993", 9007199254740993),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 1.8446744073709552e19),
        ("-9223372036854775808", -9223372036854775808),
        ("-9223372036854775809", -9.223372036854775809e18),
        ("-", "-"),
        ("+", "+"),
        ("0x", "0x"),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("٣", "٣"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_go_yaml_makes_of_them(text: str, value: object) -> None:
    found = resolve_plain(text)
    assert (found, type(found)) == (value, type(value))


def test_infinities_and_not_a_number_are_floats() -> None:
    assert resolve_plain("-.inf") == -math.inf
    assert math.isnan(float(resolve_plain(".NaN") or 0))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1.0", "1"),
        ("1.10", "1.1"),
        ("100000.0", "100000"),
        ("999999.9", "999999.9"),
        ("1234567.5", "1.2345675e+06"),
        ("1e6", "1e+06"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-.5e-7", "-5e-08"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("1e100", "1e+100"),
        ("-0.0", "-0"),
        ("0.0", "0"),
        ("-2.5", "-2.5"),
        ("08", "8"),
        ("0o17", "15"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("true", "true"),
        ("FALSE", "false"),
    ],
)
def test_a_number_where_text_is_wanted_is_printed_as_go_prints_it(text: str, shown: str) -> None:
    value = resolve_plain(text)
    assert value is not None
    assert go_text(value) == shown


def test_quotes_and_str_tags_keep_text() -> None:
    text = "- \"1\"\n- '0644'\n- !!str 1.0\n- ! 7\n- |-\n  9\n- >-\n  true\n"
    assert plain(tree_of(text)) == ["1", "0644", "1.0", "7", "9", "true"]


def test_scalar_tags_are_honoured() -> None:
    assert plain(tree_of('[!!int "3", !!float 3, !!bool "true", !!null ""]')) == [
        3,
        3.0,
        True,
        None,
    ]


@pytest.mark.parametrize("text", ["!!int x", "!!bool maybe", "!!null 3", "!!int true"])
def test_a_scalar_that_does_not_fit_its_tag_is_refused(text: str) -> None:
    assert "does not fit its tag" in problems_of(text)[0]


@pytest.mark.parametrize(("text", "tag"), [("!!binary aGk=", "!!binary"), ("!!set {a: }", "!!set")])
def test_an_unknown_tag_of_yaml_is_refused(text: str, tag: str) -> None:
    assert problems_of(f"a: {text}") == [f"f:1:4: unknown tag {tag}; remove it"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("!foo 3", "3"), ("!foo x", "x"), ("!x [1]", [1]), ("!x {b: c}", {"b": "c"})],
)
def test_a_tag_of_the_users_own_is_noted_and_makes_text_of_a_scalar(
    text: str, value: object
) -> None:
    log = ProblemLog()
    assert plain(parse(f"a: {text}", file="f", log=log)) == {"a": value}
    (note,) = log.notes()
    assert str(note) == f"f:1:4: tag {text.partition(' ')[0]} is unknown and has no effect"
    assert log.problems() == ()


@pytest.mark.parametrize(
    ("tag", "meant"), [("!rest", "!reset"), ("!overide", "!override"), ("!Reset", "!reset")]
)
def test_a_mistyped_tag_of_merging_is_refused(tag: str, meant: str) -> None:
    assert problems_of(f"a: {tag} []") == [f"f:1:4: unknown tag {tag}; did you mean {meant}?"]


@pytest.mark.parametrize("tag", ["!reset", "!override"])
@pytest.mark.parametrize(
    ("text", "value"),
    [("[1]", [1]), ("{b: 1}", {"b": 1}), ("5", 5), ("'5'", "5"), ("null", None), ("", None)],
)
def test_the_tags_of_merging_are_kept_on_their_values(tag: str, text: str, value: object) -> None:
    root = tree_of(f"a: {tag} {text}")
    assert isinstance(root, Mapping)
    assert root.entries["a"].value.tag == tag
    assert plain(root) == {"a": value}


def test_a_tag_goes_with_its_anchor_and_through_merge_keys() -> None:
    root = tree_of("x: &x {ports: !reset }\na: *x\nb: {<<: *x, c: 1}\n")
    assert isinstance(root, Mapping)
    for key in "ab":
        inner = root.entries[key].value
        assert isinstance(inner, Mapping)
        assert inner.entries["ports"].value.tag == "!reset"


def test_every_key_and_value_knows_its_line_and_column() -> None:
    root = tree_of("a:\n  b: [1, two]\n  é: 'x' # 😀\n")
    assert isinstance(root, Mapping)
    inner = root.entries["a"].value
    assert isinstance(inner, Mapping)
    listed = inner.entries["b"]
    assert listed.key_position == Position("f", 2, 3)
    assert isinstance(listed.value, Sequence)
    assert [item.position.column for item in listed.value.items] == [7, 10]
    assert inner.entries["é"].value.position == Position("f", 3, 6)


def test_a_key_given_twice_names_both_places() -> None:
    assert problems_of("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n") == [
        "f:5:3: key c is given twice in this mapping; it is given first at line 3, column 3",
        "f:6:1: key a is given twice in this mapping; it is given first at line 1, column 1",
    ]


@pytest.mark.parametrize(
    ("key", "kind"), [("1", "a number"), ("true", "a boolean"), ("1.5", "a number")]
)
def test_a_key_that_is_no_text_is_refused(key: str, kind: str) -> None:
    assert problems_of(f"{key}: x") == [
        f"f:1:1: a key must be text, and this one is {kind}; put it in quotes"
    ]


@pytest.mark.parametrize("text", ["~: x", "? [a]\n: b", "? {a: b}\n: c"])
def test_empty_keys_lists_and_mappings_are_no_keys(text: str) -> None:
    assert "a key must be text" in problems_of(text)[0]


def test_aliases_repeat_their_anchor_as_values_and_as_keys() -> None:
    found = plain(tree_of("a: &x {k: [1]}\nb: *x\n&name key: 1\nc: {*name : 2}\n"))
    assert found == {"a": {"k": [1]}, "b": {"k": [1]}, "key": 1, "c": {"key": 2}}


def test_an_anchor_may_be_defined_again() -> None:
    assert plain(tree_of("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")) == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_merged_keys_yield_to_explicit_ones_and_to_earlier_maps() -> None:
    text = """
    one: &one {a: 1, b: 1}
    two: &two {b: 2, c: 2}
    merged: {c: 3, <<: [*one, *two]}
    single:
      <<: *two
      b: 4
    """
    found = plain(tree_of(text))
    assert isinstance(found, dict)
    assert found["merged"] == {"a": 1, "b": 1, "c": 3}
    assert found["single"] == {"b": 4, "c": 2}


def test_merging_is_shallow_and_replaces_lists() -> None:
    text = "base: &b {deploy: {x: 1}, l: [1]}\nweb: {<<: *b, deploy: {y: 2}, l: [2]}\n"
    found = plain(tree_of(text))
    assert isinstance(found, dict)
    assert found["web"] == {"deploy": {"y": 2}, "l": [2]}


def test_a_quoted_merge_key_is_an_ordinary_key() -> None:
    assert plain(tree_of("{'<<': 1}")) == {"<<": 1}


def test_a_tagged_merge_key_merges() -> None:
    assert plain(tree_of("!!merge <<: {a: 1}")) == {"a": 1}


def test_two_merge_keys_in_one_mapping_are_a_duplicate() -> None:
    assert problems_of("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n") == [
        "f:4:3: key << is given twice in this mapping; it is given first at line 3, column 3"
    ]


@pytest.mark.parametrize("value", ["text", "[1]", "", "[{a: 1}, x]"])
def test_only_mappings_can_be_merged(value: str) -> None:
    assert problems_of(f"a:\n  <<: {value}\n") == [
        "f:2:3: << takes a mapping or a list of mappings"
    ]


def test_an_unknown_anchor_is_named_with_the_nearest_one() -> None:
    assert problems_of("a: &logging {}\nb: *loging\n") == [
        "f:2:4: unknown anchor: *loging; did you mean logging?"
    ]


def test_an_anchor_that_contains_itself_is_refused() -> None:
    assert problems_of("a: &x [1, *x]") == ["f:1:11: anchor &x contains itself"]


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert f"more than {NODES_MAX} values" in problems_of("\n".join(lines))[0]


def test_a_repeated_merge_counts_as_what_it_repeats() -> None:
    lines = ["a0: &a0 {k: 1, l: 2}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    assert f"more than {NODES_MAX} values" in problems_of("\n".join(lines))[0]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_at_once(opening: str) -> None:
    assert f"nested deeper than {DEPTH_MAX} levels" in problems_of(opening * 100_000)[0]


def test_too_many_values_are_refused() -> None:
    assert f"more than {NODES_MAX} values" in problems_of("- a\n" * (NODES_MAX + 1))[0]


def test_a_text_has_several_documents_and_empty_ones_do_not_count() -> None:
    log = ProblemLog()
    documents = parse_documents("a: 1\n---\n# none\n---\nb: 2\n...\n", file="f", log=log)
    assert [plain(document) for document in documents] == [{"a": 1}, {"b": 2}]
    assert documents[1].position == Position("f", 5, 1)
    assert log.problems() == ()


def test_anchors_do_not_reach_the_next_document() -> None:
    log = ProblemLog()
    parse_documents("a: &a 1\n---\nb: *a\n", file="f", log=log)
    assert [str(problem) for problem in log.problems()] == ["f:3:4: unknown anchor: *a"]


def test_the_values_of_all_documents_count_together() -> None:
    half = "- a\n" * (NODES_MAX // 2 + 1)
    log = ProblemLog()
    parse_documents(f"{half}---\n{half}", file="f", log=log)
    assert f"more than {NODES_MAX} values" in str(log.problems()[0])


def test_where_one_document_is_expected_a_second_is_refused() -> None:
    assert problems_of("a: 1\n---\nb: 2\n") == ["f:3:1: a second document is not expected here"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n# x\n...\n"])
def test_an_empty_file_is_no_mapping(text: str) -> None:
    log = ProblemLog()
    node = parse(text, file="f", log=log)
    assert (isinstance(node, Scalar) and node.value is None) or log.problems()


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n\t- b\n", 2, "indent with spaces, not with tabs"),
        ("a: @b\n", 1, "put a value that begins with @ in quotes"),
        ("a: `b`\n", 1, "put a value that begins with ` in quotes"),
        ("a: b: c\n", 1, "put a value that contains ': ' in quotes"),
        ("a: 1\n b: 2\n", 2, "check the indentation"),
    ],
)
def test_syntax_errors_come_with_advice(text: str, line: int, hint: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(f"f:{line}:")
    assert "not valid YAML" in problem
    assert hint in problem


@pytest.mark.parametrize(
    "text", ["a: [1, 2\nb: 3", "a: 'x", "{", "%YAML 9.9\n---\na: 1", "&", "a: *"]
)
def test_broken_yaml_is_one_problem(text: str) -> None:
    (problem,) = problems_of(text)
    assert "not valid YAML" in problem


def test_a_quote_that_is_never_closed_is_named_where_it_opens() -> None:
    (problem,) = problems_of("a: 'x\nb: 1\nc: 2\n")
    assert "quoted scalar that begins at line 1, column 4" in problem


def test_a_control_character_is_found_where_it_is() -> None:
    assert problems_of("a: 1\nb: x\x07y\n") == [
        "f:2:5: control character '\\x07' is not allowed in YAML"
    ]


def test_an_escaped_nul_is_refused() -> None:
    assert problems_of('a: "x\\0y"') == [
        "f:1:4: text with a NUL character cannot reach a container"
    ]
