"""Variables in texts: every operator, nesting, and what is no variable."""

import pytest

from stackctl.compose.syntax.template import LENGTH_MAX, TemplateError, substitute

VARIABLES = {"SET": "v", "EMPTY": "", "NAME": "SET", "_x1": "u"}


def substituted(text: str) -> str:
    return substitute(text, VARIABLES.get).text


@pytest.mark.parametrize(
    ("form", "when_set", "when_empty", "when_unset"),
    [
        ("$%s", "v", "", ""),
        ("${%s}", "v", "", ""),
        ("${%s:-t}", "v", "t", "t"),
        ("${%s-t}", "v", "", "t"),
        ("${%s:+t}", "t", "", ""),
        ("${%s+t}", "t", "t", ""),
    ],
)
def test_operators(form: str, when_set: str, when_empty: str, when_unset: str) -> None:
    found = [substituted(form % name) for name in ("SET", "EMPTY", "UNSET")]
    assert found == [when_set, when_empty, when_unset]


def test_a_required_variable_may_be_empty_only_without_a_colon() -> None:
    assert substituted("${SET:?m}${SET?m}${EMPTY?m}") == "vv"
    with pytest.raises(TemplateError, match="required variable EMPTY is empty: m"):
        substituted("${EMPTY:?m}")


@pytest.mark.parametrize("form", ["${UNSET:?say $SET}", "${UNSET?say $SET}"])
def test_a_missing_required_variable_says_its_own_words(form: str) -> None:
    with pytest.raises(TemplateError, match="required variable UNSET is not set: say v"):
        substituted(form)


def test_a_missing_required_variable_needs_no_words() -> None:
    with pytest.raises(TemplateError, match=r"required variable UNSET is not set$"):
        substituted("${UNSET:?}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no variable", "no variable"),
        ("$$", "$"),
        ("$$SET", "$SET"),
        ("$$$SET", "$v"),
        ("$$$$", "$$"),
        ("$${SET}", "${SET}"),
        ("$SET.x", "v.x"),
        ("${SET}-$SET", "v-v"),
        ("$SETX|$_x1|${_x1}", "|u|u"),
        ("${UNSET:-${SET}}", "v"),
        ("${UNSET:-$SET}", "v"),
        ("${UNSET:-a${ALSO:-b${SET}c}d}", "abvcd"),
        ("${SET:+<${SET}>}", "<v>"),
        ("${UNSET:-a:-b}", "a:-b"),
        ("${UNSET-a:-b}", "a:-b"),
        ("${UNSET:-a?b}", "a?b"),
        ("${SET+a-b}", "a-b"),
        ("${UNSET:-a}b}", "ab}"),
        ("${UNSET:-http://x:80/}", "http://x:80/"),
        ("${UNSET:-}", ""),
        ("${UNSET:-$$}", "$"),
        ("${UNSET:-two\nlines}", "two\nlines"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("^a$", "^a$"),
        ("$1 $- $é", "$1 $- $é"),
        ("}{", "}{"),
    ],
)
def test_substitution(text: str, expected: str) -> None:
    assert substituted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${}",
        "${ SET}",
        "${SET!}",
        "${SET",
        "${1A}",
        "${SET:}",
        "${SET:x}",
        "${é}",
        "a ${SET:-${SET}",
    ],
)
def test_broken_braces_are_refused(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        substituted(text)
    assert caught.value.hint


def test_alternatives_are_looked_up_only_when_used() -> None:
    asked: list[str] = []

    def lookup(name: str) -> str | None:
        asked.append(name)
        return VARIABLES.get(name)

    assert substitute("${SET:-${OTHER:?missing}}", lookup).text == "v"
    assert asked == ["SET"]


def test_variables_that_are_not_set_are_named_once() -> None:
    found = substitute("$A ${B} $A ${C:-x} ${UNSET:-$D}", VARIABLES.get)
    assert found.not_set == ("A", "B", "D")


def test_nesting_is_limited() -> None:
    with pytest.raises(TemplateError, match="nested deeper"):
        substituted("${A:-" * 100 + "}" * 100)


def test_the_result_is_limited() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        substitute("$A$A$A", {"A": "x" * (LENGTH_MAX // 2)}.get)
