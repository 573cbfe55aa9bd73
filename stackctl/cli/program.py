"""The program as typer sees it: the options before the command, and the lazy groups."""

from collections.abc import Sequence
from typing import Annotated, cast

import typer

import stackctl
from stackctl.cli import compose_options
from stackctl.cli.groups import LazyGroup
from stackctl.cli.options import session_of
from stackctl.cli.session import Session, StackFlags
from stackctl.client.contexts import Choice
from stackctl.errors import InputError

# The library keeps its own copy of click in some versions: its classes are reached through what it
# exports, never by importing click.
UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
ProgramError = cast("type[Exception]", typer.BadParameter.__mro__[2])

GLOBAL_OPTIONS = frozenset({"--endpoint", "-H", "--context", "--identity", "--debug"})

# Scripts written for Swarm say `--detach=false`; of our flags, all are off unless given.
_SWITCHES = frozenset(
    {"--detach", "-d", "--prune", "--rerun", "--dry-run", "--lenient", "--quiet", "-q", "--follow"}
    | {"--force", "--no-trunc"}
)

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stackctl {stackctl.__version__}")
        raise typer.Exit


@app.callback(
    epilog="\b\nExamples:\n  stackctl deploy -c compose.yaml shop\n"
    "  stackctl --context lab service ps shop_web"
)
def choose(
    context: typer.Context,
    *,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(
            "--endpoint",
            "-H",
            metavar="URL",
            help="A manager to ask, unix:///PATH or https://ADDRESS:PORT; may be given several "
            "times.  [env: STACKCTL_ENDPOINT; default: the current context, else "
            "unix:///run/stackctl/manager.sock]",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--context",
            metavar="CONTEXT",
            help="The cluster to talk to, by name.  [env: STACKCTL_CONTEXT]",
            show_default=False,
        ),
    ] = "",
    identity: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Where ca.pem, node.pem and node.key are, for https.  [env: STACKCTL_IDENTITY]",
            show_default=False,
        ),
    ] = "",
    files: compose_options.Files = None,
    stack_name: compose_options.Name = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Multi-host container stacks for people who know Docker Compose."""
    session = session_of(context)
    session.choice = Choice(tuple(endpoint or ()), name, identity)
    session.is_debugging = session.is_debugging or debug
    session.stack_flags = StackFlags(
        tuple(files or ()),
        stack_name,
        tuple(env_files or ()),
        tuple(profiles or ()),
        project_directory,
    )


def run_program(session: Session, arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Raises InputError for wrong flags, and whatever
    the command raises.
    """
    try:
        code = app(
            _without_values(arguments), prog_name="stackctl", standalone_mode=False, obj=session
        )
    except UsageError as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
            session.terminal.write(context.get_help() + "\n")
            return 0
        raise _as_input_error(error, context) from error
    except ProgramError as error:
        raise InputError(str(error)) from error
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def _without_values(arguments: Sequence[str]) -> list[str]:
    """`--detach=true` as `--detach`, `--detach=false` as nothing."""
    plain = []
    for word in arguments:
        flag, separator, value = word.partition("=")
        if not separator or flag not in _SWITCHES or value not in {"true", "false"}:
            plain.append(word)
        elif value == "true":
            plain.append(flag)
    return plain


def _as_input_error(error: Exception, context: typer.Context | None) -> InputError:
    message = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
    option = getattr(error, "option_name", "")
    command = context.command_path if context is not None else "stackctl"
    hint = f"'{command} --help' shows what it takes"
    if option in GLOBAL_OPTIONS:
        hint = f"{option} stands before the command: stackctl {option} …"
    return InputError(message[:1].lower() + message[1:], hint=hint)
