"""The steps that make a stack's networks and volumes, and see whether they are what they were."""

from collections.abc import Iterable
from typing import NamedTuple

from stackctl.compose.document import Document, Service
from stackctl.errors import InputError
from stackctl.local.observed import Container, Observed
from stackctl.local.plan import (
    CreateNetwork,
    CreateVolume,
    RemoveContainer,
    RemoveNetwork,
    RemoveVolume,
    Step,
    StopContainer,
)
from stackctl.local.resources import Resource, networks_of, volumes_of

_PREDEFINED = ("bridge", "host", "none")


class ResourceSteps(NamedTuple):
    """The steps, and which of them a container on a network or with a volume waits for."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    replaced_networks: frozenset[str] = frozenset()  # full names
    removed_containers: frozenset[str] = frozenset()  # those of volumes that are made anew
    by_key: tuple[tuple[str, str], ...] = ()  # "network KEY" or "volume KEY" -> key of a step

    def needs(self, service: Service) -> tuple[str, ...]:
        """The steps that come before a container of the service."""
        wanted = {f"network {use.key}" for use in service.networks}
        wanted |= {f"volume {use.volume_key}" for use in service.mounts if use.volume_key}
        return tuple(step for name, step in self.by_key if name in wanted)


def resource_steps(
    document: Document,
    stack_name: str,
    observed: Observed,
    services: Iterable[Service],
    *,
    replaces_volumes: bool = False,
    takes_everything: bool = False,
) -> ResourceSteps:
    """What the chosen services need, or all there is in the file with `takes_everything`.

    `replaces_volumes` gives up the data of volumes that changed.
    Raises InputError for an external object that is missing.
    """
    work = _Work(observed, replaces_volumes=replaces_volumes)
    used = {f"network {use.key}" for service in services for use in service.networks}
    used |= {
        f"volume {use.volume_key}"
        for service in services
        for use in service.mounts
        if use.volume_key
    }
    for network in networks_of(document, stack_name):
        if takes_everything or f"network {network.key}" in used:
            work.network(network, stack_name)
    for volume in volumes_of(document, stack_name):
        if takes_everything or f"volume {volume.key}" in used:
            work.volume(volume, stack_name)
    return ResourceSteps(
        tuple(work.steps),
        tuple(work.warnings),
        frozenset(work.replaced),
        frozenset(work.removed_containers),
        tuple(work.by_key),
    )


class _Work:
    def __init__(self, observed: Observed, *, replaces_volumes: bool) -> None:
        self._observed = observed
        self._replaces_volumes = replaces_volumes
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        self.replaced: set[str] = set()
        self.removed_containers: set[str] = set()
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
        stops = self._stop(users, cause)
        key = f"remove network {wanted.name}"
        action_ = RemoveNetwork(wanted.name, tuple(it.id for it in users))
        resource = f"Network {wanted.name}"
        self.steps.append(
            Step(key, resource, action_, cause, tuple(stops), ("Removing", "Removed"))
        )
        self.replaced.add(wanted.name)
        self._create_network(wanted, cause, (key,))

    def _stop(self, users: Iterable[Container], cause: str) -> list[str]:
        """The keys of the steps that stop them; each container is stopped once."""
        known = {step.key for step in self.steps}
        keys = []
        for container in users:
            if not container.is_alive:
                continue
            key = f"stop {container.name}"
            keys.append(key)
            if key not in known:
                action = StopContainer(container.name)
                resource = f"Container {container.name}"
                self.steps.append(Step(key, resource, action, cause, shows=("Stopping", "Stopped")))
        return keys

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
            self._create_volume(wanted, "is not there yet", ())
        elif found.stack_name != stack_name:
            self.warnings.append(_strange("volume", wanted, found.stack_name))
        elif found.driver != wanted.driver or found.digest not in ("", wanted.digest):
            if self._replaces_volumes:
                self._replace_volume(wanted)
                return
            self.warnings.append(
                f"volume {wanted.name} was made with other settings, and is kept with its data; "
                "stackctl up --yes makes it anew, and its data is lost"
            )

    def _replace_volume(self, wanted: Resource) -> None:
        """Even a stopped container holds its volumes: those that have this one go first."""
        cause = "its settings have changed"
        users = [
            it
            for it in self._observed.containers
            if any(mount.name == wanted.name for mount in it.mounts)
        ]
        stops = self._stop(users, f"volume {wanted.name} is made anew")
        removals = []
        for container in users:
            key = f"remove {container.name}"
            removals.append(key)
            if container.name not in self.removed_containers:
                self.removed_containers.add(container.name)
                action = RemoveContainer(container.name)
                resource, why = f"Container {container.name}", f"it holds volume {wanted.name}"
                shows = ("Removing", "Removed")
                self.steps.append(Step(key, resource, action, why, tuple(stops), shows))
        key, resource = f"remove volume {wanted.name}", f"Volume {wanted.name}"
        removal = RemoveVolume(wanted.name)
        shows = ("Removing", "Removed")
        self.steps.append(Step(key, resource, removal, cause, tuple(removals), shows))
        self._create_volume(wanted, cause, (key,))

    def _create_volume(self, wanted: Resource, cause: str, needs: tuple[str, ...]) -> None:
        key = f"create volume {wanted.name}"
        action = CreateVolume(wanted.body)
        shows = ("Creating", "Created")
        self.steps.append(Step(key, f"Volume {wanted.name}", action, cause, needs, shows))
        self.by_key.append((f"volume {wanted.key}", key))


def _strange(kind: str, wanted: Resource, owner: str) -> str:
    whose = f"belongs to stack {owner}" if owner else "was not made by Compose"
    return f"{kind} {wanted.name} {whose}; if that is meant, say external: true"
