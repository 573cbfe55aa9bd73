"""One action carried out: the only place that catches what drivers raise.

It decides nothing: an action says what to do, the outcome says how it went, and beside it goes what
the engine showed afterwards (`Seen`), because what an action meant is read from the engine and not
assumed.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from agent.core import container_config, observed
from agent.core.actions import (
    Action,
    ConnectNetwork,
    CreateContainer,
    Done,
    ImageAbsent,
    Outcome,
    ProbeAnswer,
    ProbeHealth,
    PullImage,
    Refused,
    RemoveContainer,
    SignalContainer,
    StartContainer,
    TellContents,
    Unavailable,
)
from agent.core.observed import Container, ContainerState
from agent.core.task_machine import KILL_SIGNAL
from agent.drivers.engine import Engine, ImageMissing
from agent.drivers.task_files import TaskFiles
from stackctl.errors import DriverFailure, PermanentFailure, TemporaryFailure
from stackctl.model import ids
from stackctl.model.assignment import AssignmentSet, TaskAssignment
from stackctl.model.structs import Model

_log = logging.getLogger(__name__)


class NodeIdentity(Model, frozen=True, kw_only=True):
    """Which node of which cluster this is."""

    cluster_id: str
    node_id: str


class DnsChoice(Protocol):
    """Who says which DNS servers a container asks."""

    def dns_servers(self, task_networks: Iterable[str]) -> tuple[str, ...]:
        """Addresses for a container on these networks (ids)."""


class Seen(Model, frozen=True, kw_only=True):
    """What the engine showed of a task's container after an action; None: it has none."""

    container: Container | None


class Execution:
    """Carries out actions of one node."""

    def __init__(
        self,
        *,
        engine: Engine,
        identity: NodeIdentity,
        dns: DnsChoice,
        files: TaskFiles,
        before_stop: Callable[[int], object] = lambda _pid: None,
    ) -> None:
        """`before_stop` is called with the process of a container that is about to be asked to
        stop, and may take a while.
        """
        self._engine = engine
        self._identity = identity
        self._dns = dns
        self._files = files
        self._before_stop = before_stop
        self._api_version: tuple[int, int] | None = None

    def perform(
        self, action: Action, assignment: AssignmentSet, engine_networks: Mapping[str, str]
    ) -> tuple[Outcome, Seen | None]:
        """Do it. The second value is None when the engine could not be asked afterwards."""
        sentence = _sentence(action, assignment)
        _log.info("%s", sentence)
        try:
            if isinstance(action, CreateContainer):
                return self._create(action, assignment, engine_networks)
            outcome = self._do(action, assignment, engine_networks)
        except ImageMissing as failure:
            outcome = ImageAbsent(reason=failure.reason)
        except TemporaryFailure as failure:
            outcome = Unavailable(
                reason=failure.reason, retry_after_seconds=failure.retry_after_seconds
            )
        except DriverFailure as failure:
            outcome = Refused(reason=failure.reason)
        if not isinstance(outcome, Done | ProbeAnswer):
            _log.warning("%s: %s", sentence, outcome.reason)
        return outcome, self._look_after(action, outcome)

    def look(self, container_id: str) -> Seen | None:
        """What the engine shows of one container; None when it cannot be asked."""
        try:
            return Seen(container=self._engine.inspect(container_id))
        except DriverFailure as failure:
            _log.warning("cannot look at container %s: %s", container_id[:12], failure.reason)
            return None

    def _do(
        self, action: Action, assignment: AssignmentSet, engine_networks: Mapping[str, str]
    ) -> Outcome:
        match action:
            case ConnectNetwork():
                self._connect(action, assignment, engine_networks)
            case StartContainer():
                task = _task_of(action, assignment)
                if task is not None:  # its node may have lost power since it was created
                    self._files.write(task, assignment)
                self._engine.start(action.container_id)
            case SignalContainer():
                self._signal(action)
            case TellContents():
                return self._tell(action, assignment)
            case RemoveContainer():
                self._engine.remove(action.container_id)
            case PullImage():
                self._engine.pull(
                    action.image, platform=action.platform, refresh_seconds=action.refresh_seconds
                )
            case ProbeHealth():
                healthy = self._engine.probe(
                    action.container_id, action.command, action.timeout_seconds
                )
                return ProbeAnswer(healthy=healthy)
        return Done()

    def _signal(self, action: SignalContainer) -> None:
        if action.signal != KILL_SIGNAL:
            container = self._engine.inspect(action.container_id)
            if container is not None and container.pid:
                self._before_stop(container.pid)
        self._engine.kill(action.container_id, action.signal)

    def _tell(self, action: TellContents, assignment: AssignmentSet) -> Outcome:
        task = _task_of(action, assignment)
        if task is None:
            return Done()
        self._files.rewrite(task, assignment)
        for signal in action.signals:
            self._engine.kill(action.container_id, signal)
        return Done(contents=container_config.told_contents(task))

    def _create(
        self,
        action: CreateContainer,
        assignment: AssignmentSet,
        engine_networks: Mapping[str, str],
    ) -> tuple[Outcome, Seen | None]:
        task = _task_of(action, assignment)
        if task is None:
            return Refused(reason="the task is no longer assigned to this node"), None
        self._check_volumes(task)
        networks = _networks_of(task, assignment, engine_networks)
        place = container_config.ContainerPlace(
            cluster_id=self._identity.cluster_id,
            node_id=self._identity.node_id,
            api_version=self._version(),
            networks=networks,
            # The node's own servers answer the cluster's names and know which servers the service
            # wants for foreign ones; without a network there are only those.
            dns_servers=self._dns.dns_servers([network.network_id for network in networks])
            or task.spec.container.dns,
            config_sources=self._files.write(task, assignment),
        )
        name = observed.container_name(task.name, task.id)
        body = container_config.container_body(task, place)
        platform = task.spec.container.platform
        container_id = self._engine.create(name, body, platform=platform)
        # What it is like is known without asking, as far as it matters before its start.
        created = Container(
            id=container_id,
            name=name,
            task_id=task.id,
            state=ContainerState.CREATED,
            networks=tuple(sorted(body["NetworkingConfig"]["EndpointsConfig"])),
        )
        contents = container_config.told_contents(task)
        return Done(container_id=container_id, contents=contents), Seen(container=created)

    def _check_volumes(self, task: TaskAssignment) -> None:
        """Raises PermanentFailure for an external volume that this node does not have: the engine
        would make an empty one.
        """
        for mount in task.spec.container.mounts:
            if mount.external and not self._engine.has_volume(mount.source):
                raise PermanentFailure(
                    f"volume {mount.source} is external to the stack, and this node does not have"
                    " it"
                )

    def _connect(
        self,
        action: ConnectNetwork,
        assignment: AssignmentSet,
        engine_networks: Mapping[str, str],
    ) -> None:
        task = _task_of(action, assignment)
        if task is None:
            return
        for network in _networks_of(task, assignment, engine_networks):
            if network.network_id == action.network_id:
                endpoint = container_config.endpoint_body(network, self._version())
                self._engine.connect(action.container_id, network.engine_name, endpoint)

    def _version(self) -> tuple[int, int]:
        if self._api_version is None:
            self._api_version = self._engine.facts().api_version
        return self._api_version

    def _look_after(self, action: Action, outcome: Outcome) -> Seen | None:
        match action:
            case PullImage() | ProbeHealth() | CreateContainer():
                return None
            case SignalContainer() if isinstance(outcome, Done):
                # Its end comes as an event; at this moment it would mostly still be up.
                return None
            case RemoveContainer() if isinstance(outcome, Done):
                return Seen(container=None)
        return self.look(action.container_id)


def _task_of(action: Action, assignment: AssignmentSet) -> TaskAssignment | None:
    return next((task for task in assignment.tasks if task.id == action.task_id), None)


def _networks_of(
    task: TaskAssignment, assignment: AssignmentSet, engine_networks: Mapping[str, str]
) -> tuple[container_config.TaskNetwork, ...]:
    assigned = {network.name: network for network in assignment.networks}
    return container_config.networks_of(task, assigned, engine_networks)


def title_of(task_id: str, assignment: AssignmentSet) -> str:
    """The task as a log line names it: its name if it is assigned, and the beginning of its id."""
    name = next((task.name for task in assignment.tasks if task.id == task_id), "task")
    return f"{name} ({ids.short_id(task_id)})"


def _sentence(action: Action, assignment: AssignmentSet) -> str:
    verb = {
        CreateContainer: "create the container",
        ConnectNetwork: "connect the container to a network",
        StartContainer: "start the container",
        RemoveContainer: "remove the container",
        TellContents: "write its files anew and tell it",
        ProbeHealth: "test the health",
    }.get(type(action), "")
    if isinstance(action, SignalContainer):
        verb = f"send {action.signal}"
    if isinstance(action, PullImage):
        verb = f"pull {action.image}"
    return f"{title_of(action.task_id, assignment)}: {verb} ({action.cause})"
