"""What `up` and `create` do: read the files, show the plan or carry it out, and wait or attach."""

from typing import NamedTuple

from stackctl.cli.local_stack import LocalStack
from stackctl.cli.render.step_progress import ProgressMode, StepProgress
from stackctl.cli.session import Session
from stackctl.compose.document import Service
from stackctl.errors import InputError
from stackctl.local.engine.client import Engine
from stackctl.local.execute import AT_ONCE_MAX
from stackctl.local.plan import plan_lines
from stackctl.local.progress import Report, silent
from stackctl.local.reconcile import PlanOptions
from stackctl.local.stack_files import Stack
from stackctl.local.up import Foreseen, Up, UpOptions

_WITHOUT_LIMIT = -1  # more at once than AT_ONCE_MAX makes nothing faster


class UpFlags(NamedTuple):
    """The flags of `up` that say what happens around the plan."""

    services: tuple[str, ...] = ()
    options: UpOptions = UpOptions()
    progress: ProgressMode | None = None
    is_dry_run: bool = False
    waits: bool = False
    wait_timeout_seconds: float | None = None


class BroughtUp(NamedTuple):
    """A stack that was brought up, for what comes after."""

    local: LocalStack
    stack: Stack
    services: tuple[Service, ...]
    done: Foreseen | None


def bring_up(
    session: Session,
    flags: UpFlags,
    *,
    title: str = "up",
    local: LocalStack | None = None,
    stack: Stack | None = None,
) -> BroughtUp:
    """Bring a stack to what its files say, or show the plan. Raises StackctlError.

    `local` and `stack` are given by who has read them already.
    """
    plan = with_orphans(session, flags.options.plan)
    local = local or LocalStack(session)
    stack = stack or read_for(local, flags)
    options = flags.options._replace(
        at_once_max=parallel_limit(session, flags.options.at_once_max),
        plan=plan._replace(takes_everything=session.stack_flags.takes_everything),
    )
    up = Up(local.engine, stack, options, session.environment)
    if flags.is_dry_run:
        _show(session, up.foresee())
        return BroughtUp(local, stack, up.services, None)
    with StepProgress(session.terminal, progress_mode(session, flags.progress), title=title) as it:
        done = up.carry_out(it.report)
        for warning in done.plan.warnings:
            it.warn(warning)
        if flags.waits:
            seconds = flags.wait_timeout_seconds
            wait(local.engine, stack, up, timeout_seconds=seconds, report=it.report)
    return BroughtUp(local, stack, up.services, done)


def with_orphans(session: Session, plan: PlanOptions) -> PlanOptions:
    """What variables say of orphans, too. Raises InputError when that contradicts itself."""
    removes = plan.removes_orphans or session.says_yes("COMPOSE_REMOVE_ORPHANS")
    ignores = session.says_yes("COMPOSE_IGNORE_ORPHANS")
    if removes and ignores:
        raise InputError(
            "--remove-orphans and COMPOSE_IGNORE_ORPHANS exclude each other", hint="take one"
        )
    return plan._replace(removes_orphans=removes, ignores_orphans=ignores)


def read_for(local: LocalStack, flags: UpFlags) -> Stack:
    """The files, with what the chosen services need. Raises ComposeProblems."""
    with_dependencies = flags.options.plan.with_dependencies
    return local.read(flags.services, with_dependencies=with_dependencies)


def wait(
    engine: Engine, stack: Stack, up: Up, *, timeout_seconds: float | None, report: Report = silent
) -> None:
    """Until all services run and are healthy; what others wait for to complete may have ended.

    Raises StepFailed.
    """
    from stackctl.compose.one_shots import awaited_services
    from stackctl.local.observing import list_containers
    from stackctl.local.waiting import wait_until_up

    awaited = awaited_services(stack.document)
    chosen = {service.key for service in up.services}
    found = [
        it
        for it in list_containers(engine, stack.name)
        if it.service in chosen and not it.is_one_off
    ]
    wait_until_up(
        engine,
        tuple(it.name for it in found),
        may_end=frozenset(it.name for it in found if it.service in awaited),
        timeout_seconds=timeout_seconds,
        report=report,
    )


def progress_mode(session: Session, given: ProgressMode | None) -> ProgressMode:
    """How steps, and errors, are shown. Raises InputError for a wrong variable."""
    mode = given or _mode_of_environment(session)
    session.tells_in_json = mode is ProgressMode.JSON
    return mode


def _mode_of_environment(session: Session) -> ProgressMode:
    word = session.environment.get("COMPOSE_PROGRESS") or ProgressMode.AUTO.value
    try:
        return ProgressMode(word)
    except ValueError:
        known = ", ".join(ProgressMode)
        raise InputError(f"COMPOSE_PROGRESS is {word!r}, and not one of {known}") from None


def parallel_limit(session: Session, given: int) -> int:
    """How many steps are done at once. Raises InputError for a wrong variable."""
    word = session.environment.get("COMPOSE_PARALLEL_LIMIT", "")
    if given == _WITHOUT_LIMIT:
        return AT_ONCE_MAX
    if given != AT_ONCE_MAX or not word:
        return given
    if word == "-1":
        return AT_ONCE_MAX
    if not word.isdigit() or word == "0":
        raise InputError(f"COMPOSE_PARALLEL_LIMIT is {word!r}, and no number above 0")
    return int(word)


def _show(session: Session, foreseen: Foreseen) -> None:
    lines = [f"Image {pull.image}  Pulled: it is missing, or due" for pull in foreseen.images.pulls]
    lines += [
        f"Image of {service.key}  Built: it is missing, or it was asked for"
        for service in foreseen.images.builds
    ]
    lines += plan_lines(foreseen.plan)
    session.terminal.write("".join(f"{line}\n" for line in lines) or "nothing to do\n")
    for warning in foreseen.plan.warnings:
        session.terminal.note(f"warning: {warning}")
