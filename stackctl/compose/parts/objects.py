"""The top-level sections beside services: networks, volumes, configs, secrets, models.

`name` is always the full name under which engine and cluster know the object; `external` says that
somebody else made it, and then nothing but the name is known. Readers never know the target, so
everything that Compose can say stands here, also what a cluster refuses.
"""

from collections.abc import Mapping

import msgspec

from stackctl.compose.problems import Place


class IpamPool(msgspec.Struct, frozen=True):
    """One range of addresses of a network; all but `subnet` may be left to the engine."""

    subnet: str = ""  # CIDR
    ip_range: str = ""  # CIDR within the subnet, from which addresses are chosen
    gateway: str = ""
    aux_addresses: Mapping[str, str] = {}  # addresses never given out, by a name of their user
    place: Place | None = None


class Ipam(msgspec.Struct, frozen=True):
    """How a network's addresses are managed."""

    driver: str = ""
    options: Mapping[str, str] = {}
    pools: tuple[IpamPool, ...] = ()


class Network(msgspec.Struct, frozen=True):
    """A network; the driver "" is the target's usual one. None means: as the engine does."""

    key: str
    place: Place
    name: str
    external: bool = False
    labels: Mapping[str, str] = {}
    driver: str = ""
    driver_options: Mapping[str, str] = {}
    ipam: Ipam | None = None
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    extensions: Mapping[str, object] = {}  # x-NAME, as plain values


class Volume(msgspec.Struct, frozen=True):
    """A named volume; each node makes its own from this when a task first needs it."""

    key: str
    place: Place
    name: str
    external: bool = False
    labels: Mapping[str, str] = {}
    driver: str = ""
    driver_options: Mapping[str, str] = {}
    extensions: Mapping[str, object] = {}


class FileObject(msgspec.Struct, frozen=True):
    """A config or a secret: one of file, environment, content (config only), driver or external.

    `data` is what the source gave when the file was read; None where there is nothing to read.
    """

    key: str
    place: Place
    name: str
    external: bool = False
    labels: Mapping[str, str] = {}
    file: str = ""  # absolute path
    environment: str = ""  # the name of a variable
    content: str | None = None
    data: bytes | None = None
    driver: str = ""
    driver_options: Mapping[str, str] = {}
    template_driver: str = ""
    extensions: Mapping[str, object] = {}


class Config(FileObject, frozen=True):
    """A file that all may read."""


class Secret(FileObject, frozen=True):
    """A file that only its services may read."""


class Model(msgspec.Struct, frozen=True):
    """A language model that services use; `context_size` 0 is the runner's own."""

    key: str
    place: Place
    model: str
    name: str = ""
    context_size: int = 0
    runtime_flags: tuple[str, ...] = ()
    extensions: Mapping[str, object] = {}
