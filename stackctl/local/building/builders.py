"""Which builder makes an image: the engine's BuildKit, or its classic builder.

BuildKit is taken where the engine has it, `DOCKER_BUILDKIT` decides otherwise. Each of the two
lacks something: a build that needs what only the classic one has gets that one. What neither can
do is refused by key, with the reason: nothing of a file is dropped in silence.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Problem
from stackctl.errors import InputError
from stackctl.local.building.build_request import BuildFlags, ImageBuild
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Request

VARIABLE = "DOCKER_BUILDKIT"

API_BUILDKIT = (1, 39)
# Before, the engine's BuildKit takes limits and the size of /dev/shm, and drops them in silence.
API_BUILDKIT_LIMITS = (1, 42)

_BUILDX = "build it with docker buildx build, and name the image under image:"
_NEEDS_BUILDKIT = f"unset {VARIABLE} where it is 0, or use an engine that has BuildKit"
_OFF = ("", "false")
_INLINE_CACHE = "type=inline"
_BUILDKIT_NETWORKS = ("", "default", "none", "host")


class Builder(StrEnum):
    """One of the engine's two."""

    BUILDKIT = "BuildKit"
    CLASSIC = "classic builder"


class Offer(NamedTuple):
    """What an engine has, and what the caller insists on."""

    has_buildkit: bool
    api_version: tuple[int, int]
    insisted: Builder | None = None


class Choice(NamedTuple):
    """The builder, why it is not the usual one, and what even it cannot do."""

    builder: Builder
    reason: str = ""
    refusals: tuple[Problem, ...] = ()


class _Lack(NamedTuple):
    """A key that a builder cannot honour."""

    key: str
    is_used: object
    reason: str
    hint: str | None = None


def ask_for_builders(engine: Engine, environment: Mapping[str, str]) -> Offer:
    """What the engine has. Raises EngineUnavailable, and as `read_offer` does."""
    with engine.open(Request("GET", "/_ping")) as answer:
        return read_offer(answer.headers, engine.api_version, environment)


def read_offer(
    headers: Mapping[str, str], api_version: tuple[int, int], environment: Mapping[str, str]
) -> Offer:
    """The offer in an engine's greeting. Raises InputError for a variable that asks for another.

    Engines from 23 on name their builder. Those of Docker before had BuildKit without saying so;
    other programs that speak Docker's API need not have it.
    """
    named = headers.get("builder-version", "")
    is_known_to_have = (
        headers.get("server", "").startswith("Docker/")
        and headers.get("ostype", "linux") == "linux"
        and api_version >= API_BUILDKIT
    )
    has_buildkit = named == "2" or (not named and is_known_to_have)
    return Offer(has_buildkit, api_version, _insisted(environment, has_buildkit=has_buildkit))


def _insisted(environment: Mapping[str, str], *, has_buildkit: bool) -> Builder | None:
    word = environment.get(VARIABLE, "").lower()
    if not word:
        return None
    if word in ("0", "f", "false"):
        return Builder.CLASSIC
    if word not in ("1", "t", "true"):
        raise InputError(f"{VARIABLE} is {word!r}", hint="0 is the classic builder, 1 BuildKit")
    if not has_buildkit:
        raise InputError(
            f"{VARIABLE} is {word}, and this engine has no BuildKit", hint=f"unset {VARIABLE}"
        )
    return Builder.BUILDKIT


def choose_builder(wanted: ImageBuild, flags: BuildFlags, offer: Offer) -> Choice:
    """The builder that honours all that is wanted; the usual one is BuildKit."""
    of_classic = _problems(wanted.build, _lacks_of_classic(wanted.build))
    if not offer.has_buildkit or offer.insisted is Builder.CLASSIC:
        return Choice(Builder.CLASSIC, refusals=of_classic)
    lacks = _lacks_of_buildkit(wanted.build, flags, offer.api_version)
    of_buildkit = _problems(wanted.build, lacks)
    if of_buildkit and not of_classic and offer.insisted is None:
        keys = ", ".join(lack.key for lack in lacks if lack.is_used)
        reason = f"the classic builder builds: the engine's BuildKit does not know {keys}"
        return Choice(Builder.CLASSIC, reason)
    return Choice(Builder.BUILDKIT, refusals=of_buildkit)


def _lacks_of_classic(build: Build) -> tuple[_Lack, ...]:
    rights = "the engine's classic builder gives a build no further rights"
    return (
        _Lack("secrets", build.secrets, "the classic builder has no secrets", _NEEDS_BUILDKIT),
        _Lack("ssh", build.ssh, "the classic builder reaches no keys", _NEEDS_BUILDKIT),
        _Lack(
            "cache_to",
            build.cache_to,
            "the engine's classic builder keeps its cache to itself",
            "push the image, and name it under cache_from",
        ),
        _Lack("privileged", build.privileged, rights),
        _Lack("entitlements", build.entitlements, rights),
        *_lacks_of_both(build),
    )


def _lacks_of_buildkit(
    build: Build, flags: BuildFlags, api_version: tuple[int, int]
) -> tuple[_Lack, ...]:
    is_old = api_version < API_BUILDKIT_LIMITS
    older = f"only the classic builder ({VARIABLE}=0) and engines from 23 on know it"
    rights = "the engine's build call grants a build no further rights"
    return (
        _Lack("shm_size", is_old and build.shm_size_bytes, older),
        _Lack("ulimits", is_old and build.ulimits, older),
        _Lack(
            "network",
            build.network not in _BUILDKIT_NETWORKS,
            "the engine's BuildKit knows no networks but none and host",
            f"{VARIABLE}=0 takes the classic builder",
        ),
        _Lack("--memory", flags.memory_bytes, "only the classic builder limits the memory"),
        _Lack(
            "cache_to",
            any(it != _INLINE_CACHE for it in build.cache_to),
            "the engine's build call keeps its cache, or puts it in the image",
            f"write {_INLINE_CACHE}, push the image, and name it under cache_from",
        ),
        _Lack("privileged", build.privileged, rights, _BUILDX),
        _Lack(
            "entitlements",
            build.entitlements,
            rights,
            "network: host is one for the whole build; for others: " + _BUILDX,
        ),
        *_lacks_of_both(build),
    )


def _lacks_of_both(build: Build) -> tuple[_Lack, ...]:
    no_attestations = "the engine's image store holds no attestations"
    return (
        _Lack(
            "additional_contexts",
            build.additional_contexts,
            "the engine's build call takes one context",
            "copy what is needed into the context, write an image's name after FROM or in "
            "COPY --from=, or " + _BUILDX,
        ),
        _Lack(
            "cache_from",
            any(_is_no_image(it) for it in build.cache_from),
            "the engine's build call takes what was built before from images",
            "name an image, or type=registry,ref=IMAGE",
        ),
        _Lack(
            "platforms",
            build.platforms[1:],
            "the engine's image store holds an image for one platform",
            "name one",
        ),
        _Lack(
            "no_cache_filter",
            build.no_cache_filter,
            "the engine's build call uses the cache for all stages or none",
            "no_cache: true",
        ),
        _Lack("provenance", build.provenance not in _OFF, no_attestations),
        _Lack("sbom", build.sbom not in _OFF, no_attestations),
        _Lack(
            "isolation",
            build.isolation not in ("", "default"),
            "only Windows isolates builds in other ways",
        ),
    )


def _is_no_image(cache: str) -> bool:
    return "type=" in cache and "type=registry" not in cache.split(",")


def _problems(build: Build, lacks: tuple[_Lack, ...]) -> tuple[Problem, ...]:
    return tuple(
        Problem(Place(build.place.position, (*build.place.path, lack.key)), lack.reason, lack.hint)
        for lack in lacks
        if lack.is_used
    )
