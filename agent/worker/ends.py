"""How containers came to their end: by themselves, or stopped by their engine or by a person.

An engine that is shut down (an upgrade, a reboot) sends each container its stop signal and then
SIGKILL; so does `docker stop`, and the two cannot be told apart. Engines say every signal that goes
through them (`kill`) before the end that it brings about (`die`). A stop is therefore any signal
that may end a process, followed by an end within the container's grace period. None is:

    SIGKILL out of the blue     `docker kill`, which people use to see what a crash does
    a signal of quiet nature    people have logs or settings opened anew by them; some images stop
                                by one of them, though, and then it is a stop
    what we told ourselves      a task is told of changed contents by any signal it names
    memory limits, crashes      the kernel's signals do not go through the engine

What ended while nobody listened was probably stopped when its exit code says so. SIGKILL's says it
only of an engine that went away meanwhile; while the agent was away, people may have sent it.
"""

from collections.abc import Iterable
from enum import Enum

from msgspec.structs import replace

from agent.core.observed import Container
from agent.core.task_machine import DEFAULT_STOP_SIGNAL
from agent.drivers.engine import ContainerEvent
from agent.drivers.engine_values import signal_number

SIGKILL = 9
QUIET_SIGNALS = (1, 10, 12, 18, 19, 28)  # HUP, USR1, USR2, CONT, STOP, WINCH
SIGNAL_CODE = 128  # added to a signal's number it makes the exit code of what the signal ended
LATE_SECONDS = 15.0  # so much after its grace period may an end be heard of; machines can be busy
TOLD_SECONDS = 60.0  # within these the event of a signal of ours is heard, or never


class _Cause(Enum):
    ITSELF = "itself"
    STOPPED = "stopped"
    ENGINE_AWAY = "engine away"  # it ended while the engine was not to be heard
    AGENT_AWAY = "agent away"  # it ended before this agent began to listen


class Ends:
    """What was heard of the containers' signals and ends. Not safe to share between threads."""

    def __init__(self) -> None:
        self._told: dict[str, list[tuple[int, float]]] = {}  # signals of ours, not heard yet
        self._stopping: dict[str, float] = {}  # when the last signal of a stop was heard
        self._causes: dict[str, _Cause] = {}

    def tell(self, container_id: str, signals: Iterable[str], *, now: float) -> None:
        """These signals are about to be sent by us, and are to end nothing."""
        told = self._told.setdefault(container_id, [])
        told.extend((signal_number(name), now) for name in signals)

    def hear(self, event: ContainerEvent, container: Container | None, *, now: float) -> None:
        """An event of the engine; `container` is as last seen, if ever. `now` is of any clock that
        never goes back.
        """
        match event.kind:
            case "kill":
                if not self._was_told(event, now) and self._may_stop(event, container):
                    self._stopping[event.container_id] = now
            case "die":
                is_stop = self._is_stopping(event.container_id, container, now)
                self._causes[event.container_id] = _Cause.STOPPED if is_stop else _Cause.ITSELF
            case "start" | "destroy":
                self.forget(event.container_id)

    def miss(self, container_ids: Iterable[str], *, is_first_look: bool) -> None:
        """These were found ended after a time in which nobody listened: before the agent's first
        look, or because the engine broke off.
        """
        cause = _Cause.AGENT_AWAY if is_first_look else _Cause.ENGINE_AWAY
        for container_id in container_ids:
            self._causes.setdefault(container_id, cause)

    def forget(self, container_id: str) -> None:
        """It is gone, or runs anew."""
        for known in (self._told, self._stopping, self._causes):
            known.pop(container_id, None)

    def explain(self, container: Container, *, now: float) -> Container:
        """The container, and whether it was stopped elsewhere if it has ended."""
        return (
            replace(container, stopped_elsewhere=True)
            if self._is_stop(container, now)
            else container
        )

    def _is_stop(self, container: Container, now: float) -> bool:
        if not container.has_ended:
            return False
        code = container.exit_code
        is_as_stopped = code in (0, SIGNAL_CODE + _stop_signal(container))
        match self._causes.get(container.id):
            case None:  # seen before it was heard
                return self._is_stopping(container.id, container, now)
            case _Cause.AGENT_AWAY:
                return is_as_stopped
            case _Cause.ENGINE_AWAY:
                return is_as_stopped or code == SIGNAL_CODE + SIGKILL
            case cause:
                return cause is _Cause.STOPPED

    def _is_stopping(self, container_id: str, container: Container | None, now: float) -> bool:
        if container_id not in self._stopping:
            return False
        grace = container.stop_grace_seconds if container is not None else 0.0
        return now - self._stopping[container_id] <= grace + LATE_SECONDS

    def _was_told(self, event: ContainerEvent, now: float) -> bool:
        told = self._told.get(event.container_id, [])
        told[:] = [item for item in told if now - item[1] <= TOLD_SECONDS]
        found = next((item for item in told if item[0] == event.signal), None)
        if found is None:
            return False
        told.remove(found)
        return True

    def _may_stop(self, event: ContainerEvent, container: Container | None) -> bool:
        if event.signal == _stop_signal(container):
            return True
        if event.signal == SIGKILL:
            return event.container_id in self._stopping
        return event.signal not in QUIET_SIGNALS


def _stop_signal(container: Container | None) -> int:
    name = container.stop_signal if container is not None else ""
    return signal_number(name or DEFAULT_STOP_SIGNAL)
