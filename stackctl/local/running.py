"""Containers that are there already: started, restarted, signalled, paused.

`start` and `restart` are plans, because the order of services matters; signals go to all at once.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial

from stackctl.compose.parts.relations import Condition
from stackctl.local.down import plan_stop
from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal, StepFailed
from stackctl.local.labels import DEPENDS_ON
from stackctl.local.observed import PAUSED, Container
from stackctl.local.order import in_stop_order
from stackctl.local.plan import Await, Plan, StartContainer, Step
from stackctl.local.progress import Phase, Progress, Report
from stackctl.local.together import all_together


class Signal(StrEnum):
    """What is done to all chosen containers at once."""

    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"


_WORDS = {
    Signal.KILL: ("Killing", "Killed"),
    Signal.PAUSE: ("Pausing", "Paused"),
    Signal.UNPAUSE: ("Unpausing", "Unpaused"),
}


def plan_start(containers: Sequence[Container], *, cause: str = "it was asked for") -> Plan:
    """Stopped containers start, after those they depend on; conditions are waited for."""
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    steps: list[Step] = []
    for group in reversed(in_stop_order(containers)):
        for container in group:
            if container.is_alive:
                continue
            needs: list[str] = []
            for service, condition in dependencies_in_labels(container):
                others = by_service.get(service, [])
                needs += [f"start {it.name}" for it in others if not it.is_alive]
                if others and condition is not Condition.STARTED:
                    needs.append(_await(steps, service, others, condition))
            action = StartContainer(container.name, container.service)
            key, resource = f"start {container.name}", f"Container {container.name}"
            shows = ("Starting", "Started")
            steps.append(Step(key, resource, action, cause, tuple(needs), shows))
    return Plan(tuple(steps))


def plan_restart(
    chosen: Sequence[Container],
    dependents: Sequence[Container],
    *,
    timeout_seconds: int | None,
) -> Plan:
    """The containers stop, with those that restart with them, and start in order."""
    everything = [*chosen, *(it for it in dependents if it.is_alive)]
    stops = plan_stop(everything, timeout_seconds=timeout_seconds)
    stopped = [it._replace(state="exited") for it in everything]
    stop_keys = {step.key for step in stops.steps}
    starts = []
    for step in plan_start(stopped).steps:
        own = f"stop {step.key.removeprefix('start ')}"
        needs = (*step.needs, own) if own in stop_keys else step.needs
        starts.append(step._replace(needs=needs))
    return Plan((*stops.steps, *starts))


def restarting_dependents(
    everything: Sequence[Container], services: Sequence[str]
) -> tuple[Container, ...]:
    """Containers whose labels say that they restart when one of the services does."""
    return tuple(
        it
        for it in everything
        if it.service not in services
        and any(
            words[0] in services and words[2:3] == ["true"]
            for words in (word.split(":") for word in it.labels.get(DEPENDS_ON, "").split(","))
        )
    )


def send_signal(
    engine: Engine,
    containers: Sequence[Container],
    signal: Signal,
    report: Report,
    *,
    name: str = "",
) -> None:
    """Kill, pause or unpause containers, all at once. Raises StepFailed.

    `name` is the signal of a kill.
    """
    calls: list[Callable[[], None]] = [
        partial(_send_one, engine, it, signal, report, name)
        for it in containers
        if _fits(it, signal)
    ]
    all_together(calls)


def dependencies_in_labels(container: Container) -> list[tuple[str, Condition]]:
    """What a container's label says it depends on."""
    found = []
    for word in container.labels.get(DEPENDS_ON, "").split(","):
        service, _, rest = word.partition(":")
        condition = rest.partition(":")[0]
        if service:
            known = condition in list(Condition)
            found.append((service, Condition(condition) if known else Condition.STARTED))
    return found


def _await(
    steps: list[Step], service: str, others: Sequence[Container], condition: Condition
) -> str:
    key = f"await {service} {condition.value}"
    if all(step.key != key for step in steps):
        names = tuple(it.name for it in others)
        needs = tuple(f"start {it.name}" for it in others if not it.is_alive)
        action = Await(service, names, condition)
        done = "Healthy" if condition is Condition.HEALTHY else "Exited"
        resource = f"Container {', '.join(names)}"
        cause = f"services depend on {service}"
        steps.append(Step(key, resource, action, cause, needs, ("Waiting", done)))
    return key


def _fits(container: Container, signal: Signal) -> bool:
    if signal is Signal.UNPAUSE:
        return container.state == PAUSED
    return container.is_running and not (signal is Signal.PAUSE and container.state == PAUSED)


def _send_one(
    engine: Engine, container: Container, signal: Signal, report: Report, name: str
) -> None:
    resource = f"Container {container.name}"
    working, done = _WORDS[signal]
    report(Progress(resource, Phase.WORKING, working))
    try:
        query = {"signal": name or None} if signal is Signal.KILL else None
        engine.post(f"/containers/{container.id}/{signal.value}", query=query)
    except EngineRefusal as refusal:
        if not (signal is Signal.KILL and "is not running" in refusal.message):
            report(Progress(resource, Phase.ERROR, "Error", refusal.message))
            raise StepFailed(f"container {container.name}: {refusal.message}") from refusal
    report(Progress(resource, Phase.DONE, done))
