"""`stackctl version`."""

import json
import platform
from enum import StrEnum
from typing import Annotated

import typer

import stackctl
from stackctl.cli import options
from stackctl.errors import StackctlError

app = typer.Typer(name="version", rich_markup_mode=None, add_completion=False)


class Layout(StrEnum):
    """`--format`."""

    PRETTY = "pretty"
    JSON = "json"


@app.command(
    name="version",
    epilog="\b\nExamples:\n  stackctl version\n  stackctl --context lab version",
)
def version(
    context: typer.Context,
    *,
    layout: Annotated[
        Layout, typer.Option("--format", "-f", help="How it is printed; json is of this program.")
    ] = Layout.PRETTY,
    short: Annotated[bool, typer.Option("--short", help="Print this version alone.")] = False,
) -> int:
    """Show the versions of this program and of the manager."""
    session = options.session_of(context)
    if short:
        session.terminal.write(f"{stackctl.__version__}\n")
        return 0
    if layout is Layout.JSON:
        session.terminal.write(json.dumps({"version": stackctl.__version__}) + "\n")
        return 0
    session.terminal.write(
        f"Client:   {stackctl.__version__} (Python {platform.python_version()})\n"
    )
    try:
        cluster = session.client.cluster()
    except StackctlError as error:
        session.terminal.write("Manager:  none\n")
        session.terminal.note(error.message)
        return 0
    session.terminal.write(f"Manager:  {cluster['version']}\n")
    return 0
