"""The network's part of an agent in memory: remembers what it was told, networks exist at once."""

import threading
from collections.abc import Iterable, Mapping

from agent.drivers.task_rules import ContainerSandbox
from stackctl.errors import PermanentFailure, TemporaryFailure
from stackctl.model.assignment import AssignmentSet, NetworkAssignment


class FakeNetwork:
    """Stands in for `agent.network.NodeNetwork`."""

    def __init__(self, engine_networks: set[str] | None = None) -> None:
        self.engine_networks = set() if engine_networks is None else engine_networks
        self.applied: list[int] = []
        self.attempts = 0
        self.started: dict[str, int] = {}  # task id -> pid
        self.ended: list[str] = []
        self.fails_with = ""
        self.refused_networks: set[str] = set()
        self.may_apply = threading.Event()
        self.may_apply.set()
        self.closed: bool | None = None

    @property
    def rules_index(self) -> int:
        return max(self.applied, default=0)

    def ensure_networks(self, networks: Iterable[NetworkAssignment]) -> Mapping[str, str]:
        networks = tuple(networks)
        for network in networks:
            if network.name in self.refused_networks:
                raise PermanentFailure(f"network {network.name}: its subnet is in use")
        self.engine_networks.update(network.name for network in networks)
        return {network.id: network.name for network in networks}

    def apply(self, assignment: AssignmentSet, containers: Mapping[str, ContainerSandbox]) -> None:
        self.may_apply.wait(10)
        self.attempts += 1
        if self.fails_with:
            raise TemporaryFailure(self.fails_with, retry_after_seconds=1)
        self.applied.append(assignment.index)
        self.started.update({task_id: sandbox.pid for task_id, sandbox in containers.items()})

    def container_started(self, sandbox: ContainerSandbox) -> None:
        self.started[sandbox.task_id] = sandbox.pid

    def container_ended(self, task_id: str) -> None:
        self.started.pop(task_id, None)
        self.ended.append(task_id)

    def dns_servers(self, task_networks: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"10.0.0.{number + 1}" for number, _ in enumerate(task_networks))

    def close(self, *, remove: bool) -> None:
        self.closed = remove
