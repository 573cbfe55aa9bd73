"""`stackctl stats`."""

from functools import partial
from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.listings.options import ListOptions, write_list
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.amounts import render_binary_bytes, render_decimal_bytes
from stackctl.cli.render.tables import Columns, Row
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal
from stackctl.local.observed import Container
from stackctl.local.together import all_together
from stackctl.local.usage import Usage, usage_from

app = typer.Typer(name="stats", rich_markup_mode=None, add_completion=False)

COLUMNS = Columns(
    headers={
        "ID": "CONTAINER ID",
        "Name": "NAME",
        "CPUPerc": "CPU %",
        "MemUsage": "MEM USAGE / LIMIT",
        "MemPerc": "MEM %",
        "NetIO": "NET I/O",
        "BlockIO": "BLOCK I/O",
        "PIDs": "PIDS",
        "Container": "CONTAINER",
    },
    shown=("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"),
)
_SHORT_ID = 12
_CLEAR = "\x1b[2J\x1b[H"


@app.command(
    name="stats",
    epilog="\b\nExamples:\n  stackctl stats\n  stackctl stats --no-stream --format json web",
)
def stats(
    context: typer.Context,
    service: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="One service.  [default: all]")
    ] = "",
    *,
    shows_all: Annotated[
        bool, typer.Option("--all", "-a", help="Show containers that do not run, too.")
    ] = False,
    layout: shared.Layout = "",
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Show one reading and end.")
    ] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Print ids whole.")] = False,
) -> int:
    """Show how much processor, memory, network and disk each container uses."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    services = [service] if service else []
    while True:
        rows = _readings(stack, services, shows_all=shows_all, no_trunc=no_trunc)
        if session.terminal.has_terminal and not no_stream:
            session.terminal.write(_CLEAR)
        write_list(session, rows, COLUMNS, ListOptions(layout=layout, is_cut=not no_trunc))
        session.terminal.flush()
        if no_stream:
            return 0


def _readings(
    stack: LocalStack, services: list[str], *, shows_all: bool, no_trunc: bool
) -> list[Row]:
    """One reading of each container; the engine takes a second for it, which is our pace, too."""
    shown = [it for it in stack.containers_of(services) if shows_all or it.is_running]
    usages = all_together([partial(_usage, stack.engine, container) for container in shown])
    return [
        usage_row(container, usage, no_trunc=no_trunc)
        for container, usage in zip(shown, usages, strict=True)
        if usage is not None
    ]


def _usage(engine: Engine, container: Container) -> Usage | None:
    """None when the container has been removed meanwhile."""
    if not container.is_running:
        return Usage()
    try:
        return usage_from(engine.get(f"/containers/{container.id}/stats", {"stream": False}))
    except EngineRefusal as refusal:
        if refusal.is_not_found:
            return None
        raise


def usage_row(container: Container, usage: Usage, *, no_trunc: bool) -> Row:
    """What is shown of one reading."""
    memory, limit = render_binary_bytes(usage.memory), render_binary_bytes(usage.memory_limit)
    received, sent = render_decimal_bytes(usage.received), render_decimal_bytes(usage.sent)
    read, written = render_decimal_bytes(usage.read), render_decimal_bytes(usage.written)
    return {
        "ID": container.id if no_trunc else container.id[:_SHORT_ID],
        "Name": container.name,
        "CPUPerc": f"{usage.cpu_percent:.2f}%",
        "MemUsage": f"{memory} / {limit}",
        "MemPerc": f"{usage.memory_percent:.2f}%",
        "NetIO": f"{received} / {sent}",
        "BlockIO": f"{read} / {written}",
        "PIDs": str(usage.processes),
        "Container": container.id if no_trunc else container.id[:_SHORT_ID],
    }
