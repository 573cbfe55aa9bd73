"""`service ls` and `stack services`."""

from collections.abc import Callable, Sequence

from stackctl.cli.listings.options import (
    ListOptions,
    chosen,
    has_label,
    write_list,
    write_names,
)
from stackctl.cli.listings.task_lists import nothing_in_stack
from stackctl.cli.render.errors import render_error
from stackctl.cli.render.services import COLUMNS, in_order, service_rows
from stackctl.cli.session import Session
from stackctl.client.failures import NoSuchName
from stackctl.client.views import ServiceView
from stackctl.model.ids import short_id

_FILTERS: dict[str, Callable[[ServiceView, str], bool]] = {
    "id": lambda service, text: service["id"].startswith(text),
    "name": lambda service, text: service["name"].startswith(text),
    "label": lambda service, text: has_label(service["labels"], text),
    "mode": lambda service, text: service["mode"] == text.replace(" ", "-"),
    "stack": lambda service, text: service["stack"] == text,
}


def list_services(session: Session, _references: Sequence[str], options: ListOptions) -> int:
    """All services."""
    _write_services(session, session.client.services(), options)
    return 0


def list_services_of_stack(
    session: Session, references: Sequence[str], options: ListOptions
) -> int:
    """The services of one stack; one that has none is only remarked upon, as Swarm does."""
    (name,) = references
    try:
        services = session.client.services(stack=name)
    except NoSuchName:
        services = []
    if not services:
        session.terminal.note(render_error(nothing_in_stack(session, name)))
        return 0
    _write_services(session, services, options)
    return 0


def _write_services(
    session: Session, services: Sequence[ServiceView], options: ListOptions
) -> None:
    shown = in_order(chosen(services, options.filters, _FILTERS))
    if options.is_quiet:
        write_names(session, (short_id(service["id"]) for service in shown))
        return
    write_list(session, service_rows(shown), COLUMNS, options)
