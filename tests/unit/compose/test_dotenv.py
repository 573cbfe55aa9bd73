"""The grammar of .env and env_file."""

import pytest

from stackctl.compose.syntax.dotenv import DotenvError, parse_dotenv

OUTSIDE = {"OUT": "outside", "BOTH": "outside"}


def parsed(text: str) -> dict[str, str]:
    return parse_dotenv(text, OUTSIDE.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1", {"A": "1"}),
        ("\ufeffA=1", {"A": "1"}),
        ("\n\n# note\n  # note\nA=1\n", {"A": "1"}),
        ("export A=1\nexport\tB=2", {"A": "1", "B": "2"}),
        ("A: 1\nB:2", {"A": "1", "B": "2"}),
        ("A = 1", {"A": "1"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("A=  \nB=1", {"A": "", "B": "1"}),
        ("A=x y  ", {"A": "x y"}),
        ("A=x # note", {"A": "x"}),
        ("A=x#y", {"A": "x#y"}),
        ("A=# note", {"A": ""}),
        ("A=x\\ny", {"A": "x\\ny"}),
        ("A=x'y\"z", {"A": "x'y\"z"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A.b-c[0]=1\nÉTÉ=2", {"A.b-c[0]": "1", "ÉTÉ": "2"}),
        ("A=a=b:c", {"A": "a=b:c"}),
        ("A=1\nA=2", {"A": "2"}),
        ('A="x # y"', {"A": "x # y"}),
        ('A="x" # note', {"A": "x"}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ('A="a\\nb\\tc\\\\d\\"e"', {"A": 'a\nb\tc\\d"e'}),
        ('A="\\x41\\u0041\\q"', {"A": "\\x41\\u0041\\q"}),
        ('A="\\0101"', {"A": "A"}),
        ('A="\\$OUT $OUT"', {"A": "$OUT outside"}),
        ("A='x\\n $OUT \"q\"'", {"A": 'x\\n $OUT "q"'}),
        ("A='it\\'s'", {"A": "it's"}),
        ("A='two\nlines'", {"A": "two\nlines"}),
        ("A=$OUT-${NOPE:-d}", {"A": "outside-d"}),
        ("A=1\nB=${A}2", {"A": "1", "B": "12"}),
        ("BOTH=file\nB=$BOTH", {"BOTH": "file", "B": "outside"}),
        ("OUT\nNOPE\nexport OUT", {"OUT": "outside"}),
        ("OUT", {"OUT": "outside"}),
        ("", {}),
    ],
)
def test_statements(text: str, expected: dict[str, str]) -> None:
    assert parsed(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nB C=2", 2, "a name cannot contain a blank: B C"),
        ("just words", 1, "a name cannot contain a blank"),
        ("A=1\n\n=2", 3, "no name before '='"),
        ("A$=1", 1, "unexpected character '$' in the name"),
        ('A=1\nB="open\nC=2', 2, "unterminated quoted value"),
        ("A='open", 1, "unterminated quoted value"),
        ('A="x" y', 1, "unexpected text after the closing quote: y"),
        ("A=${", 1, "variable without closing brace"),
        ("#\nA=${NOPE:?set it}", 2, "required variable NOPE is not set: set it"),
    ],
)
def test_mistakes_name_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(DotenvError) as caught:
        parsed(text)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_values_that_double_in_every_line_are_stopped() -> None:
    text = "A0=xxxxxxxxxxxxxxxx\n" + "\n".join(f"A{n}=$A{n - 1}$A{n - 1}" for n in range(1, 40))
    with pytest.raises(DotenvError):
        parsed(text)
