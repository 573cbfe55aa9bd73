"""`stackctl events`."""

import json
import time
from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.moments import parse_moment
from stackctl.compose.contents import Purpose
from stackctl.errors import UnknownName
from stackctl.local.engine_events import ContainerEvent, follow_events

app = typer.Typer(name="events", rich_markup_mode=None, add_completion=False)


@app.command(
    name="events",
    epilog="\b\nExamples:\n  stackctl events web\n  stackctl events --json --since 10m --until 0s",
)
def events(
    context: typer.Context,
    services: shared.Services = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print an object a line.")] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="From then on: a time, or so long ago.",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="TIME", help="End then: a time, or so long ago.", show_default=False
        ),
    ] = "",
) -> int:
    """Print what happens to the stack's containers, as it happens."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    now = time.time()
    bounds = [f"{parse_moment(text, now=now):.9f}" if text else "" for text in (since, until)]
    wanted = frozenset(services or ())
    if wanted:
        read = stack.read(tuple(services or ()), purpose=Purpose.NOTHING)
        known = set(read.services)
        for service in wanted - known:
            raise UnknownName("service", service, known=known)
    render = render_json if as_json else render_line
    for event in follow_events(stack.engine, stack.name, since=bounds[0], until=bounds[1]):
        if not wanted or event.service in wanted:
            session.terminal.write(render(event))
            session.terminal.flush()
    return 0


def render_line(event: ContainerEvent) -> str:
    """`2026-11-23 18:27:35.123456 container start 4f5a… (image=nginx, name=shop-web-1)`."""
    pairs = ", ".join(f"{key}={value}" for key, value in sorted(event.attributes.items()))
    at = event.at.astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"{at} container {event.action} {event.id} ({pairs})\n"


def render_json(event: ContainerEvent) -> str:
    """One object, with the time in RFC 3339."""
    return (
        json.dumps(
            {
                "time": event.at.isoformat(),
                "type": "container",
                "service": event.service,
                "id": event.id,
                "action": event.action,
                "attributes": dict(sorted(event.attributes.items())),
            },
            ensure_ascii=False,
        )
        + "\n"
    )
