"""Verdicts as a table: KEY, WHERE, VERDICT, and why or how.

Paths of keys are long and reasons are sentences. Where a terminal has no room for both in one line,
the reason goes below its key, so that neither is ever cut.
"""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from stackctl.cli.render.tables import render_grid

_HEADERS = ("KEY", "WHERE", "VERDICT", "HOW, WHY, WHAT TO WRITE INSTEAD")
_INDENT = "    "
_REASON_WIDTH_MIN = 50


class VerdictRow(NamedTuple):
    """One key of a file, as words."""

    key: str
    where: str
    verdict: str
    text: str


def render_verdicts(rows: Sequence[VerdictRow], *, width: int | None) -> str:
    """The table; `width` is the terminal's, None without one: then a line is a key."""
    if not rows:
        return ""
    if width is None or width >= _widest(rows):
        return render_grid([_HEADERS, *rows])
    grid = render_grid([_HEADERS[:3], *((row.key, row.where, row.verdict) for row in rows)])
    header, *lines = grid.splitlines(keepends=True)
    printed = [header]
    for line, row in zip(lines, rows, strict=True):
        printed.append(line)
        printed += (
            f"{part}\n"
            for part in textwrap.wrap(
                row.text,
                max(width - 1, _REASON_WIDTH_MIN),
                initial_indent=_INDENT,
                subsequent_indent=_INDENT,
            )
        )
    return "".join(printed)


def _widest(rows: Sequence[VerdictRow]) -> int:
    grid = render_grid([_HEADERS, *rows])
    return max(len(line) for line in grid.splitlines())
