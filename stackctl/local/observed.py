"""What a stack has on the engine, as values made from the engine's lists: pure.

One list of containers says everything that commands need, so that `ps` asks the engine once.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stackctl.local import labels

_EXIT_CODE = re.compile(r"\bExited \((-?\d+)\)|\bRestarting \((-?\d+)\)")
_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")

RUNNING, PAUSED, RESTARTING, CREATED = "running", "paused", "restarting", "created"
_ALIVE = frozenset((RUNNING, PAUSED, RESTARTING))


class Publisher(NamedTuple):
    """A port of a container; `published` is 0 where it is only exposed."""

    url: str
    target: int
    published: int
    protocol: str


class MountedVolume(NamedTuple):
    """A volume or folder in a container; `name` is a volume's, `source` a folder's."""

    kind: str
    name: str
    source: str
    target: str


class Container(NamedTuple):
    """A container of the stack. `number` is 0 for a one-off; `health` is "" without a check."""

    id: str
    name: str
    service: str
    number: int
    state: str
    status: str  # in the engine's words: Up 5 minutes (healthy)
    image: str
    image_id: str
    command: str
    created: int  # seconds since the epoch
    is_one_off: bool = False
    health: str = ""
    exit_code: int = 0
    publishers: tuple[Publisher, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()  # name and id of the network
    mounts: tuple[MountedVolume, ...] = ()
    labels: Mapping[str, str] = {}

    @property
    def is_running(self) -> bool:
        """Whether its process runs (it may be paused)."""
        return self.state in (RUNNING, PAUSED)

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or will by itself."""
        return self.state in _ALIVE

    @property
    def config_hash(self) -> str:
        """What its service said when it was made."""
        return self.labels.get(labels.CONFIG_HASH, "")


class ObservedNetwork(NamedTuple):
    """A network of the engine; `key` is "" when no Compose made it, `digest` when not we did."""

    id: str
    name: str
    driver: str
    key: str = ""
    stack_name: str = ""
    digest: str = ""


class ObservedVolume(NamedTuple):
    """A volume of the engine; `key` is "" when no Compose made it, `digest` when not we did."""

    name: str
    driver: str
    key: str = ""
    stack_name: str = ""
    digest: str = ""


class ObservedImage(NamedTuple):
    """An image of the engine; `created` and `tagged` are what the engine says of its times."""

    id: str
    tagged: str = ""
    volumes: tuple[str, ...] = ()


class Observed(NamedTuple):
    """What is there. Networks and volumes by full name, images by the name that was asked for."""

    containers: tuple[Container, ...] = ()
    networks: Mapping[str, ObservedNetwork] = {}
    volumes: Mapping[str, ObservedVolume] = {}
    images: Mapping[str, ObservedImage] = {}

    def of_service(self, key: str) -> tuple[Container, ...]:
        """The containers of a service in the order of their numbers, without one-offs."""
        found = (it for it in self.containers if it.service == key and not it.is_one_off)
        return tuple(sorted(found, key=lambda it: (it.number, it.name)))

    @property
    def services(self) -> frozenset[str]:
        """The services that have containers."""
        return frozenset(it.service for it in self.containers if not it.is_one_off)


def containers_from(answers: Iterable[Mapping[str, Any]]) -> tuple[Container, ...]:
    """The containers in an answer to `GET /containers/json`, by name."""
    return tuple(sorted(map(_container, answers), key=lambda it: (it.name, it.id)))


def networks_from(answers: Iterable[Mapping[str, Any]]) -> dict[str, ObservedNetwork]:
    """The networks in an answer to `GET /networks`, by name."""
    found = {}
    for answer in answers:
        marks = answer.get("Labels") or {}
        found[answer["Name"]] = ObservedNetwork(
            id=answer["Id"],
            name=answer["Name"],
            driver=answer.get("Driver") or "",
            key=marks.get(labels.NETWORK, ""),
            stack_name=marks.get(labels.STACK, ""),
            digest=marks.get(labels.MADE_FROM, ""),
        )
    return found


def volumes_from(answers: Iterable[Mapping[str, Any]]) -> dict[str, ObservedVolume]:
    """The volumes in an answer to `GET /volumes`, by name."""
    found = {}
    for answer in answers:
        marks = answer.get("Labels") or {}
        found[answer["Name"]] = ObservedVolume(
            name=answer["Name"],
            driver=answer.get("Driver") or "",
            key=marks.get(labels.VOLUME, ""),
            stack_name=marks.get(labels.STACK, ""),
            digest=marks.get(labels.MADE_FROM, ""),
        )
    return found


def image_from(answer: Mapping[str, Any]) -> ObservedImage:
    """The image in an answer to `GET /images/NAME/json`."""
    config = answer.get("Config") or {}
    metadata = answer.get("Metadata") or {}
    return ObservedImage(
        id=answer["Id"],
        tagged=metadata.get("LastTagTime") or "",
        volumes=tuple(sorted(config.get("Volumes") or ())),
    )


def _container(answer: Mapping[str, Any]) -> Container:
    marks: Mapping[str, str] = answer.get("Labels") or {}
    status = answer.get("Status") or ""
    number = marks.get(labels.NUMBER, "")
    names = answer.get("Names") or ()
    # A link adds names with a second slash; the container's own has only the first.
    own = next((name for name in names if name.count("/") == 1), "/")
    return Container(
        id=answer["Id"],
        name=own.removeprefix("/"),
        service=marks.get(labels.SERVICE, ""),
        number=int(number) if number.isdigit() else 0,
        state=answer.get("State") or "",
        status=status,
        image=answer.get("Image") or "",
        image_id=answer.get("ImageID") or "",
        command=answer.get("Command") or "",
        created=int(answer.get("Created") or 0),
        is_one_off=marks.get(labels.ONE_OFF, "").lower() == "true",
        health=_first_group(_HEALTH, status),
        exit_code=int(_first_group(_EXIT_CODE, status) or 0),
        publishers=_publishers(answer.get("Ports") or ()),
        networks=_networks(answer.get("NetworkSettings") or {}),
        mounts=tuple(_mount(mount) for mount in answer.get("Mounts") or ()),
        labels=marks,
    )


def _first_group(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next((group for group in found.groups() if group), "") if found else ""


def _publishers(ports: Iterable[Mapping[str, Any]]) -> tuple[Publisher, ...]:
    found = (
        Publisher(
            url=port.get("IP") or "",
            target=int(port.get("PrivatePort") or 0),
            published=int(port.get("PublicPort") or 0),
            protocol=port.get("Type") or "tcp",
        )
        for port in ports
    )
    return tuple(sorted(found, key=lambda it: (it.target, it.protocol, it.published, it.url)))


def _networks(settings: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found: Mapping[str, Any] = settings.get("Networks") or {}
    return tuple(
        sorted((name, (endpoint or {}).get("NetworkID") or "") for name, endpoint in found.items())
    )


def _mount(mount: Mapping[str, Any]) -> MountedVolume:
    return MountedVolume(
        kind=mount.get("Type") or "",
        name=mount.get("Name") or "",
        source=mount.get("Source") or "",
        target=mount.get("Destination") or "",
    )
