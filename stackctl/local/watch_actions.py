"""Carries out what a watch asks for in the running containers of a service."""

from collections.abc import Iterator, Sequence

from stackctl.local.building.context_tar import Entry, end_of_stream, stream_entry
from stackctl.local.copying import CopyOptions, send_stream
from stackctl.local.engine.client import Engine
from stackctl.local.exec_session import ExecOptions, run_quietly
from stackctl.local.failures import StepFailed
from stackctl.local.observed import Container
from stackctl.local.together import all_together
from stackctl.local.watching import CopiedPath, Reaction

_LINES_SHOWN = 10


def react(engine: Engine, containers: Sequence[Container], wanted: Reaction) -> None:
    """Copy, remove, run hooks and restart, in this order. Raises StackctlError."""

    def change(container: Container) -> None:
        if wanted.copied:
            send_stream(engine, container.id, "/", _stream(wanted.copied), CopyOptions())
        if wanted.removed:
            _run(engine, container, ExecOptions(("rm", "-rf", *wanted.removed), user="0"))
        for hook in wanted.hooks:
            options = ExecOptions(
                hook.command,
                environment=hook.environment,
                user=hook.user,
                working_directory=hook.working_dir,
                is_privileged=hook.privileged,
            )
            _run(engine, container, options)
        if wanted.restarts:
            engine.post(f"/containers/{container.id}/restart", timeout_seconds=None)

    all_together([lambda it=it: change(it) for it in containers])  # type: ignore[misc]  # the default binds the loop's value


def _stream(copied: Sequence[CopiedPath]) -> Iterator[bytes]:
    for path in copied:
        if path.source.exists() or path.source.is_symlink():
            yield from stream_entry(Entry(path.target.lstrip("/"), path.source))
    yield end_of_stream()


def _run(engine: Engine, container: Container, options: ExecOptions) -> None:
    code, output = run_quietly(engine, container.id, options)
    if code:
        raise StepFailed(
            f"{' '.join(options.command)} in {container.name} ended with exit code {code}",
            details="\n".join(output.splitlines()[-_LINES_SHOWN:]),
        )
