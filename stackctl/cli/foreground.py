"""`up` in the foreground: what containers write until they end, or until somebody interrupts.

The first Ctrl-C (or SIGTERM) stops the stack, dependents first, while the lines go on; the second
kills it. Containers stay, stopped.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

from stackctl.cli.bringing_up import BroughtUp, UpFlags, bring_up, read_for, with_orphans
from stackctl.cli.local_stack import LocalStack
from stackctl.cli.main import INTERRUPTED
from stackctl.cli.render.log_prefixes import Prefixes, PrefixStyle
from stackctl.cli.render.step_progress import ProgressMode
from stackctl.cli.session import Session
from stackctl.cli.stack_logs import ended_text
from stackctl.cli.up_flags import refuse_both, refuse_detached
from stackctl.cli.watch_loop import Watch
from stackctl.compose.contents import with_dependencies
from stackctl.errors import InputError, StackctlError, UnknownName
from stackctl.local.actions import Actions
from stackctl.local.down import plan_stop
from stackctl.local.engine.client import Engine
from stackctl.local.execute import execute
from stackctl.local.failures import EngineRefusal
from stackctl.local.log_following import ContainerEnded, Following, still_running
from stackctl.local.logs import LogLine, LogRange
from stackctl.local.observed import Container
from stackctl.local.observing import list_containers
from stackctl.local.progress import silent
from stackctl.local.stack_files import Stack


class AttachFlags(NamedTuple):
    """The flags of `up` that say what is shown, and when it ends."""

    attached: tuple[str, ...] = ()  # --attach
    left_out: tuple[str, ...] = ()  # --no-attach
    with_dependencies: bool = False
    aborts_on_exit: bool = False
    aborts_on_failure: bool = False
    exit_code_from: str = ""
    style: PrefixStyle = PrefixStyle()
    watches: bool = False  # --watch


def attached_services(stack: Stack, named: Sequence[str], flags: AttachFlags) -> tuple[str, ...]:
    """The services whose output is shown. Raises UnknownName."""
    known = stack.services
    for key in (*flags.attached, *flags.left_out, *filter(None, (flags.exit_code_from,))):
        if key not in known:
            raise UnknownName("service", key, known=known)
    if flags.attached:
        chosen = flags.attached
    elif named and not flags.with_dependencies:
        chosen = tuple(named)
    else:
        chosen = tuple(key for key, it in known.items() if it.attach or key in named)
    return tuple(key for key in chosen if key not in flags.left_out)


def run_up(session: Session, flags: UpFlags, attach: AttachFlags, *, is_detached: bool) -> int:
    """`up` as its flags say. Raises InputError when they exclude each other."""
    with_orphans(session, flags.options.plan)
    shows = {
        "--attach": attach.attached,
        "--attach-dependencies": attach.with_dependencies,
        "--abort-on-container-exit": attach.aborts_on_exit,
        "--abort-on-container-failure": attach.aborts_on_failure,
        "--exit-code-from": attach.exit_code_from,
        "--watch": attach.watches,
    }
    refuse_detached(shows, detach=is_detached, wait=flags.waits)
    refuse_both({key: shows[key] for key in ("--attach", "--attach-dependencies")})
    aborts = ("--abort-on-container-exit", "--abort-on-container-failure")
    refuse_both({key: shows[key] for key in aborts})
    if is_detached or flags.waits:
        bring_up(session, flags)
        return 0
    if attach.exit_code_from and not attach.aborts_on_failure:
        attach = attach._replace(aborts_on_exit=True)
    return up_in_foreground(session, flags, attach)


def up_in_foreground(session: Session, flags: UpFlags, attach: AttachFlags) -> int:
    """Bring the stack up and stay; returns the exit code. Raises StackctlError."""
    local = LocalStack(session)
    stack = read_for(local, flags)
    shown = attached_services(stack, flags.services, attach)
    _check_exit_code_from(stack, flags, attach.exit_code_from)
    watch = _watch_of(session, local, stack, flags) if attach.watches else None
    following = Following(
        local.engine, stack.name, is_chosen=lambda service, _: service in stack.services
    )
    try:
        following.watch_events()
        try:
            brought = bring_up(session, flags, local=local, stack=stack)
        except KeyboardInterrupt:
            session.terminal.note("Gracefully stopping...")
            _stop(
                local.engine, stack, tuple(stack.services), flags.options.plan.stop_timeout_seconds
            )
            return INTERRUPTED
        timeout = flags.options.plan.stop_timeout_seconds
        foreground = _Foreground(
            session, brought, attach, shown, following, stop_timeout_seconds=timeout
        )
        return foreground.run() if watch is None else foreground.run_with(watch)
    finally:
        following.close()


def _check_exit_code_from(stack: Stack, flags: UpFlags, service: str) -> None:
    """A service that does not run has no exit code, and ours would say that all is well."""
    if not service or not flags.services:
        return
    started = flags.services
    if flags.options.plan.with_dependencies:
        started = with_dependencies(stack.document, started)
    if service not in started:
        raise InputError(
            f"--exit-code-from {service}: this service is not among those that are started",
            hint=f"name it, too: stackctl up … {service}",
        )


class _Foreground:
    def __init__(
        self,
        session: Session,
        brought: BroughtUp,
        attach: AttachFlags,
        shown: Sequence[str],
        following: Following,
        *,
        stop_timeout_seconds: int | None,
    ) -> None:
        self._session = session
        self._stop_timeout_seconds = stop_timeout_seconds
        self._engine = brought.local.engine
        self._stack = brought.stack
        self._services = tuple(it.key for it in brought.services)
        self._attach = attach
        self._shown = frozenset(shown)
        self._following = following
        self._prefixes = Prefixes(attach.style, stack_name=brought.stack.name)
        self._interrupts = 0
        self._exit_code = 0
        self._is_aborting = False
        self._code_from = attach.exit_code_from
        self._service_of: dict[str, str] = {}
        self._watch: Watch | None = None
        self._running_before = _left_alone(brought)

    def run(self) -> int:
        containers = still_running(self._engine, self._stack.name, self._services)
        attached = [it for it in containers if it.service in self._shown]
        for container in attached:
            self._prefixes.add(container.name)
        names = ", ".join(self._prefixes.short(it.name) for it in attached)
        self._session.terminal.note(f"Attaching to {names}")
        # Those that have just started are followed since their start, because an event says so.
        running = [it for it in containers if it.id in self._running_before]
        self._following.follow(running, LogRange(tail="0"))
        # Also those that have ended: their first lines are older than the note of their start.
        everything = list_containers(self._engine, self._stack.name)
        self._service_of = {it.name: it.service for it in everything if not it.is_one_off}
        with _handling(self._interrupt):
            self._follow(containers)
        return INTERRUPTED if self._interrupts else self._exit_code

    def run_with(self, watch: Watch) -> int:
        """As `run`, reacting to files; it goes on when all have ended, as the next change may mend
        what ended them."""
        self._watch = watch
        self._in_background(watch.run)
        return self.run()

    def _follow(self, containers: Sequence[Container]) -> None:
        if not containers and self._watch is None:
            self._following.close()
        for happening in self._following.happenings():
            if isinstance(happening, LogLine):
                if self._is_shown(happening.container):
                    line = self._prefixes.line(happening.container, happening.text, at=happening.at)
                    self._session.terminal.write(line)
                    self._session.terminal.flush()
            elif isinstance(happening, ContainerEnded):
                self._ended(happening)
            else:
                self._service_of[happening.container] = happening.service

    def _is_shown(self, container: str) -> bool:
        return self._service_of.get(container, "") in self._shown

    def _ended(self, ended: ContainerEnded) -> None:
        self._service_of.setdefault(ended.container, ended.service)
        if ended.service in self._shown:
            self._session.terminal.note(ended_text(ended, self._prefixes))
        if not ended.restarts and not self._is_replaced(ended):
            self._judge(ended)
        if self._watch is None or self._interrupts or self._is_aborting:
            self._close_if_over()

    def _close_if_over(self) -> None:
        if not still_running(self._engine, self._stack.name, self._services):
            self._following.close()

    def _is_replaced(self, ended: ContainerEnded) -> bool:
        """Whether the watch has ended a container, to replace or restart it."""
        if self._watch is None:
            return False
        return ended.service in self._watch.changing or not any(
            it.name == ended.container and not it.is_alive
            for it in list_containers(self._engine, self._stack.name)
        )

    def _judge(self, ended: ContainerEnded) -> None:
        """What an end means for the others, and for our exit code."""
        fails = self._attach.aborts_on_failure and ended.exit_code != 0
        if not self._attach.aborts_on_exit and not fails and not self._code_from:
            return
        self._code_from = self._code_from or ended.service
        if ended.service == self._code_from and not (self._is_aborting and self._exit_code):
            self._exit_code = ended.exit_code
        if not self._is_aborting and (self._attach.aborts_on_exit or fails):
            self._is_aborting = True
            self._session.terminal.note("Aborting on container exit...")
            self._in_background(self._stop_all)

    def _interrupt(self) -> None:
        # A signal may come in the middle of a write: nothing is written here.
        self._interrupts += 1
        if self._interrupts == 1:
            self._in_background(self._stop_gracefully)
        elif self._interrupts == 2:
            self._in_background(self._kill_all)

    def _stop_gracefully(self) -> None:
        self._session.terminal.note("Gracefully stopping... press Ctrl+C again to force")
        self._stop_all()

    def _stop_all(self) -> None:
        if self._watch is not None:
            self._watch.end()
        _stop(self._engine, self._stack, self._services, self._stop_timeout_seconds)
        if self._watch is not None:
            self._close_if_over()  # all may have ended before

    def _kill_all(self) -> None:
        for container in still_running(self._engine, self._stack.name, self._services):
            try:
                self._engine.post(f"/containers/{container.id}/kill")
            except EngineRefusal as refusal:
                if not refusal.is_conflict and not refusal.is_not_found:
                    raise

    def _in_background(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except StackctlError as error:
                self._session.terminal.note(f"stackctl: {error.message}")
                self._following.close()

        threading.Thread(target=guarded, daemon=True).start()


def _watch_of(session: Session, local: LocalStack, stack: Stack, flags: UpFlags) -> Watch:
    """What is watched: looked at before anything starts, so that no change is lost."""
    is_quiet = flags.progress is ProgressMode.QUIET
    # Lines that are redrawn do not go with those of containers.
    progress = ProgressMode.PLAIN
    chosen = flags.services
    return Watch(session, local, stack, services=chosen, is_quiet=is_quiet, progress=progress)


def _left_alone(brought: BroughtUp) -> frozenset[str]:
    """The ids of containers that ran before and were not touched."""
    if brought.done is None:
        return frozenset()
    started = {step.key for step in brought.done.plan.steps}
    return frozenset(
        it.id
        for it in brought.done.observed.containers
        if it.is_alive and f"start {it.name}" not in started
    )


def _stop(
    engine: Engine, stack: Stack, services: Sequence[str], timeout_seconds: int | None
) -> None:
    hooks = {it.key: it.pre_stop for it in stack.document.services}
    found = still_running(engine, stack.name, services)
    execute(plan_stop(found, timeout_seconds=timeout_seconds, hooks=hooks), Actions(engine), silent)


@contextmanager
def _handling(interrupt: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM call `interrupt` instead of ending the program."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread set handlers
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, previous in zip(numbers, before, strict=True):
            signal.signal(number, previous)
