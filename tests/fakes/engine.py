"""A container engine in memory: the contract of `agent.drivers.engine.Engine`, without processes.

Time is the caller's: `clock` says what time it is, and a program that ends after a while does so
when `advance` (or any call) finds that its time has come. Nothing here waits, except a reader of
events or logs in a thread. What commands do is said in `tests.fakes.programs`.

Faults for tests: `unreachable`, `refusals`, `end` (a container), `set_health`, `probe_answers`.
"""

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.core import observed
from agent.core.observed import Container, ContainerState, ContainerSummary, Health
from agent.drivers import engine_values
from agent.drivers.engine import (
    ContainerEvent,
    EngineFacts,
    ImageMissing,
    LogEntry,
    LogQuery,
    NoSuchContainer,
)
from agent.drivers.engine_values import signal_number
from stackctl.errors import PermanentFailure, TemporaryFailure
from stackctl.model import specs
from tests.fakes.container import FakeContainer
from tests.fakes.programs import program_of

# Every program of the fake goes on after these.
TELLING_SIGNALS = ("SIGHUP", "SIGUSR1", "SIGRTMIN+1")
SIGKILL_CODE = 137
NANO = 1_000_000_000


class FakeEvents:
    """An open stream of events: iterate in a thread, or take what is there with `pending`."""

    def __init__(self, engine: "FakeEngine", labels: Mapping[str, str]) -> None:
        self._engine = engine
        self._labels = labels
        self._queue: queue.SimpleQueue[ContainerEvent | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[ContainerEvent]:
        while (event := self._queue.get()) is not None:
            yield event

    def pending(self) -> list[ContainerEvent]:
        """Everything that has arrived, without waiting."""
        events = []
        while not self._queue.empty():
            event = self._queue.get()
            if event is not None:
                events.append(event)
        return events

    def offer(self, container: FakeContainer, kind: str, signal: int) -> None:
        labels = container.body.get("Labels") or {}
        if all(labels.get(name) == value for name, value in self._labels.items()):
            task_id = labels.get(observed.LABEL_TASK_ID, "")
            self._queue.put(
                ContainerEvent(container_id=container.id, task_id=task_id, kind=kind, signal=signal)
            )

    def close(self) -> None:
        self._engine.streams.discard(self)
        self._queue.put(None)


class FakeLogs:
    """A container's output; with `follow` it goes on until the container ends."""

    def __init__(self, engine: "FakeEngine", container: FakeContainer, query: LogQuery) -> None:
        self._engine = engine
        self._container = container
        self._query = query
        self._closed = False

    def __iter__(self) -> Iterator[LogEntry]:
        for position in itertools.count(self._first()):
            entry = self._entry(position)
            if entry is None:
                return
            late = self._query.until and entry.at > self._query.until
            if entry.at >= self._query.since and not late:
                yield entry

    def close(self) -> None:
        with self._engine.changed:
            self._closed = True
            self._engine.changed.notify_all()

    def _first(self) -> int:
        if self._query.tail is None:
            return 0
        return max(0, len(self._container.log) - self._query.tail)

    def _entry(self, position: int) -> LogEntry | None:
        container = self._container
        with self._engine.changed:
            while position >= len(container.log):
                waiting = container.state is ContainerState.CREATED or container.pid
                if not self._query.follow or self._closed or not waiting:
                    return None
                self._engine.changed.wait(0.05)
            return container.log[position]


class FakeEngine:
    """One engine in memory."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        images: tuple[str, ...] = ("stackctl/busybox:test",),
        registry: tuple[str, ...] = (),
        api_version: tuple[int, int] = (1, 41),
    ) -> None:
        self.clock = clock
        self.api_version = api_version
        self.images = set(images)
        self.platforms: dict[str, str] = {}  # by container name, as asked for
        self.registry = set(registry)
        self.containers: dict[str, FakeContainer] = {}
        self.volumes: set[str] = set()
        self.stacks_volumes: set[str] = set()
        self.networks: set[str] = {"none", "bridge", "host"}
        self.streams: set[FakeEvents] = set()
        self.calls: list[str] = []  # "create NAME", "start NAME", …, in order
        self.unreachable = False
        self.refusals: dict[str, str] = {}  # call -> the engine's words
        self.probe_answers: dict[str, bool] = {}  # container name -> what its health test says
        self.changed = threading.Condition(threading.RLock())
        self._numbers = itertools.count(1)

    # -- the contract ------------------------------------------------------------------------

    def ping(self) -> None:
        self._enter("ping")

    def facts(self) -> EngineFacts:
        self._enter("facts")
        return EngineFacts(
            api_version=self.api_version,
            version="fake",
            os="linux",
            arch="x86_64",
            nano_cpus=2 * NANO,
            memory_bytes=4 << 30,
        )

    def list_containers(self, labels: Mapping[str, str]) -> tuple[ContainerSummary, ...]:
        with self.changed:
            self._enter("list")
            return tuple(
                ContainerSummary(
                    id=seen.id, task_id=seen.task_id, state=seen.state, health=seen.health
                )
                for container in self.containers.values()
                if _has_labels(container, labels) and (seen := self._view(container)) is not None
            )

    def inspect(self, container_id: str) -> Container | None:
        with self.changed:
            self._enter("inspect")
            container = self._lookup(container_id)
            return None if container is None else self._view(container)

    def create(self, name: str, body: Mapping[str, Any], *, platform: str = "") -> str:
        with self.changed:
            self._enter("create", name)
            self.platforms[name] = platform
            if body["Image"] not in self.images:
                raise ImageMissing(f"No such image: {body['Image']}")
            existing = self._lookup(name)
            if existing is not None:
                if not _has_labels(existing, _task_label(body)):
                    raise PermanentFailure(f"the container name {name} is in use")
                return existing.id
            for mount in body["HostConfig"].get("Mounts", ()):
                if str(mount.get("Source", "")).startswith("/absent"):
                    raise PermanentFailure(
                        'invalid mount config for type "bind": bind source path does not exist: '
                        f"{mount['Source']}"
                    )
                if mount["Type"] == "volume" and mount.get("Source"):
                    self.volumes.add(mount["Source"])
                    if specs.NAMESPACE_LABEL in mount.get("VolumeOptions", {}).get("Labels", {}):
                        self.stacks_volumes.add(mount["Source"])
            container = FakeContainer(
                id=f"{next(self._numbers):064x}",
                name=name,
                body=dict(body),
                program=program_of([*(body.get("Entrypoint") or ()), *(body.get("Cmd") or ())]),
                networks=dict(body.get("NetworkingConfig", {}).get("EndpointsConfig", {})),
            )
            self.containers[container.id] = container
            return container.id

    def has_volume(self, name: str) -> bool:
        with self.changed:
            self._enter("has_volume", name)
            return name in self.volumes

    def stack_volumes(self) -> tuple[str, ...]:
        self._enter("stack_volumes")
        return tuple(sorted(self.stacks_volumes))

    def connect(self, container_id: str, network_name: str, endpoint: Mapping[str, Any]) -> None:
        with self.changed:
            container = self._present(container_id)
            self._enter("connect", container.name)
            if network_name not in self.networks:
                raise PermanentFailure(f"network {network_name} not found")
            container.networks[network_name] = dict(endpoint)

    def start(self, container_id: str) -> None:
        with self.changed:
            container = self._present(container_id)
            self._enter("start", container.name)
            if container.pid:
                return
            self._check_start(container)
            container.state = ContainerState.RUNNING
            container.pid = 1000 + int(container.id, 16)
            container.started_at = self.clock()
            container.exit_code = 0
            if self._health_command(container):
                container.health = Health.STARTING
            container.log.extend(
                LogEntry(at=self.clock(), source=source, text=text)
                for source, text in container.program.lines
            )
            self._emit(container, "start")
            self._settle()

    def kill(self, container_id: str, signal: str) -> None:
        with self.changed:
            container = self._present(container_id)
            self._enter("kill", container.name, signal)
            if not container.pid:
                raise PermanentFailure(f"Container {container.id} is not running")
            self._emit(container, "kill", signal=signal_number(signal))
            if signal == "SIGKILL":
                self._end(container, SIGKILL_CODE)
            elif signal in TELLING_SIGNALS:
                container.told.append(signal)
            elif container.program.exit_code_on_term is not None:
                self._end(container, container.program.exit_code_on_term)

    def remove(self, container_id: str) -> None:
        with self.changed:
            self._enter("remove", container_id)
            container = self._lookup(container_id)
            if container is None:
                return
            if container.pid:
                raise PermanentFailure(f"You cannot remove a running container {container.id}")
            del self.containers[container.id]
            self._emit(container, "destroy")

    def pull(self, image: str, *, platform: str = "", refresh_seconds: float | None = None) -> None:
        del platform
        with self.changed:
            self._enter("pull", image)
            if refresh_seconds and image in self.images:
                return  # all its images are from just now
            if image not in self.registry:
                raise ImageMissing(f"manifest for {image} not found: manifest unknown")
            self.images.add(image)

    def probe(self, container_id: str, command: tuple[str, ...], timeout_seconds: float) -> bool:
        with self.changed:
            container = self._lookup(container_id)
            if container is None or not container.pid:
                return False
            self._enter("probe", container.name)
            if container.name in self.probe_answers:
                return self.probe_answers[container.name]
            program = program_of(command)
            return program.exit_code == 0 and program.runs_seconds <= timeout_seconds

    def events(self, labels: Mapping[str, str]) -> FakeEvents:
        with self.changed:
            self._enter("events")
            stream = FakeEvents(self, labels)
            self.streams.add(stream)
            return stream

    def logs(self, container_id: str, query: LogQuery) -> FakeLogs:
        with self.changed:
            return FakeLogs(self, self._present(container_id), query)

    # -- what tests do to it -----------------------------------------------------------------

    def advance(self) -> None:
        """Let every program whose time has come end."""
        with self.changed:
            self._settle()

    def named(self, name: str) -> FakeContainer:
        """The container of this name; KeyError when there is none."""
        container = self._lookup(name)
        if container is None:
            raise KeyError(name)
        return container

    def end(self, name: str, exit_code: int, *, oom_killed: bool = False) -> None:
        """End a container's process, as if it had done so itself."""
        with self.changed:
            container = self.named(name)
            container.oom_killed = oom_killed
            self._end(container, exit_code)

    def stop_with_engine(self, name: str, exit_code: int = 0) -> None:
        """Stop a container as an engine does that is itself told to end."""
        with self.changed:
            self._emit(self.named(name), "kill", signal=signal_number("SIGTERM"))
            self._end(self.named(name), exit_code)

    def take_away(self, name: str) -> None:
        """Remove a container by force, as a person with a shell does."""
        with self.changed:
            container = self.named(name)
            if container.pid:
                self._end(container, SIGKILL_CODE)
            del self.containers[container.id]
            self._emit(container, "destroy")

    def set_health(self, name: str, health: Health) -> None:
        """The engine's own health verdict."""
        with self.changed:
            container = self.named(name)
            container.health = health
            self._emit(container, "health_status")

    def running(self) -> list[str]:
        """Names of the containers that run, sorted."""
        with self.changed:
            self._settle()
            return sorted(item.name for item in self.containers.values() if item.pid)

    # -- inside ------------------------------------------------------------------------------

    def _enter(self, call: str, *words: str) -> None:
        if self.unreachable:
            raise TemporaryFailure("the engine does not answer: refused", retry_after_seconds=1)
        self._settle()
        if words:
            self.calls.append(" ".join((call, *words)))
        if call in self.refusals:
            raise PermanentFailure(self.refusals[call])

    def _settle(self) -> None:
        now = self.clock()
        for container in self.containers.values():
            if container.pid and now >= container.started_at + container.program.runs_seconds:
                self._end(container, container.program.exit_code)

    def _end(self, container: FakeContainer, exit_code: int) -> None:
        container.state = ContainerState.EXITED
        container.pid = 0
        container.exit_code = exit_code
        self._emit(container, "die")

    def _emit(self, container: FakeContainer, kind: str, *, signal: int = 0) -> None:
        for stream in self.streams:
            stream.offer(container, kind, signal)
        self.changed.notify_all()

    def _check_start(self, container: FakeContainer) -> None:
        for name in container.networks:
            if name not in self.networks:
                raise PermanentFailure(f"network {name} not found")
        words = [*(container.body.get("Entrypoint") or ()), *(container.body.get("Cmd") or ())]
        if words and words[0].startswith("/absent"):
            container.exit_code = 127
            container.error = f'exec: "{words[0]}": stat {words[0]}: no such file or directory'
            raise PermanentFailure(container.error)
        held = {port for other in self.containers.values() if other.pid for port in _ports(other)}
        for port in _ports(container):
            if port in held:
                raise PermanentFailure(f"Bind for 0.0.0.0:{port} failed: port is already allocated")

    def _lookup(self, name_or_id: str) -> FakeContainer | None:
        found = self.containers.get(name_or_id)
        if found is not None:
            return found
        return next((item for item in self.containers.values() if item.name == name_or_id), None)

    def _present(self, container_id: str) -> FakeContainer:
        container = self._lookup(container_id)
        if container is None:
            raise NoSuchContainer(f"No such container: {container_id}")
        return container

    def _health_command(self, container: FakeContainer) -> tuple[str, ...]:
        check = container.body.get("Healthcheck") or {}
        return engine_values.health_command(check.get("Test") or (), engine_values.DEFAULT_SHELL)

    def _view(self, container: FakeContainer) -> Container | None:
        return engine_values.container_from_inspect(
            {
                "Id": container.id,
                "Name": f"/{container.name}",
                "State": {
                    "Status": container.state.value,
                    "Pid": container.pid,
                    "ExitCode": container.exit_code,
                    "OOMKilled": container.oom_killed,
                    "Error": container.error,
                    "Health": {"Status": container.health.value} if container.health else None,
                },
                "Config": container.body,
                "NetworkSettings": {"Networks": container.networks},
            }
        )


def _has_labels(container: FakeContainer, labels: Mapping[str, str]) -> bool:
    own = container.body.get("Labels") or {}
    return all(own.get(name) == value for name, value in labels.items())


def _task_label(body: Mapping[str, Any]) -> Mapping[str, str]:
    return {observed.LABEL_TASK_ID: (body.get("Labels") or {}).get(observed.LABEL_TASK_ID, "")}


def _ports(container: FakeContainer) -> list[str]:
    bindings = container.body["HostConfig"].get("PortBindings") or {}
    return [entry["HostPort"] for entries in bindings.values() for entry in entries]
