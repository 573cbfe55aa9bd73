"""What the builder is asked for one service: the query of the engine's build call.

Pure. There are two builders in an engine. The classic one is in every engine and takes its context
in the request; BuildKit is in engines since 18.09 and additionally reads secrets and keys from a
session. What neither can be asked over this interface is refused by key, with the reason: nothing
of a file is dropped in silence.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.document import Service
from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Problem
from stackctl.local.names import image_of


class Builder(StrEnum):
    """The builders of an engine, as its API numbers them."""

    CLASSIC = "1"
    BUILDKIT = "2"


class BuildFlags(NamedTuple):
    """What the command line adds to the file."""

    arguments: Mapping[str, str | None] = {}
    memory_bytes: int = 0
    no_cache: bool = False
    pull: bool = False
    is_quiet: bool = False
    ssh: Mapping[str, str] = {}


class ImageBuild(NamedTuple):
    """One image to build: of which service, under which names."""

    service_key: str
    build: Build
    image: str
    platform: str = ""  # of the service

    @property
    def names(self) -> tuple[str, ...]:
        """The image's own name, then the further tags, each once."""
        return tuple(dict.fromkeys((self.image, *self.build.tags)))


def image_builds(stack_name: str, services: Iterable[Service]) -> tuple[ImageBuild, ...]:
    """The builds of those services that have one."""
    return tuple(
        ImageBuild(
            service.key, service.build, image_of(stack_name, service), service.container.platform
        )
        for service in services
        if service.build is not None
    )


def refusals(wanted: ImageBuild, builder: Builder) -> tuple[Problem, ...]:
    """The keys of a build that the builder cannot honour, each with its reason."""
    build = wanted.build
    found: list[Problem] = []

    def refuse(key: str, reason: str, hint: str | None = None) -> None:
        place = Place(build.place.position, (*build.place.path, key))
        found.append(Problem(place, reason, hint))

    if builder is Builder.CLASSIC:
        only = "the classic builder has no {}; the engine's BuildKit has"
        hint = "DOCKER_BUILDKIT=1 selects BuildKit"
        if build.secrets:
            refuse("secrets", only.format("secrets"), hint)
        if build.ssh:
            refuse("ssh", only.format("access to keys"), hint)
    if build.additional_contexts:
        refuse(
            "additional_contexts",
            "an engine's builder takes one context",
            "copy what is needed into the context, or build with docker buildx",
        )
    if len(build.platforms) > 1:
        refuse("platforms", "an engine builds for one platform at a time", "name one")
    exported = tuple(item for item in build.cache_to if not _is_inline(item))
    if exported or (build.cache_to and builder is Builder.CLASSIC):
        refuse(
            "cache_to",
            "the engine's builder keeps its cache to itself",
            "BuildKit can put it into the image: type=inline",
        )
    if build.isolation not in ("", "default"):
        refuse("isolation", "only Windows isolates builds in other ways")
    if build.no_cache_filter:
        refuse("no_cache_filter", "the engine's builder uses its cache for all stages or none")
    if build.privileged or build.entitlements:
        refuse(
            "privileged" if build.privileged else "entitlements",
            "the engine's builder gives a build no further rights",
        )
    for key, value in (("provenance", build.provenance), ("sbom", build.sbom)):
        if value not in ("", "false"):
            refuse(key, "the engine's image store holds no attestations")
    return tuple(found)


def build_query(
    wanted: ImageBuild,
    flags: BuildFlags,
    builder: Builder,
    *,
    dockerfile: str,
    environment: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The query of `POST /build`; keys may come more than once.

    `dockerfile` is its name in the stream. An argument without a value is taken from `environment`
    and left out where that has none.
    """
    build = wanted.build
    arguments = _resolved({**build.arguments, **flags.arguments}, environment)
    if any(_is_inline(item) for item in build.cache_to):
        arguments["BUILDKIT_INLINE_CACHE"] = "1"
    limits = [
        {"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in build.ulimits
    ]
    choices: tuple[tuple[str, object], ...] = (
        ("remote", build.context if is_remote(build.context) else ""),
        ("buildargs", arguments),
        ("labels", dict(build.labels)),
        ("cachefrom", _cache_images(build.cache_from)),
        ("target", build.target),
        ("networkmode", build.network),
        ("shmsize", build.shm_size_bytes),
        ("nocache", build.no_cache or flags.no_cache),
        ("pull", build.pull or flags.pull),
        ("memory", flags.memory_bytes),
        ("platform", build.platforms[0] if build.platforms else wanted.platform),
        ("ulimits", limits),
    )
    return [
        *(("t", name) for name in wanted.names),
        ("version", builder.value),
        ("dockerfile", dockerfile),
        ("rm", "1"),
        ("forcerm", "1"),
        *((key, _as_text(value)) for key, value in choices if value),
        *(("extrahosts", host) for host in build.extra_hosts),
    ]


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _resolved(
    arguments: Mapping[str, str | None], environment: Mapping[str, str]
) -> dict[str, str]:
    found = {
        name: environment.get(name, None) if value is None else value
        for name, value in arguments.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _is_inline(cache: str) -> bool:
    return cache == "inline" or "type=inline" in cache.split(",")


def _cache_images(cache_from: Sequence[str]) -> list[str]:
    """Images to take layers from; `type=registry,ref=IMAGE` is the long form of IMAGE."""
    found = []
    for item in cache_from:
        settings = dict(part.partition("=")[::2] for part in item.split(",") if "=" in part)
        found.append(settings.get("ref", item))
    return found
