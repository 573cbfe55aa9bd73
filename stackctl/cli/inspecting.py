"""What the `inspect` commands do: objects as JSON, through a template, or for people."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from stackctl.cli.render import details, templates
from stackctl.cli.render.errors import render_error
from stackctl.cli.session import Session
from stackctl.client.content_views import ContentView
from stackctl.client.failures import NoSuchName
from stackctl.client.views import NodeView, ServiceDetail
from stackctl.errors import InputError

T = TypeVar("T")

# A cluster's inspection goes into bug reports; tokens open the cluster.
_SECRETS = ("worker_join_token", "manager_join_token")


class InspectOptions(NamedTuple):
    """The flags of `inspect`."""

    is_pretty: bool = False
    layout: str = ""  # a template


def inspect_services(session: Session, references: Sequence[str], options: InspectOptions) -> int:
    """Services whole; exit code 1 when one is unknown."""

    def fetch(reference: str) -> ServiceDetail:
        return session.client.service(reference)

    return _inspect(session, references, options, fetch, details.render_service)


def inspect_nodes(session: Session, references: Sequence[str], options: InspectOptions) -> int:
    """Nodes whole; exit code 1 when one is unknown."""

    def fetch(reference: str) -> NodeView:
        return session.client.node(reference)

    return _inspect(session, references or ("self",), options, fetch, details.render_node)


def inspect_secrets(session: Session, references: Sequence[str], options: InspectOptions) -> int:
    """Secrets, but for what they say; exit code 1 when one is unknown."""

    def fetch(reference: str) -> ContentView:
        return session.client.content("secrets", reference)

    return _inspect(session, references, options, fetch, render=str)


def inspect_cluster(session: Session, options: InspectOptions) -> int:
    """The cluster, without its join tokens."""
    cluster = session.client.cluster()
    if options.is_pretty:
        session.terminal.write(details.render_cluster(cluster, nodes=session.client.nodes()))
        return 0
    shown = {key: value for key, value in cluster.items() if key not in _SECRETS}
    _write(session, [shown], options.layout)
    return 0


def _inspect(
    session: Session,
    references: Sequence[str],
    options: InspectOptions,
    fetch: Callable[[str], T],
    render: Callable[[T], str],
) -> int:
    if options.is_pretty and options.layout:
        raise InputError("--pretty and --format exclude each other")
    found: list[T] = []
    unknown: list[NoSuchName] = []
    for reference in references:
        try:
            found.append(fetch(reference))
        except NoSuchName as error:
            unknown.append(error)
    if options.is_pretty:
        session.terminal.write("\n".join(render(each) for each in found))
    elif found:
        _write(session, found, options.layout)
    for missing in unknown:
        session.terminal.note(render_error(missing))
    return NoSuchName.exit_code if unknown else 0


def _write(session: Session, found: Sequence[Any], layout: str) -> None:
    if layout and layout != "json":
        template = templates.parse_template(layout)
        session.terminal.write("".join(template.render(each) + "\n" for each in found))
        return
    indent = None if layout == "json" else 4
    session.terminal.write(json.dumps(found, indent=indent, ensure_ascii=False) + "\n")
