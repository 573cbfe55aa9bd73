"""The typed document: what one Compose file says, after shapes are checked, before names resolve.

What needs no name of another object is already in the words of the model (`specs`); what refers to
a network, volume or config of the file keeps the key and the place, for the checks across
sections.
"""

from collections.abc import Mapping

import msgspec

from stackctl.compose.parts.attachments import (
    ConfigUse,
    CredentialSpec,
    ModelUse,
    NetworkUse,
    SecretUse,
)
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.lifecycle import Develop, Hook, Provider, StartHook
from stackctl.compose.parts.objects import Config, Model, Network, Secret, Volume
from stackctl.compose.parts.relations import Dependency, ExternalLink, Link, VolumesFrom
from stackctl.compose.problems import Place
from stackctl.model import specs


class PortUse(msgspec.Struct, frozen=True):
    """A published port, and where it is written.

    `one_of` is the range of published ports that it was written as, where that range stood over one
    port of the container.
    """

    spec: specs.PortSpec
    place: Place
    host_ip: str = ""
    name: str = ""
    app_protocol: str = ""
    one_of: tuple[int, int] | None = None


class MountUse(msgspec.Struct, frozen=True):
    """A mount; of a named volume, `volume_key` is set and the mount's source is still empty.

    `create_host_path` is what the file says about a missing folder; None is nothing.
    """

    mount: specs.Mount
    place: Place
    volume_key: str | None = None
    create_host_path: bool | None = None
    consistency: str = ""


class ApartFrom(msgspec.Struct, frozen=True):
    """A service that shares no node with this one; or, if not required, rather not.

    `name` is a key of the file, or the full name of a service of another stack.
    """

    name: str
    place: Place
    required: bool


class Deploy(msgspec.Struct, frozen=True):
    """The `deploy` section, with what the service's own keys say of the same matters.

    `extensions` are the `x-` keys as they stand; those of `placement` are partly ours.
    """

    mode: specs.Mode = specs.Mode.REPLICATED
    replicas: int = 1
    labels: Mapping[str, str] = {}
    endpoint_mode: specs.EndpointMode = specs.EndpointMode.VIP
    placement: specs.Placement = specs.Placement()
    apart: tuple[ApartFrom, ...] = ()
    limits: specs.Resources = specs.Resources()
    reservations: specs.Resources = specs.Resources()
    restart: specs.RestartPolicy | None = None
    update: specs.UpdatePolicy = specs.UpdatePolicy()
    rollback: specs.UpdatePolicy = specs.UpdatePolicy()
    extensions: Mapping[str, object] = {}
    placement_extensions: Mapping[str, object] = {}


class WindowsOptions(msgspec.Struct, frozen=True):
    """What only containers of Windows have."""

    isolation: str = ""
    cpu_count: int = 0
    cpu_percent: float = 0
    credential_spec: CredentialSpec | None = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service; the container has everything but mounts, configs and secrets.

    `restart_word` is what the key `restart` says, for an engine that restarts by itself.
    """

    key: str
    place: Place
    container: specs.ContainerSpec
    deploy: Deploy
    restart: specs.RestartPolicy
    restart_word: str = ""
    ports: tuple[PortUse, ...] = ()
    expose: tuple[str, ...] = ()  # PORT[-PORT]/PROTOCOL
    networks: tuple[NetworkUse, ...] = ()
    mounts: tuple[MountUse, ...] = ()
    configs: tuple[ConfigUse, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    models: tuple[ModelUse, ...] = ()
    container_name: str = ""
    name_separator: str = "-"  # between the parts of names that are made up on one engine
    profiles: tuple[str, ...] = ()
    attach: bool = True
    build: Build | None = None
    pull_builds: bool = False  # pull_policy: build
    develop: Develop | None = None
    provider: Provider | None = None
    depends_on: tuple[Dependency, ...] = ()
    links: tuple[Link, ...] = ()
    external_links: tuple[ExternalLink, ...] = ()
    volumes_from: tuple[VolumesFrom, ...] = ()
    pre_start: tuple[StartHook, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    use_api_socket: bool = False
    windows: WindowsOptions | None = None
    extensions: Mapping[str, object] = {}  # x-NAME, as plain values
    key_places: Mapping[str, Place] = {}  # where each of its keys is written


class Document(msgspec.Struct, frozen=True):
    """A whole file."""

    services: tuple[Service, ...] = ()
    networks: Mapping[str, Network] = {}
    volumes: Mapping[str, Volume] = {}
    configs: Mapping[str, Config] = {}
    secrets: Mapping[str, Secret] = {}
    models: Mapping[str, Model] = {}
    extensions: Mapping[str, object] = {}  # x-NAME, as plain values
