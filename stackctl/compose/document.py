"""The typed document: what one Compose file says, after shapes are checked, before names resolve.

What needs no name of another object is already in the words of the model (`specs`); what refers to
a network, volume or config of the file keeps the key and the place, for the checks across
sections.
"""

from collections.abc import Mapping

import msgspec

from stackctl.compose.problems import Place
from stackctl.model import specs


class PortUse(msgspec.Struct, frozen=True):
    """A published port, and where it is written."""

    spec: specs.PortSpec
    place: Place


class NetworkUse(msgspec.Struct, frozen=True):
    """A service's place on a network of the file."""

    key: str
    place: Place
    aliases: tuple[str, ...] = ()


class MountUse(msgspec.Struct, frozen=True):
    """A mount; of a named volume, `volume_key` is set and the mount's source is still empty."""

    mount: specs.Mount
    place: Place
    volume_key: str | None = None


class ConfigUse(msgspec.Struct, frozen=True):
    """A config of the file as a file in the container."""

    key: str
    place: Place
    target: str
    uid: str = "0"
    gid: str = "0"
    mode: int = 0o444


class Deploy(msgspec.Struct, frozen=True):
    """The `deploy` section."""

    mode: specs.Mode = specs.Mode.REPLICATED
    replicas: int = 1
    labels: Mapping[str, str] = {}
    endpoint_mode: specs.EndpointMode = specs.EndpointMode.VIP
    placement: specs.Placement = specs.Placement()
    limits: specs.Resources = specs.Resources()
    reservations: specs.Resources = specs.Resources()
    restart: specs.RestartPolicy | None = None
    update: specs.UpdatePolicy = specs.UpdatePolicy()
    rollback: specs.UpdatePolicy = specs.UpdatePolicy()


class Service(msgspec.Struct, frozen=True):
    """A service; the container has everything but mounts and configs."""

    key: str
    place: Place
    container: specs.ContainerSpec
    deploy: Deploy
    restart: specs.RestartPolicy
    ports: tuple[PortUse, ...] = ()
    networks: tuple[NetworkUse, ...] = ()
    mounts: tuple[MountUse, ...] = ()
    configs: tuple[ConfigUse, ...] = ()


class Network(msgspec.Struct, frozen=True):
    """A network; `spec.name` is its full name."""

    key: str
    place: Place
    spec: specs.NetworkSpec


class Volume(msgspec.Struct, frozen=True):
    """A named volume; each node makes its own from this when a task first needs it."""

    key: str
    place: Place
    name: str
    labels: Mapping[str, str]
    driver: str = ""
    driver_options: Mapping[str, str] = {}


class Config(msgspec.Struct, frozen=True):
    """A config; `spec.name` is its full name."""

    key: str
    place: Place
    spec: specs.ConfigSpec


class Document(msgspec.Struct, frozen=True):
    """A whole file."""

    services: tuple[Service, ...] = ()
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    configs: Mapping[str, Config] = {}
