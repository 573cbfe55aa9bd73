"""The steps that make a stack's networks and volumes, and see whether they are what they were."""

from collections.abc import Iterable
from typing import NamedTuple

from stackctl.compose.document import Document, Service
from stackctl.errors import InputError
from stackctl.local.observed import Observed
from stackctl.local.plan import CreateNetwork, CreateVolume, RemoveNetwork, Step, StopContainer
from stackctl.local.resources import Resource, networks_of, volumes_of

_PREDEFINED = ("bridge", "host", "none")


class ResourceSteps(NamedTuple):
    """The steps, and which of them a container on a network or with a volume waits for."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    replaced_networks: frozenset[str] = frozenset()  # full names
    by_key: tuple[tuple[str, str], ...] = ()  # "network KEY" or "volume KEY" -> key of a step

    def needs(self, service: Service) -> tuple[str, ...]:
        """The steps that come before a container of the service."""
        wanted = {f"network {use.key}" for use in service.networks}
        wanted |= {f"volume {use.volume_key}" for use in service.mounts if use.volume_key}
        return tuple(step for name, step in self.by_key if name in wanted)


def resource_steps(
    document: Document, stack_name: str, observed: Observed, services: Iterable[Service]
) -> ResourceSteps:
    """What the chosen services need. Raises InputError for an external object that is missing."""
    work = _Work(observed)
    used = {f"network {use.key}" for service in services for use in service.networks}
    used |= {
        f"volume {use.volume_key}"
        for service in services
        for use in service.mounts
        if use.volume_key
    }
    for network in networks_of(document, stack_name):
        if f"network {network.key}" in used:
            work.network(network, stack_name)
    for volume in volumes_of(document, stack_name):
        if f"volume {volume.key}" in used:
            work.volume(volume, stack_name)
    return ResourceSteps(
        tuple(work.steps), tuple(work.warnings), frozenset(work.replaced), tuple(work.by_key)
    )


class _Work:
    def __init__(self, observed: Observed) -> None:
        self._observed = observed
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        self.replaced: set[str] = set()
        self.by_key: list[tuple[str, str]] = []

    def network(self, wanted: Resource, stack_name: str) -> None:
        found = self._observed.networks.get(wanted.name)
        if wanted.is_external:
            if found is None and wanted.name not in _PREDEFINED:
                raise InputError(
                    f"network {wanted.name} is external, and the engine has none of that name",
                    hint=f"docker network create {wanted.name}",
                )
            return
        if found is None:
            self._create_network(wanted, "is not there yet", ())
        elif found.stack_name != stack_name:
            self.warnings.append(_strange("network", wanted, found.stack_name))
        elif found.driver != wanted.driver or found.digest not in ("", wanted.digest):
            self._replace_network(wanted)

    def _replace_network(self, wanted: Resource) -> None:
        cause = "its settings have changed"
        users = [
            it
            for it in self._observed.containers
            if any(name == wanted.name for name, _ in it.networks)
        ]
        stops = []
        for container in users:
            if container.is_alive:
                key = f"stop {container.name}"
                action = StopContainer(container.name)
                resource = f"Container {container.name}"
                self.steps.append(Step(key, resource, action, cause, shows=("Stopping", "Stopped")))
                stops.append(key)
        key = f"remove network {wanted.name}"
        action_ = RemoveNetwork(wanted.name, tuple(it.id for it in users))
        resource = f"Network {wanted.name}"
        self.steps.append(
            Step(key, resource, action_, cause, tuple(stops), ("Removing", "Removed"))
        )
        self.replaced.add(wanted.name)
        self._create_network(wanted, cause, (key,))

    def _create_network(self, wanted: Resource, cause: str, needs: tuple[str, ...]) -> None:
        key = f"create network {wanted.name}"
        action = CreateNetwork(wanted.body)
        shows = ("Creating", "Created")
        self.steps.append(Step(key, f"Network {wanted.name}", action, cause, needs, shows))
        self.by_key.append((f"network {wanted.key}", key))

    def volume(self, wanted: Resource, stack_name: str) -> None:
        found = self._observed.volumes.get(wanted.name)
        if wanted.is_external:
            if found is None:
                raise InputError(
                    f"volume {wanted.name} is external, and the engine has none of that name",
                    hint=f"docker volume create {wanted.name}",
                )
            return
        if found is None:
            key = f"create volume {wanted.name}"
            resource = f"Volume {wanted.name}"
            action = CreateVolume(wanted.body)
            shows = ("Creating", "Created")
            self.steps.append(Step(key, resource, action, "is not there yet", shows=shows))
            self.by_key.append((f"volume {wanted.key}", key))
        elif found.stack_name != stack_name:
            self.warnings.append(_strange("volume", wanted, found.stack_name))
        elif found.driver != wanted.driver or found.digest not in ("", wanted.digest):
            self.warnings.append(
                f"volume {wanted.name} was made with other settings, and is kept with its data; "
                f"to make it anew: stackctl down, docker volume rm {wanted.name}, stackctl up"
            )


def _strange(kind: str, wanted: Resource, owner: str) -> str:
    whose = f"belongs to stack {owner}" if owner else "was not made by Compose"
    return f"{kind} {wanted.name} {whose}; if that is meant, say external: true"
