"""What lists have in common: the options of every list, and filters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from stackctl.cli.render.tables import Columns, Row, render_list
from stackctl.cli.session import Session
from stackctl.errors import InputError

T = TypeVar("T")

Matches = Callable[[T, str], bool]


class ListOptions(NamedTuple):
    """The flags that lists know; a list ignores none that its command offers."""

    filters: tuple[str, ...] = ()
    layout: str = ""  # --format
    is_quiet: bool = False
    is_cut: bool = True  # False with --no-trunc
    is_resolved: bool = True  # False with --no-resolve
    shows_cause: bool = False  # --why

    @property
    def is_table(self) -> bool:
        """Whether rows are for people, not for programs."""
        return self.layout in {"", "table"} or self.layout.startswith("table ")


def chosen(items: Iterable[T], filters: Sequence[str], known: Mapping[str, Matches[T]]) -> list[T]:
    """The items that match: any value of a key, and every key. Raises InputError."""
    wanted: dict[str, list[str]] = {}
    for text in filters:
        key, separator, value = text.partition("=")
        key = key.strip().lower()
        if not separator or key not in known:
            raise InputError(
                f"{text!r} is not a filter of this list",
                hint=f"write KEY=VALUE; keys: {', '.join(sorted(known))}",
            )
        wanted.setdefault(key, []).append(value)
    return [
        item
        for item in items
        if all(any(known[key](item, value) for value in values) for key, values in wanted.items())
    ]


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """Whether labels hold `key`, or `key=value`."""
    key, separator, value = wanted.partition("=")
    return key in labels and (not separator or labels[key] == value)


def write_list(
    session: Session,
    rows: Sequence[Row],
    columns: Columns,
    options: ListOptions,
) -> None:
    """Print the rows as the options say."""
    width = session.terminal.table_width if options.is_cut else None
    session.terminal.write(render_list(rows, columns, layout=options.layout, width=width))


def write_names(session: Session, names: Iterable[str]) -> None:
    """Print names or ids, one a line."""
    session.terminal.write("".join(f"{name}\n" for name in names))
