"""The grammar of `.env` and `env_file`: what Compose reads, not what a shell would.

    # comment            export NAME=value        NAME: value        NAME        (inherited)
    NAME=text up to " #"          variables are substituted, no escapes
    NAME="may span lines"         escapes (\\n \\t \\" \\\\ \\$ …) and variables
    NAME='taken as it is'         only \\' is special

A variable inside a value is looked up in the passed environment first, then among the names that
stand earlier in the same file.
"""

import re

from stackctl.compose.problems import shown
from stackctl.compose.syntax.template import Lookup, TemplateError, substitute

# The whole file after substitution; see `template.LENGTH_MAX`.
TOTAL_LENGTH_MAX = 4 << 20

_BLANK = " \t\v\f\r\x85\xa0"
_EXPORT = re.compile(r"export[ \t]+")
_SEPARATOR = re.compile(r"[=:\n]|\Z")
_NAME_CHARACTER = re.compile(r"[^\W]|[.\-\[\]]")
_COMMENT_IN_LINE = re.compile(r"[ \t]#")
_ESCAPE = re.compile(r"\\(0[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {
    "a": "\a",
    "b": "\b",
    "c": "",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "$": "$$",  # substitution, which follows, makes it one dollar sign
}


class DotenvError(ValueError):
    """A statement breaks the grammar; `line` counts from 1."""

    def __init__(self, line: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.hint = hint


def parse_dotenv(text: str, inherited: Lookup) -> dict[str, str]:
    """The names and values of a file, in its order; a bare NAME that is not set is left out.

    Raises `DotenvError` at the first statement that breaks the grammar: after an unclosed quote
    nothing later can be trusted.
    """
    text = text.removeprefix("\ufeff")
    values: dict[str, str] = {}
    total = 0

    def lookup(name: str) -> str | None:
        value = inherited(name)
        return values.get(name) if value is None else value

    at = counted = 0
    line = 1
    while (at := _statement_start(text, at)) < len(text):
        line += text.count("\n", counted, at)
        counted = at
        name, separator, at = _name(text, at, line)
        if separator in ("", "\n"):
            value = inherited(name)
        else:
            value, at = _value(text, at, line, lookup)
        if value is not None:
            total += len(value)
            values[name] = value
        if total > TOTAL_LENGTH_MAX:
            raise DotenvError(line, f"the values grow beyond {TOTAL_LENGTH_MAX} characters")
    return values


def _statement_start(text: str, at: int) -> int:
    while at < len(text):
        if text[at] == "#":
            at = _line_end(text, at)
        elif text[at].isspace():
            at += 1
        else:
            break
    return at


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _name(text: str, at: int, line: int) -> tuple[str, str, int]:
    """The name at `at`, its separator ("" at the end of the file), and where the value begins."""
    export = _EXPORT.match(text, at)
    start = export.end() if export else at
    separator = _SEPARATOR.search(text, start)
    end = separator.start() if separator else len(text)
    name = text[start:end].strip()
    if not name:
        raise DotenvError(line, f"no name before {text[end : end + 1].strip() or 'end of line'!r}")
    if " " in name or "\t" in name:
        raise DotenvError(line, f"a name cannot contain a blank: {shown(name)}")
    wrong = next((sign for sign in name if not _NAME_CHARACTER.match(sign)), None)
    if wrong is not None:
        raise DotenvError(line, f"unexpected character {wrong!r} in the name {shown(name)}")
    sign = text[end : end + 1]
    at = end + len(sign)
    if sign in ("=", ":"):
        while at < len(text) and text[at] in _BLANK:
            at += 1
    return name, sign, at


def _value(text: str, at: int, line: int, lookup: Lookup) -> tuple[str, int]:
    quote = text[at : at + 1]
    if quote == "'":
        raw, end = _quoted(text, at, line)
        return raw.replace("\\'", "'"), end
    if quote == '"':
        raw, end = _quoted(text, at, line)
        return _substituted(_ESCAPE.sub(_unescape, raw), lookup, line), end
    end = _line_end(text, at)
    raw = text[at:end]
    if raw.startswith("#"):
        return "", end
    comment = _COMMENT_IN_LINE.search(raw)
    raw = (raw[: comment.start()] if comment else raw).rstrip()
    return _substituted(raw, lookup, line), end


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    quote = text[at]
    end = at + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise DotenvError(
            line, f"unterminated quoted value {shown(text[at : _line_end(text, at)])}"
        )
    after = text[end + 1 : _line_end(text, end)].strip()
    if after and not after.startswith("#"):
        raise DotenvError(line, f"unexpected text after the closing quote: {shown(after)}")
    return text[at + 1 : end], _line_end(text, end)


def _unescape(match: "re.Match[str]") -> str:
    escape = match[1]
    if len(escape) > 1:
        return chr(int(escape, 8))
    return _ESCAPED.get(escape, match[0])


def _substituted(raw: str, lookup: Lookup, line: int) -> str:
    try:
        return substitute(raw, lookup).text
    except TemplateError as error:
        raise DotenvError(line, str(error), error.hint) from error
