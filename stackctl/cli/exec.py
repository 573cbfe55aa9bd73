"""`stackctl exec`."""

from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import options
from stackctl.local import exec_session
from stackctl.local.streams.terminal_modes import is_terminal

app = typer.Typer(name="exec", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl exec web sh
  stackctl exec -T db pg_dump shop > shop.sql"""


@app.command(name="exec", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
def exec_(
    context: typer.Context,
    service: shared.Service,
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="What to run.")],
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Leave it running.")] = False,
    environment: shared.Environment = None,
    index: shared.Index = 0,
    interactive: shared.Interactive = True,
    tty: shared.Tty = True,
    no_tty: shared.NoTty = False,
    privileged: Annotated[
        bool, typer.Option("--privileged", help="Give it all rights of the machine's root.")
    ] = False,
    user: shared.User = "",
    working_directory: shared.WorkingDirectory = "",
) -> int:
    """Run a command in a running container of a service."""
    session = options.session_of(context)
    stack = shared.local_stack_of(context)
    container = stack.container_of(service, index=index)
    stdin = shared.stdin_descriptor()
    wanted = exec_session.ExecOptions(
        command,
        tty=tty
        and interactive
        and not no_tty
        and not detach
        and is_terminal(stdin)
        and session.terminal.has_terminal,
        is_interactive=interactive,
        environment=exec_session.environment_words(environment or (), session.environment),
        user=user,
        working_directory=working_directory,
        is_privileged=privileged,
    )
    if detach:
        exec_session.start_detached(stack.engine, container.id, wanted)
        return 0
    return exec_session.run_attached(
        stack.engine, container.id, wanted, show=session.terminal.pass_on, stdin=stdin
    )
