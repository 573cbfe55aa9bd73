"""Waiting for containers: that they are healthy, run, or have ended well."""

import threading
import time
from typing import Any

from stackctl.compose.parts.relations import Condition
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal, Interrupted, StepFailed
from stackctl.local.observing import inspect, last_lines
from stackctl.local.plan import Await
from stackctl.local.progress import Phase, Progress, Report

_PERIODS_SECONDS = (0.05, 0.1, 0.2)  # then each half second
_PERIOD_SECONDS = 0.5


def wait_for(engine: Engine, action: Await, interrupted: threading.Event) -> None:
    """Until the condition holds for all containers. Raises StepFailed when it cannot any more, and
    Interrupted.
    """
    for name in action.containers:
        try:
            _until(engine, name, action.condition, interrupted)
        except StepFailed:
            if action.is_required:
                raise


def wait_until_up(
    engine: Engine,
    names: tuple[str, ...],
    *,
    may_end: frozenset[str],
    timeout_seconds: float | None,
    report: Report,
) -> None:
    """Until each container runs, and is healthy where it has a check; those in `may_end` may have
    ended with 0. Raises StepFailed.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    for name in names:
        report(Progress(f"Container {name}", Phase.WORKING, "Waiting"))
    for name in names:
        condition = Condition.COMPLETED if name in may_end else Condition.STARTED
        try:
            _until(
                engine,
                name,
                condition,
                threading.Event(),
                deadline=deadline,
                is_health_wanted=True,
            )
        except StepFailed as failure:
            report(Progress(f"Container {name}", Phase.ERROR, "Error", failure.message))
            raise
        text = "Exited" if condition is Condition.COMPLETED else "Healthy"
        report(Progress(f"Container {name}", Phase.DONE, text))


def _until(
    engine: Engine,
    name: str,
    condition: Condition,
    interrupted: threading.Event,
    *,
    deadline: float | None = None,
    is_health_wanted: bool = False,
) -> None:
    periods = iter(_PERIODS_SECONDS)
    while True:
        state = _state(engine, name)
        complaint = _complaint(state, condition) or _no_check(state, condition)
        if complaint:
            raise StepFailed(
                f"container {name} {complaint}",
                hint=_hint(name, complaint),
                details=last_lines(engine, name) or _last_check(state),
            )
        if _is_met(state, condition, is_health_wanted=is_health_wanted):
            return
        if deadline is not None and time.monotonic() > deadline:
            raise StepFailed(
                f"container {name} is {_words(state)} when the time to wait is over",
                details=last_lines(engine, name),
            )
        if interrupted.wait(next(periods, _PERIOD_SECONDS)):
            raise Interrupted


def _hint(name: str, complaint: str) -> str | None:
    if "unhealthy" in complaint:
        return f"stackctl logs shows more; docker inspect {name} shows its health checks"
    if "exit code" in complaint:
        return "stackctl logs shows all that it wrote; stackctl up goes on once that is mended"
    return None


def _state(engine: Engine, name: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = inspect(engine, name)["State"]
    except EngineRefusal as refusal:
        if refusal.is_not_found:
            raise StepFailed(f"container {name} was removed while it was waited for") from refusal
        raise
    return state


def _complaint(state: dict[str, Any], condition: Condition) -> str:
    """Why the condition will not be met any more, "" while it may."""
    if state.get("Status") == "paused":
        return "is paused; stackctl unpause lets it go on"
    ended = state.get("Status") in ("exited", "dead")
    code = int(state.get("ExitCode") or 0)
    if condition is Condition.COMPLETED:
        return f"ended with exit code {code}" if ended and code else ""
    if ended:
        return f"has ended with exit code {code}"
    if (state.get("Health") or {}).get("Status") == "unhealthy":
        return "is unhealthy"
    return ""


def _no_check(state: dict[str, Any], condition: Condition) -> str:
    if condition is Condition.HEALTHY and not state.get("Health"):
        return "has no health check, and will never be healthy"
    return ""


def _is_met(state: dict[str, Any], condition: Condition, *, is_health_wanted: bool) -> bool:
    status = state.get("Status")
    health = (state.get("Health") or {}).get("Status", "none")
    if condition is Condition.COMPLETED:
        return status == "exited"
    if condition is Condition.HEALTHY or is_health_wanted:
        return status == "running" and health in ("healthy", "none", "")
    return status == "running"


def _words(state: dict[str, Any]) -> str:
    health = (state.get("Health") or {}).get("Status", "")
    return f"{state.get('Status')} ({health})" if health else str(state.get("Status"))


def _last_check(state: dict[str, Any]) -> str:
    checks = (state.get("Health") or {}).get("Log") or []
    return str(checks[-1].get("Output", "")) if checks else ""
