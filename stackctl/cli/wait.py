"""`stackctl wait`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.errors import StackctlError
from stackctl.local.attaching import wait_for_first

app = typer.Typer(name="wait", rich_markup_mode=None, add_completion=False)


@app.command(name="wait", epilog="\b\nExamples:\n  stackctl wait migrations")
def wait(
    context: typer.Context,
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE...", help="Services of the stack.")
    ],
) -> int:
    """Wait until the first container of the services ends; print its exit code and return it."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    containers = stack.containers_of(services)
    if not containers:
        raise StackctlError("there is no container to wait for")
    code = wait_for_first(stack.engine, [it.id for it in containers])
    session.terminal.write(f"{code}\n")
    return code
