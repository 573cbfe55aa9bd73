"""What the builder is asked for one service: the query of the engine's build call.

Pure. The builder is the classic one, which every engine has and which takes its context in the
request; BuildKit reads secrets, keys and further contexts from a session of gRPC that this program
does not offer. What the builder cannot do is refused by key, with the reason: nothing of a file is
dropped in silence.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stackctl.compose.document import Service
from stackctl.compose.grammar.build_contexts import is_remote
from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Problem
from stackctl.local.names import image_of

_BUILDX = "build it with docker buildx build, and name the image under image:"
_NO_RIGHTS = "the engine's classic builder gives a build no further rights"
_NO_ATTESTATIONS = "the engine's image store holds no attestations"
_OFF = ("", "false")


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


def refusals(wanted: ImageBuild) -> tuple[Problem, ...]:
    """The keys of a build that the builder cannot honour, each with its reason."""
    build = wanted.build
    reasons: tuple[tuple[str, object, str, str | None], ...] = (
        ("secrets", build.secrets, "the engine's classic builder has no secrets", _BUILDX),
        ("ssh", build.ssh, "the engine's classic builder reaches no keys", _BUILDX),
        (
            "additional_contexts",
            build.additional_contexts,
            "the engine's classic builder takes one context",
            "copy what is needed into the context",
        ),
        (
            "platforms",
            build.platforms[1:],
            "the engine's classic builder builds for one platform at a time",
            "name one",
        ),
        (
            "cache_to",
            build.cache_to,
            "the engine's classic builder keeps its cache to itself",
            "push the image, and name it under cache_from",
        ),
        (
            "no_cache_filter",
            build.no_cache_filter,
            "the engine's classic builder uses its cache for all stages or none",
            "no_cache: true",
        ),
        ("privileged", build.privileged, _NO_RIGHTS, None),
        ("entitlements", build.entitlements, _NO_RIGHTS, None),
        ("provenance", build.provenance not in _OFF, _NO_ATTESTATIONS, None),
        ("sbom", build.sbom not in _OFF, _NO_ATTESTATIONS, None),
        (
            "isolation",
            build.isolation not in ("", "default"),
            "only Windows isolates builds in other ways",
            None,
        ),
    )
    return tuple(
        Problem(_place_of(build, key), reason, hint) for key, used, reason, hint in reasons if used
    )


def _place_of(build: Build, key: str) -> Place:
    return Place(build.place.position, (*build.place.path, key))


def build_query(
    wanted: ImageBuild,
    flags: BuildFlags,
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
        ("version", "1"),
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


def _cache_images(cache_from: Sequence[str]) -> list[str]:
    """Images to take layers from; `type=registry,ref=IMAGE` is the long form of IMAGE."""
    found = []
    for item in cache_from:
        settings = dict(part.partition("=")[::2] for part in item.split(",") if "=" in part)
        found.append(settings.get("ref", item))
    return found
