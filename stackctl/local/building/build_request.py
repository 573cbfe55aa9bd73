"""What the builder is asked for one service: the query of the engine's build call.

Pure. Both builders of an engine are asked by the same call and with the same words; what differs
is few keys, and that BuildKit is told of a session in which it may ask for secrets.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stackctl.compose.document import Service
from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.objects import Secret
from stackctl.local.names import image_of

_INLINE_CACHE = "BUILDKIT_INLINE_CACHE"


class BuildFlags(NamedTuple):
    """What the command line adds to the file."""

    arguments: Mapping[str, str | None] = {}
    memory_bytes: int = 0
    no_cache: bool = False
    pull: bool = False
    is_quiet: bool = False


class ImageBuild(NamedTuple):
    """One image to build: of which service, under which names."""

    service_key: str
    build: Build
    image: str
    platform: str = ""  # of the service
    secrets: Mapping[str, Secret] = {}  # those of the file, by key

    @property
    def names(self) -> tuple[str, ...]:
        """The image's own name, then the further tags, each once."""
        return tuple(dict.fromkeys((self.image, *self.build.tags)))


class BuildkitNames(NamedTuple):
    """What a request to BuildKit names beside the build."""

    session_id: str
    build_id: str
    fetches: bool = False  # the context, too


def image_builds(
    stack_name: str, services: Iterable[Service], secrets: Mapping[str, Secret] | None = None
) -> tuple[ImageBuild, ...]:
    """The builds of those services that have one; `secrets` are the document's."""
    return tuple(
        ImageBuild(
            service.key,
            service.build,
            image_of(stack_name, service),
            service.container.platform,
            secrets or {},
        )
        for service in services
        if service.build is not None
    )


def build_query(
    wanted: ImageBuild,
    flags: BuildFlags,
    *,
    dockerfile: str,
    environment: Mapping[str, str],
    buildkit: BuildkitNames | None = None,
) -> list[tuple[str, str]]:
    """The query of `POST /build`; keys may come more than once.

    `dockerfile` is its name in the stream. An argument without a value is taken from `environment`
    and left out where that has none. Without `buildkit` the classic builder is asked.
    """
    build = wanted.build
    arguments = _resolved({**build.arguments, **flags.arguments}, environment)
    if build.cache_to:
        arguments = {_INLINE_CACHE: "1", **arguments}
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
        ("dockerfile", dockerfile),
        *_of_builder(buildkit),
        *((key, _as_text(value)) for key, value in choices if value),
        *(("extrahosts", host) for host in build.extra_hosts),
    ]


def _of_builder(buildkit: BuildkitNames | None) -> tuple[tuple[str, str], ...]:
    if buildkit is None:
        return (("version", "1"), ("rm", "1"), ("forcerm", "1"))
    known = (("version", "2"), ("session", buildkit.session_id), ("buildid", buildkit.build_id))
    return (*known, ("remote", "client-session")) if buildkit.fetches else known


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


def _cache_images(cache_from: Sequence[str]) -> list[str]:
    """Images to take layers from; `type=registry,ref=IMAGE` is the long form of IMAGE."""
    found = []
    for item in cache_from:
        settings = dict(part.partition("=")[::2] for part in item.split(",") if "=" in part)
        found.append(settings.get("ref", item))
    return found
