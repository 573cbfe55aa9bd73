"""`stackctl volumes`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.cli.listings.options import ListOptions, write_list, write_names
from stackctl.cli.render.tables import Columns, Row
from stackctl.local.observing import list_volumes_of

app = typer.Typer(name="volumes", rich_markup_mode=None, add_completion=False)

COLUMNS = Columns(
    headers={"Driver": "DRIVER", "Name": "VOLUME NAME", "Key": "KEY"},
    shown=("Driver", "Name"),
)


@app.command(name="volumes", epilog="\b\nExamples:\n  stackctl volumes\n  stackctl volumes -q db")
def volumes(
    context: typer.Context,
    services: shared.Services = None,
    *,
    layout: shared.Layout = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names only.")] = False,
) -> int:
    """Show the stack's volumes on this engine, or those that some services have mounted."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    found = list_volumes_of(stack.engine, stack.name)
    if services:
        mounted = {mount.name for it in stack.containers_of(services) for mount in it.mounts}
        found = {name: volume for name, volume in found.items() if name in mounted}
    if quiet:
        write_names(session, sorted(found))
        return 0
    rows: list[Row] = [
        {"Driver": volume.driver, "Name": name, "Key": volume.key}
        for name, volume in sorted(found.items())
    ]
    write_list(session, rows, COLUMNS, ListOptions(layout=layout))
    return 0
