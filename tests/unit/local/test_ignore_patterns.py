"""Which paths the patterns of a .dockerignore keep from a builder."""

import pytest

from stackctl.local.building.ignore_patterns import IgnorePatterns, parse_lines


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        (["*.md"], ["a.md"], ["docs/a.md", "a.mdx", "md"]),
        (["**/*.md"], ["a.md", "docs/deep/a.md"], ["a.txt"]),
        (["/build"], ["build", "build/x/y"], ["src/build"]),
        (["build/"], ["build/x"], ["builder"]),
        (["**"], ["a", "b/c"], []),
        (["*"], ["a", "b/c"], []),
        (["*/temp*"], ["a/temp", "a/temporary/x"], ["temp", "a/b/temp"]),
        (["*/*/temp*"], ["a/b/temp"], ["a/temp"]),
        (["temp?"], ["tempa", "tempa/x"], ["temp", "tempab"]),
        (["a[bc]d"], ["abd", "acd"], ["aad", "abcd"]),
        (["a[^b]"], ["ac"], ["ab"]),
        (["a[^b]", "x.y"], ["x.y"], ["xzy"]),
        ([r"a\*b"], ["a*b"], ["axb"]),
        (["*.md", "!README.md"], ["a.md"], ["README.md"]),
        (["!README.md", "*.md"], ["README.md"], ["a.txt"]),
        (["docs", "!docs/keep"], ["docs/x", "docs"], ["docs/keep", "docs/keep/y"]),
        (["a/**/z"], ["a/z", "a/b/c/z"], ["a/b", "z"]),
        (["./x/../y"], ["y"], ["x"]),
        (["a+b(c)"], ["a+b(c)"], ["aab(c)"]),
        ([" spaced "], ["spaced"], []),
        (["", "  "], [], ["a"]),
        (["**/node_modules"], ["node_modules", "a/node_modules/b"], ["node_modules2"]),
    ],
)
def test_patterns_ignore_what_the_builder_ignores(
    lines: list[str], ignored: list[str], kept: list[str]
) -> None:
    patterns = IgnorePatterns(lines)
    assert [path for path in ignored if not patterns.ignores(path)] == []
    assert [path for path in kept if patterns.ignores(path)] == []


@pytest.mark.parametrize(
    ("lines", "folder", "is_passed_over"),
    [
        (["node_modules"], "node_modules", True),
        (["node_modules", "!other"], "node_modules", True),
        (["node_modules", "!node_modules/kept"], "node_modules", False),
        (["node_modules", "!**/kept"], "node_modules", False),
        (["*", "!src/*.py"], "src", False),
        (["*", "!src/*.py"], "docs", True),
        (["*.md"], "docs", False),
    ],
)
def test_folders_are_passed_over_only_if_nothing_in_them_is_taken_back(
    lines: list[str], folder: str, is_passed_over: bool
) -> None:
    assert IgnorePatterns(lines).ignores_all_below(folder) is is_passed_over


def test_comments_stand_in_the_first_column() -> None:
    assert parse_lines("\ufeff# a comment\n #b\nc\r\n") == (" #b", "c")


@pytest.mark.parametrize("line", ["!", "a[b", "a\\"])
def test_a_broken_pattern_is_refused_with_its_text(line: str) -> None:
    with pytest.raises(ValueError, match=r"takes nothing|\[ without|backslash"):
        IgnorePatterns([line])
