"""Commands in a running container: `exec`, and the hooks of `watch`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stackctl.errors import InputError
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal, StepFailed
from stackctl.local.streams.detach_keys import USUAL, parse_detach_keys
from stackctl.local.streams.interaction import Show, Wiring, interact
from stackctl.local.streams.terminal_modes import Size, following_size, raw_terminal

# What shells say of a program that cannot be run, and of one that is not there.
CANNOT_RUN, NOT_THERE = 126, 127


class ExecOptions(NamedTuple):
    """What is run, and how."""

    command: Sequence[str]
    tty: bool = False
    is_interactive: bool = True
    environment: Sequence[str] = ()
    user: str = ""
    working_directory: str = ""
    is_privileged: bool = False


class ExecFailed(StepFailed):
    """The command could not be started; the exit code is a shell's."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def exec_body(options: ExecOptions, *, is_detached: bool) -> dict[str, Any]:
    """The body of `POST /containers/ID/exec`."""
    body: dict[str, Any] = {
        "Cmd": list(options.command),
        "Tty": options.tty,
        "AttachStdin": options.is_interactive and not is_detached,
        "AttachStdout": not is_detached,
        "AttachStderr": not is_detached,
    }
    if options.environment:
        body["Env"] = list(options.environment)
    if options.user:
        body["User"] = options.user
    if options.working_directory:
        body["WorkingDir"] = options.working_directory
    if options.is_privileged:
        body["Privileged"] = True
    return body


def start_detached(engine: Engine, container_id: str, options: ExecOptions) -> None:
    """Start a command and leave it. Raises EngineRefusal, ExecFailed."""
    created = engine.post(f"/containers/{container_id}/exec", exec_body(options, is_detached=True))
    try:
        engine.post(f"/exec/{created['Id']}/start", {"Detach": True, "Tty": options.tty})
    except EngineRefusal as refusal:
        raise not_started(refusal) from refusal


def run_attached(
    engine: Engine, container_id: str, options: ExecOptions, *, show: Show, stdin: int | None
) -> int:
    """Run a command on these streams; returns its exit code. Raises EngineRefusal, ExecFailed."""
    created = engine.post(f"/containers/{container_id}/exec", exec_body(options, is_detached=False))
    exec_id = created["Id"]
    try:
        answer = engine.hijack(f"/exec/{exec_id}/start", body={"Detach": False, "Tty": options.tty})
    except EngineRefusal as refusal:
        raise not_started(refusal) from refusal
    terminal = stdin if options.tty else None

    def resize(size: Size) -> None:
        engine.post(f"/exec/{exec_id}/resize", query={"h": size.rows, "w": size.columns})

    keys = parse_detach_keys(USUAL if options.tty else "")
    wiring = Wiring(options.tty, show, stdin if options.is_interactive else None, keys)
    with raw_terminal(terminal), following_size(terminal, resize):
        if interact(answer, wiring):
            return 0
    return exit_code_of(engine, exec_id)


def run_quietly(engine: Engine, container_id: str, options: ExecOptions) -> tuple[int, str]:
    """Run a command without input; its exit code, and all that it wrote."""
    output = bytearray()
    code = run_attached(
        engine,
        container_id,
        options._replace(is_interactive=False, tty=False),
        show=lambda content, _: output.extend(content),
        stdin=None,
    )
    return code, output.decode("utf-8", "replace")


def exit_code_of(engine: Engine, exec_id: str) -> int:
    """The exit code of a command that has ended."""
    return int(engine.get(f"/exec/{exec_id}/json").get("ExitCode") or 0)


def environment_words(given: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """`KEY=value`; a name alone is taken from `environment`, and left out where it is not set."""
    found = []
    for word in given:
        name, separator, _ = word.partition("=")
        if not name:
            raise InputError(f"{word!r} is no variable", hint="write NAME=VALUE, or NAME")
        if separator:
            found.append(word)
        elif name in environment:
            found.append(f"{name}={environment[name]}")
    return found


def not_started(refusal: EngineRefusal) -> ExecFailed:
    lowered = refusal.message.lower()
    is_missing = "executable file not found" in lowered or "no such file" in lowered
    return ExecFailed(refusal.message, exit_code=NOT_THERE if is_missing else CANNOT_RUN)
