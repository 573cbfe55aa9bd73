"""`stackctl version`."""

import platform

import typer

import stackctl
from stackctl.cli import options
from stackctl.errors import StackctlError

app = typer.Typer(name="version", rich_markup_mode=None, add_completion=False)


@app.command(
    name="version",
    epilog="\b\nExamples:\n  stackctl version\n  stackctl --context lab version",
)
def version(context: typer.Context) -> int:
    """Show the versions of this program and of the manager."""
    session = options.session_of(context)
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
