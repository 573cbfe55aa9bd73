"""`stackctl wait`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.local.attaching import wait_for_first

app = typer.Typer(name="wait", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl wait migrations
  stackctl wait --down-project tests lint"""


@app.command(name="wait", epilog=EPILOG)
def wait(
    context: typer.Context,
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE...", help="Services of the stack.")
    ],
    *,
    down_project: Annotated[
        bool, typer.Option("--down-project", help="Stop and remove the whole stack then.")
    ] = False,
) -> int:
    """Wait until the first container of the services ends; print its exit code and return it."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    containers = stack.containers_of(services)
    code = wait_for_first(stack.engine, [it.id for it in containers])
    session.terminal.write(f"{code}\n")
    if down_project:
        from stackctl.cli import ending

        ending.down(session, ending.EndFlags())
    return code
