"""What `start`, `restart`, `kill`, `pause` and `unpause` do to containers that are there."""

from typing import NamedTuple

from stackctl.cli.bringing_up import progress_mode
from stackctl.cli.ending import EndFlags, There, hooks_of, look, run_plan
from stackctl.cli.render.step_progress import StepProgress
from stackctl.cli.session import Session
from stackctl.errors import InputError
from stackctl.local.observed import Container
from stackctl.local.observing import list_containers
from stackctl.local.plan import Plan, StartContainer, Step, StopContainer
from stackctl.local.running import (
    Signal,
    plan_restart,
    plan_start,
    restarting_dependents,
    send_signal,
)
from stackctl.local.waiting import wait_until_up


class StartFlags(NamedTuple):
    """The flags of `start` beside the usual ones."""

    waits: bool = False
    wait_timeout_seconds: float | None = None


def start(session: Session, flags: EndFlags, waiting: StartFlags) -> int:
    """Start stopped containers, in the order of their dependencies."""
    there = _look(session, flags, "start")
    run_plan(session, there, _with_hooks(plan_start(there.containers), there), flags, title="start")
    if waiting.waits and not flags.is_dry_run:
        names = tuple(it.name for it in there.containers)
        mode = progress_mode(session, flags.progress)
        with StepProgress(session.terminal, mode, title="start") as progress:
            wait_until_up(
                there.local.engine,
                names,
                may_end=frozenset(),
                timeout_seconds=waiting.wait_timeout_seconds,
                report=progress.report,
            )
    return 0


def restart(session: Session, flags: EndFlags, *, with_dependents: bool) -> int:
    """Restart containers, and those that say they restart with them."""
    there = _look(session, flags, "restart")
    dependents: tuple[Container, ...] = ()
    if with_dependents and flags.services:
        everything = list_containers(there.local.engine, there.local.name)
        dependents = restarting_dependents(everything, flags.services)
    plan = plan_restart(there.containers, dependents, timeout_seconds=flags.timeout_seconds)
    run_plan(session, there, _with_hooks(plan, there), flags, title="restart")
    return 0


def signal_all(session: Session, flags: EndFlags, signal: Signal, *, name: str = "") -> int:
    """Kill, pause or unpause containers."""
    there = _look(session, flags, signal.value)
    mode = progress_mode(session, flags.progress)
    with StepProgress(session.terminal, mode, title=signal.value) as progress:
        send_signal(there.local.engine, there.containers, signal, progress.report, name=name)
    return 0


def _look(session: Session, flags: EndFlags, verb: str) -> There:
    there = look(session, flags.services, verb=verb)
    found = tuple(it for it in there.containers if not it.is_one_off)
    if not found:
        whose = " ".join(flags.services) or f"stack {there.local.name}"
        raise InputError(f"{whose} has no containers", hint="stackctl up -d makes and starts them")
    return there._replace(containers=found)


def _with_hooks(plan: Plan, there: There) -> Plan:
    """The plan with `post_start` and `pre_stop` of the file."""
    if there.stack is None:
        return plan
    services = there.stack.services
    service_of = {it.name: it.service for it in there.containers}
    before = hooks_of(there.stack)

    def with_hooks(step: Step) -> Step:
        action = step.action
        if isinstance(action, StartContainer) and action.service in services:
            hooks = services[action.service].post_start
            return step._replace(action=action._replace(hooks=hooks))
        if isinstance(action, StopContainer):
            hooks = before.get(service_of.get(action.name, ""), ())
            return step._replace(action=action._replace(hooks=hooks))
        return step

    return plan._replace(steps=tuple(with_hooks(step) for step in plan.steps))
