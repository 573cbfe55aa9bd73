"""`secret ls`, `stack secrets` and `stack configs`."""

import time
from collections.abc import Callable, Sequence

from stackctl.cli.listings.options import (
    ListOptions,
    chosen,
    has_label,
    write_list,
    write_names,
)
from stackctl.cli.listings.task_lists import nothing_in_stack
from stackctl.cli.render.contents import COLUMNS, content_rows, in_order
from stackctl.cli.render.errors import render_error
from stackctl.cli.session import Session
from stackctl.client.content_views import ContentView
from stackctl.model.ids import short_id

_FILTERS: dict[str, Callable[[ContentView, str], bool]] = {
    "id": lambda content, text: content["id"].startswith(text),
    "name": lambda content, text: content["name"].startswith(text),
    "label": lambda content, text: has_label(content["labels"], text),
    "stack": lambda content, text: content["stack"] == text,
    "service": lambda content, text: text in (*content["used_by"], *content["kept_for"]),
}


def list_secrets(session: Session, _references: Sequence[str], options: ListOptions) -> int:
    """All secrets."""
    return _write(session, session.client.contents("secrets"), options)


def list_secrets_of_stack(session: Session, references: Sequence[str], options: ListOptions) -> int:
    """The secrets of one stack."""
    return _list_of_stack(session, "secrets", references, options)


def list_configs_of_stack(session: Session, references: Sequence[str], options: ListOptions) -> int:
    """The configs of one stack."""
    return _list_of_stack(session, "configs", references, options)


def _list_of_stack(
    session: Session, collection: str, references: Sequence[str], options: ListOptions
) -> int:
    (name,) = references
    found = session.client.contents(collection, stack=name)
    if not found:
        session.terminal.note(render_error(nothing_in_stack(session, name)))
        return 0
    return _write(session, found, options)


def _write(session: Session, contents: Sequence[ContentView], options: ListOptions) -> int:
    shown = in_order(chosen(contents, options.filters, _FILTERS))
    if options.is_quiet:
        write_names(session, (short_id(content["id"]) for content in shown))
        return 0
    write_list(session, content_rows(shown, now=time.time()), COLUMNS, options)
    return 0
