"""The program as typer sees it: the options before the command, and the lazy groups."""

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import typer

import stackctl
from stackctl.cli import compose_options, local_options, options
from stackctl.cli.groups import ENTRIES, LazyGroup
from stackctl.cli.render.terminal import Ansi
from stackctl.cli.session import Session, StackFlags
from stackctl.client.contexts import Choice
from stackctl.errors import InputError

# The library keeps its own copy of click in some versions: its classes are reached through what it
# exports, never by importing click.
UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
ProgramError = cast("type[Exception]", typer.BadParameter.__mro__[2])

GLOBAL_OPTIONS = frozenset(
    {"--endpoint", "-H", "--context", "--identity", "--debug", "--file", "-f", "--project-name"}
    | {"-p", "--profile", "--env-file", "--project-directory", "--ansi", "--compatibility"}
    | {"--all-resources"}
)

# Scripts written for Swarm say `--detach=false`; of our flags, all are off unless given.
_SWITCHES = frozenset(
    {"--detach", "-d", "--prune", "--rerun", "--dry-run", "--lenient", "--quiet", "-q", "--follow"}
    | {"--force", "--no-trunc", "--menu", "--watch", "--build", "--wait"}
)

# These are on unless somebody says no.
_SWITCHED_ON = frozenset({"--orphans", "--interactive", "--sig-proxy"})

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
    endpoint: options.Endpoints = None,
    name: options.ContextName = "",
    identity: options.IdentityFolder = "",
    files: compose_options.Files = None,
    stack_name: compose_options.Name = None,
    env_files: compose_options.EnvFiles = None,
    profiles: compose_options.Profiles = None,
    project_directory: compose_options.ProjectDirectory = None,
    compatibility: compose_options.Compatibility = False,
    all_resources: compose_options.AllResources = False,
    ansi: compose_options.Colours = None,
    progress: local_options.Progress = None,
    parallel: local_options.Parallel = None,
    dry_run: local_options.DryRun = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Multi-host container stacks for people who know Docker Compose."""
    session = options.session_of(context)
    session.choice = Choice(tuple(endpoint or ()), name, identity)
    session.is_debugging = session.is_debugging or debug
    session.stack_flags = StackFlags(
        tuple(files or ()),
        stack_name,
        tuple(env_files or ()),
        tuple(profiles or ()),
        project_directory,
        compatibility,
        all_resources,
    )
    session.terminal.use_ansi(_ansi(ansi, session))
    _hand_on(context, {"progress": progress, "parallel": parallel, "dry_run": dry_run or None})


def _ansi(given: Ansi | None, session: Session) -> Ansi:
    word = session.environment.get("COMPOSE_ANSI") or Ansi.AUTO.value
    try:
        return given or Ansi(word)
    except ValueError:
        raise InputError(f"COMPOSE_ANSI is {word!r}, and not one of {', '.join(Ansi)}") from None


def _hand_on(context: typer.Context, given: Mapping[str, object]) -> None:
    """Flags that stand before the command, as Compose has them, count as the command's own.

    Raises InputError when a command would change something that was only to be shown.
    """
    name = context.invoked_subcommand or ""
    given = {key: value for key, value in given.items() if value is not None}
    if name not in ENTRIES or not given:
        return
    command = cast("LazyGroup", context.command).get_command(context, name)
    known = {parameter.name for parameter in command.params}
    if "dry_run" in given and "dry_run" not in known:
        raise InputError(f"{name} has no --dry-run")
    context.default_map = {name: {key: value for key, value in given.items() if key in known}}


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
    """`--detach=true` as `--detach`, `--detach=false` as nothing, `--orphans=false` as its
    opposite.
    """
    plain = []
    for word in arguments:
        flag, separator, value = word.partition("=")
        is_on = flag in _SWITCHED_ON or (flag == "--prune" and "watch" in arguments)
        if is_on and value in {"true", "false"}:
            plain.append(flag if value == "true" else f"--no-{flag.removeprefix('--')}")
        elif not separator or flag not in _SWITCHES or value not in {"true", "false"}:
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
