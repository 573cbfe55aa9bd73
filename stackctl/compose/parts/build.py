"""`build`: how the image of a service is made."""

from collections.abc import Mapping

import msgspec

from stackctl.compose.parts.attachments import SecretUse
from stackctl.compose.problems import Place
from stackctl.model.specs import Ulimit


class Build(msgspec.Struct, frozen=True):
    """One build; "" and () leave the choice to the builder.

    Local paths are absolute, except `dockerfile`, which starts at the context. An argument with
    None is taken from where the build runs, and left out when it is not set there.
    """

    place: Place
    context: str
    dockerfile: str = ""
    dockerfile_inline: str = ""
    arguments: Mapping[str, str | None] = {}
    additional_contexts: Mapping[str, str] = {}  # name to path, URL or service:NAME
    context_places: Mapping[str, Place] = {}  # of the additional contexts
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    target: str = ""
    network: str = ""
    platforms: tuple[str, ...] = ()
    privileged: bool = False
    provenance: str = ""  # "true", "false" or settings such as mode=max
    sbom: str = ""
    entitlements: tuple[str, ...] = ()
    isolation: str = ""
    secrets: tuple[SecretUse, ...] = ()
    shm_size_bytes: int = 0
    ssh: Mapping[str, str] = {}  # id to socket or key; "" is the agent of the caller
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    extra_hosts: tuple[str, ...] = ()  # "name:address"
    ulimits: tuple[Ulimit, ...] = ()
