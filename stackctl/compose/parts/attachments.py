"""What a service takes from the top-level sections: networks, configs, secrets, models."""

from collections.abc import Mapping

import msgspec

from stackctl.compose.problems import Place


class NetworkUse(msgspec.Struct, frozen=True):
    """A service's place on a network of the file; "" and 0 leave the choice to the engine."""

    key: str
    place: Place
    aliases: tuple[str, ...] = ()
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    driver_options: Mapping[str, str] = {}
    priority: int = 0  # networks of higher priority are connected first
    gateway_priority: int = 0  # the highest one has the default route
    interface_name: str = ""


class FileUse(msgspec.Struct, frozen=True):
    """A config or secret of the file as a file in the container."""

    key: str
    place: Place
    target: str
    uid: str = "0"
    gid: str = "0"
    mode: int = 0o444
    on_change: str = ""  # signal for a changed content; "" replaces the task


class ConfigUse(FileUse, frozen=True):
    """A config as a file in the container."""


class SecretUse(FileUse, frozen=True):
    """A secret as a file in the container, by default under /run/secrets."""


class ModelUse(msgspec.Struct, frozen=True):
    """A model that the service is told of through two variables; "" is a name made of the key."""

    key: str
    place: Place
    endpoint_variable: str = ""
    model_variable: str = ""


class CredentialSpec(msgspec.Struct, frozen=True):
    """The credentials of a managed service account (Windows); exactly one is set."""

    place: Place
    config: str = ""  # a key of the file's configs
    file: str = ""
    registry: str = ""
