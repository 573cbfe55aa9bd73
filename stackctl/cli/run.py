"""`stackctl run`."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stackctl.cli import container_options as shared
from stackctl.cli import local_options, options, up_flags
from stackctl.cli.bringing_up import progress_mode
from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.session import Session
from stackctl.compose.grammar.shell_words import split_words
from stackctl.compose.syntax.dotenv import DotenvError, parse_dotenv
from stackctl.errors import InputError
from stackctl.local.attaching import AttachOptions
from stackctl.local.exec_session import environment_words
from stackctl.local.image_needs import ImageFlags, PullFlag
from stackctl.local.one_off import OneOffOptions
from stackctl.local.run_once import Run, RunOptions
from stackctl.local.streams.detach_keys import USUAL, parse_detach_keys
from stackctl.local.streams.terminal_modes import is_terminal

app = typer.Typer(name="run", rich_markup_mode=None, add_completion=False)

EPILOG = """\b
Examples:
  stackctl run --rm web sh
  stackctl run --rm --no-deps -e DEBUG=1 web pytest -x"""

Words = list[str] | None
Build = Annotated[bool, typer.Option("--build", help="Build the image before.")]
CapAdd = Annotated[Words, typer.Option("--cap-add", metavar="NAME", help="Give a capability.")]
CapDrop = Annotated[Words, typer.Option("--cap-drop", metavar="NAME", help="Take one away.")]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Leave it running; print the container's name.")
]
Entrypoint = Annotated[
    str | None,
    typer.Option(
        "--entrypoint", metavar="COMMAND", help="Instead of the image's.", show_default=False
    ),
]
Labels = Annotated[
    Words, typer.Option("--label", "-l", metavar="NAME[=VALUE]", help="Add a label.")
]
Name = Annotated[
    str,
    typer.Option("--name", metavar="NAME", help="The container's name.", show_default=False),
]
NoDeps = Annotated[bool, typer.Option("--no-deps", help="Start nothing that it depends on.")]
Publish = Annotated[
    Words,
    typer.Option("--publish", "-p", metavar="[[ADDRESS:]PORT:]PORT", help="Publish a port."),
]
Pull = Annotated[PullFlag, typer.Option("--pull", help="When images are fetched.")]
EnvFiles = Annotated[
    Words,
    typer.Option("--env-from-file", metavar="FILE", help="Set the variables of a file, before -e."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Remove = Annotated[bool, typer.Option("--rm", help="Remove the container when it ends.")]
ServicePorts = Annotated[
    bool, typer.Option("--service-ports", "-P", help="Publish the service's ports.")
]
UseAliases = Annotated[
    bool, typer.Option("--use-aliases", help="Give it the service's names on its networks.")
]
Volumes = Annotated[
    Words, typer.Option("--volume", "-v", metavar="SOURCE:TARGET[:ro]", help="Mount this, too.")
]


@app.command(name="run", epilog=EPILOG, context_settings={"allow_interspersed_args": False})
def run(
    context: typer.Context,
    service: shared.Service,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Instead of the service's.")
    ] = None,
    *,
    build: Build = False,
    cap_add: CapAdd = None,
    cap_drop: CapDrop = None,
    detach: Detach = False,
    entrypoint: Entrypoint = None,
    environment: shared.Environment = None,
    env_from_file: EnvFiles = None,
    interactive: shared.Interactive = True,
    label: Labels = None,
    name: Name = "",
    no_deps: NoDeps = False,
    tty: shared.Tty = True,
    no_tty: shared.NoTty = False,
    publish: Publish = None,
    pull: Pull = PullFlag.POLICY,
    quiet: Quiet = False,
    quiet_build: up_flags.QuietBuild = False,
    quiet_pull: up_flags.QuietPull = False,
    remove_orphans: local_options.RemoveOrphans = False,
    remove: Remove = False,
    service_ports: ServicePorts = False,
    use_aliases: UseAliases = False,
    user: shared.User = "",
    volume: Volumes = None,
    working_directory: shared.WorkingDirectory = "",
    progress: local_options.Progress = None,
) -> int:
    """Run a command in a new container of a service, beside those that it has."""
    session = options.session_of(context)
    has_terminal = is_terminal(shared.stdin_descriptor()) and session.terminal.has_terminal
    wanted = OneOffOptions(
        command=command or (),
        entrypoint=None if entrypoint is None else _words(entrypoint),
        environment=_environment(env_from_file or (), environment or (), session),
        labels=dict(word.partition("=")[::2] for word in label or ()),
        cap_add=cap_add or (),
        cap_drop=cap_drop or (),
        name=name,
        ports=publish or (),
        service_ports=service_ports,
        use_aliases=use_aliases,
        user=user,
        volumes=volume or (),
        working_directory=working_directory,
        tty=tty and not no_tty and not detach and interactive and has_terminal,
        is_interactive=interactive,
        is_detached=detach,
        is_removed=remove,
    )
    local = shared.local_stack_of(context)
    images = ImageFlags(pull, builds=build, is_pull_quiet=quiet_pull, is_build_quiet=quiet_build)
    before = RunOptions(images, not no_deps, remove_orphans)
    stack = local.read([service], with_dependencies=not no_deps)
    once = Run(local.engine, stack, service, before, session.environment)
    mode = ProgressMode.QUIET if quiet else progress_mode(session, progress)
    return _run(session, once, wanted, mode)


def _environment(paths: Sequence[str], words: Sequence[str], session: Session) -> list[str]:
    """The variables of files, in their order, then those of the command line."""
    found: dict[str, str] = {}
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
            found.update(parse_dotenv(text, session.environment.get))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise InputError(f"--env-from-file {path}: {reason}") from error
        except DotenvError as error:
            raise InputError(
                f"--env-from-file {path}, line {error.line}: {error}", hint=error.hint
            ) from error
    given = environment_words(words, session.environment)
    return [*(f"{name}={value}" for name, value in found.items()), *given]


def _run(session: Session, once: Run, wanted: OneOffOptions, mode: ProgressMode) -> int:
    with StepProgress(session.terminal, mode, title="run") as progress:
        made = once.prepare(wanted, progress.report)
    if wanted.is_detached:
        once.start(made)
        session.terminal.write(f"{made}\n")
        return 0
    attached = AttachOptions(
        tty=wanted.tty,
        show=session.terminal.pass_on,
        stdin=shared.stdin_descriptor() if wanted.is_interactive else None,
        keys=parse_detach_keys(USUAL if wanted.tty else ""),
        forwards_signals=not wanted.tty,
    )
    with contextlib.ExitStack() as ends:
        if wanted.is_removed:
            ends.callback(once.remove, made)
        code = once.start_attached(made, attached)
        if code is None:
            ends.pop_all()
        return code or 0


def _words(text: str) -> tuple[str, ...]:
    try:
        return split_words(text)
    except ValueError as error:
        raise InputError(f"--entrypoint {text}: {error}") from error
