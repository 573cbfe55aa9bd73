"""Lists as text: a table, JSON lines, a template, or ids alone.

A list is a sequence of rows; a row maps Swarm's field names (`CurrentState`) to text. `Columns`
says which fields a table has and under which headers. The column that may be cut (ERROR) gives way
when a terminal is too narrow; without a terminal nothing is ever cut.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stackctl.cli.render import templates

Row = Mapping[str, str | bool]

_COLUMN_WIDTH_MIN = 10
_GAP = 3
CUT_WIDTH_MIN = 30


class Columns(NamedTuple):
    """The fields of a list. `headers` names every field that exists, `shown` those of the table."""

    headers: Mapping[str, str]
    shown: tuple[str, ...]
    cut: str = ""  # the field that gives way to a narrow terminal
    marks_repeats: str = ""  # the field whose repetition marks history in a table


def render_list(rows: Sequence[Row], columns: Columns, *, layout: str, width: int | None) -> str:
    """The rows in the layout that `--format` names: "", "table", "json", or a template.

    `width` is the terminal's, None without one. Raises InputError for a bad template.
    """
    if layout == "json":
        return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    if layout in {"", "table"}:
        return _render_table(_with_marks(rows, columns), columns, width)
    if layout.startswith("table "):
        template = templates.parse_template(layout.removeprefix("table ").strip())
        header = template.render(columns.headers)
        lines = [template.render(row) for row in _with_marks(rows, columns)]
        return render_grid([line.split("\t") for line in (header, *lines)])
    template = templates.parse_template(layout)
    template.check(columns.headers)
    return "".join(template.render(row) + "\n" for row in rows)


def render_grid(lines: Sequence[Sequence[str]]) -> str:
    """Cells in aligned columns, at least ten wide, three spaces apart."""
    widths: list[int] = []
    for line in lines:
        for index, cell in enumerate(line):
            if index == len(widths):
                widths.append(_COLUMN_WIDTH_MIN - _GAP)
            widths[index] = max(widths[index], len(cell))
    padded = (
        "".join(cell.ljust(widths[index] + _GAP) for index, cell in enumerate(line))
        for line in lines
    )
    return "".join(line.rstrip() + "\n" for line in padded)


def cut_text(text: str, width: int) -> str:
    """The text in at most `width` characters, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def _render_table(rows: Sequence[Row], columns: Columns, width: int | None) -> str:
    lines = [[columns.headers[field] for field in columns.shown]]
    lines += [[_one_line(str(row[field])) for field in columns.shown] for row in rows]
    if width is not None and columns.cut in columns.shown:
        _fit(lines, columns.shown.index(columns.cut), width)
    return render_grid(lines)


def _fit(lines: list[list[str]], cut: int, width: int) -> None:
    last = len(lines[0]) - 1
    longest = [max(len(line[index]) for line in lines) for index in range(last + 1)]
    used = 0
    for index, length in enumerate(longest):
        if index != cut:
            used += length if index == last else max(length + _GAP, _COLUMN_WIDTH_MIN)
    room = max(width - used - (0 if cut == last else _GAP), CUT_WIDTH_MIN)
    for line in lines[1:]:
        line[cut] = cut_quoted(line[cut], room)


def cut_quoted(text: str, width: int) -> str:
    """As `cut_text`, but a closing quote or bracket stays."""
    if len(text) <= width:
        return text
    closing = text[-1] if text[-1] in '")' else ""
    return cut_text(text[: len(text) - len(closing)], width - len(closing)) + closing


def _with_marks(rows: Sequence[Row], columns: Columns) -> list[Row]:
    field = columns.marks_repeats
    marked: list[Row] = []
    previous = None
    for row in rows:
        is_repeat = bool(field) and row[field] == previous
        marked.append({**row, field: f" \\_ {row[field]}"} if is_repeat else row)
        previous = row.get(field)
    return marked


def _one_line(text: str) -> str:
    """A row is a line: engines' errors may hold line ends and terminal escapes."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)
