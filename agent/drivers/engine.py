"""The engine as the agent uses it: a small synchronous interface, one engine call per method.

`docker_engine.DockerEngine` is the real one; the tests' fake keeps the same contract. Every method
may be called from any thread. Failures are `TemporaryFailure` (the engine could not be reached, or
did not answer in time) and `PermanentFailure` (it said no), with the engine's words as the reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from agent.core.observed import Container, ContainerSummary
from stackctl.errors import PermanentFailure
from stackctl.model.structs import Model


class ImageMissing(PermanentFailure):
    """The engine does not have the image, or the registry does not."""


class NoSuchContainer(PermanentFailure):
    """The container is gone."""


class EngineFacts(Model, frozen=True, kw_only=True):
    """What the engine says of itself and its node."""

    api_version: tuple[int, int]
    version: str
    os: str
    arch: str
    nano_cpus: int
    memory_bytes: int
    labels: Mapping[str, str] = {}
    generic: Mapping[str, int] = {}  # generic resources by number
    generic_named: Mapping[str, tuple[str, ...]] = {}


class ContainerEvent(Model, frozen=True, kw_only=True):
    """Something happened to a container of ours: a reason to look again, nothing more."""

    container_id: str
    task_id: str
    kind: str  # start, kill (any signal that the engine sent), die, destroy, health_status, …
    signal: int = 0  # of a kill, 0 when it is not known


class LogQuery(Model, frozen=True, kw_only=True):
    """Which part of a container's output to read. Times are epoch seconds, 0 is no bound."""

    follow: bool = False
    tail: int | None = None  # last lines; None is all
    since: float = 0
    until: float = 0


class LogEntry(Model, frozen=True, kw_only=True):
    """One line of output, or a piece of a line too long for the engine's log."""

    at: float
    source: str  # stdout | stderr
    text: bytes  # without the line end


class EventStream(Protocol):
    """An open stream of events; ends when the engine or `close` ends it."""

    def __iter__(self) -> Iterator[ContainerEvent]: ...

    def close(self) -> None:
        """End the stream from any thread."""


class LogStream(Protocol):
    """An open stream of log entries; ends when the engine or `close` ends it."""

    def __iter__(self) -> Iterator[LogEntry]: ...

    def close(self) -> None:
        """End the stream from any thread."""


class Engine(Protocol):
    """One container engine."""

    def ping(self) -> None:
        """Return when the engine answers."""

    def facts(self) -> EngineFacts:
        """What the engine is and has."""

    def list_containers(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        """The task containers that carry these labels, running or not."""

    def inspect(self, container_id: str) -> Container | None:
        """One container as it is now; None when it is gone or no task's container."""

    def create(self, name: str, body: Mapping[str, Any], *, platform: str = "") -> str:
        """Create a container; returns its id. The platform "" is the engine's own.

        A container of this name and of the same task, left by a creation whose answer was lost, is
        the one wanted. Raises ImageMissing when the engine lacks the image.
        """

    def has_volume(self, name: str) -> bool:
        """Whether the engine has a volume of this name."""

    def stack_volumes(self) -> tuple[str, ...]:
        """Names of the volumes of the driver `local` that tasks of stacks have made, in order."""

    def connect(self, container_id: str, network_name: str, endpoint: Mapping[str, Any]) -> None:
        """Attach a container to a network; a container that is attached already stays so."""

    def start(self, container_id: str) -> None:
        """Start a container; one that runs already is left alone."""

    def kill(self, container_id: str, signal: str) -> None:
        """Send a signal to the container's first process. Raises when it does not run."""

    def remove(self, container_id: str) -> None:
        """Remove a container that does not run, and its anonymous volumes; gone is fine."""

    def pull(self, image: str, *, platform: str = "", refresh_seconds: float | None = None) -> None:
        """Fetch an image. Raises ImageMissing when the registry answers that it has none.

        With `refresh_seconds`, an image that the engine got less than so long ago stays.
        """

    def probe(self, container_id: str, command: tuple[str, ...], timeout_seconds: float) -> bool:
        """Run a command inside a container; True when it ends with 0 within the time."""

    def events(self, labels: Mapping[str, str]) -> EventStream:
        """Open the stream of events of containers that carry these labels."""

    def logs(self, container_id: str, query: LogQuery) -> LogStream:
        """Open a container's output."""
