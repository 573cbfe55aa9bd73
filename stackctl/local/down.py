"""Plans of the commands that end containers: `down`, `stop`, `rm`, …  Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stackctl.compose.document import Document
from stackctl.compose.parts.lifecycle import Hook
from stackctl.local.names import built_image, image_of
from stackctl.local.observed import Container, ObservedNetwork, ObservedVolume
from stackctl.local.order import in_stop_order
from stackctl.local.plan import (
    Plan,
    RemoveContainer,
    RemoveImage,
    RemoveNetwork,
    RemoveVolume,
    Step,
    StopContainer,
)

_STOPS = ("Stopping", "Stopped")
_REMOVES = ("Removing", "Removed")


class Remains(NamedTuple):
    """What a stack has on the engine, found by its labels."""

    containers: Sequence[Container]
    networks: Iterable[ObservedNetwork] = ()
    volumes: Iterable[ObservedVolume] = ()
    images: Sequence[str] = ()


def plan_stop(
    containers: Sequence[Container],
    *,
    timeout_seconds: int | None,
    hooks: Mapping[str, Sequence[Hook]] | None = None,
    cause: str = "it was asked for",
) -> Plan:
    """Containers stop, dependents before what they depend on. `hooks` are `pre_stop` by service."""
    steps: list[Step] = []
    before: tuple[str, ...] = ()
    for group in in_stop_order(containers):
        keys = []
        for container in group:
            if not container.is_alive:
                continue
            key = f"stop {container.name}"
            own = tuple((hooks or {}).get(container.service, ()))
            action = StopContainer(container.name, timeout_seconds, own)
            resource = f"Container {container.name}"
            steps.append(Step(key, resource, action, cause, before, _STOPS))
            keys.append(key)
        before = tuple(keys) or before
    return Plan(tuple(steps))


def plan_removal(
    containers: Iterable[Container],
    stops: Plan,
    *,
    volumes: bool = False,
    cause: str = "it was asked for",
) -> Plan:
    """Containers go once they have stopped."""
    known = {step.key for step in stops.steps}
    steps = list(stops.steps)
    for container in containers:
        stop = f"stop {container.name}"
        needs = (stop,) if stop in known else ()
        action = RemoveContainer(container.name, volumes=volumes)
        key, resource = f"remove {container.name}", f"Container {container.name}"
        steps.append(Step(key, resource, action, cause, needs, _REMOVES))
    return Plan(tuple(steps))


def plan_down(
    remains: Remains,
    *,
    timeout_seconds: int | None,
    volumes: bool,
    hooks: Mapping[str, Sequence[Hook]] | None = None,
) -> Plan:
    """Everything of a stack goes: containers, networks, and volumes and images when asked for."""
    stops = plan_stop(remains.containers, timeout_seconds=timeout_seconds, hooks=hooks)
    plan = plan_removal(remains.containers, stops, volumes=volumes)
    gone = tuple(f"remove {container.name}" for container in remains.containers)
    cause = "it was asked for"
    steps = list(plan.steps)
    for network in remains.networks:
        key, resource = f"remove network {network.name}", f"Network {network.name}"
        # By id: another stack's network may have the same name.
        steps.append(Step(key, resource, RemoveNetwork(network.id), cause, gone, _REMOVES))
    for volume in remains.volumes if volumes else ():
        key, resource = f"remove volume {volume.name}", f"Volume {volume.name}"
        steps.append(Step(key, resource, RemoveVolume(volume.name), cause, gone, _REMOVES))
    for image in remains.images:
        key, resource = f"remove image {image}", f"Image {image}"
        steps.append(Step(key, resource, RemoveImage(image), cause, gone, _REMOVES))
    return Plan(tuple(steps))


def images_to_remove(
    which: str, stack_name: str, containers: Iterable[Container], document: Document | None
) -> tuple[str, ...]:
    """The images of `--rmi`: `local` are those that were built here under a made-up name."""
    services = document.services if document else ()
    names: dict[str, None] = {}
    for service in services:
        image = image_of(stack_name, service)
        if which == "all" or not service.container.image:
            names.setdefault(image)
    for container in containers:
        is_built = container.image in {
            built_image(stack_name, container.service, separator) for separator in "-_"
        }
        if which == "all" or is_built:
            names.setdefault(container.image)
    return tuple(names)
