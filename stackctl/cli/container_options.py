"""Options and arguments of commands on a stack's containers, declared once."""

import sys
from typing import Annotated

import typer

from stackctl.cli.local_stack import LocalStack
from stackctl.cli.options import session_of

Service = Annotated[str, typer.Argument(metavar="SERVICE", help="A service of the stack.")]
Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", help="Services of the stack.  [default: all]"),
]
Index = Annotated[
    int,
    typer.Option(
        "--index",
        min=0,
        metavar="NUMBER",
        help="The container of that number.  [default: the lowest]",
        show_default=False,
    ),
]
Environment = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        "-e",
        metavar="NAME[=VALUE]",
        help="Set a variable; a name alone is taken from here. May be given several times.",
    ),
]
User = Annotated[
    str, typer.Option("--user", "-u", metavar="USER[:GROUP]", help="Run as.", show_default=False)
]
WorkingDirectory = Annotated[
    str,
    typer.Option("--workdir", "-w", metavar="FOLDER", help="Start there.", show_default=False),
]
Interactive = Annotated[
    bool, typer.Option("--interactive/--no-interactive", "-i", help="Pass the input on.")
]
Tty = Annotated[
    bool,
    typer.Option(
        "--tty",
        "-t",
        help="Give it a terminal, if this is one: it gets one anyway.",
        show_default=False,
    ),
]
NoTty = Annotated[
    bool,
    typer.Option("--no-TTY", "-T", help="Give it no terminal.  [default: one, if this is one]"),
]
Layout = Annotated[
    str,
    typer.Option(
        "--format", metavar="FORMAT", help="table, json, or a template.", show_default=False
    ),
]


def local_stack_of(context: typer.Context) -> LocalStack:
    """The stack that the flags before the command mean."""
    return LocalStack(session_of(context))


def stdin_descriptor() -> int | None:
    """The descriptor of the standard input; None where there is none."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return None
