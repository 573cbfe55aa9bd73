"""Which of an engine's builders makes an image, and what is refused."""

import pytest

from stackctl.compose.parts.attachments import SecretUse
from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Position
from stackctl.errors import InputError
from stackctl.local.building.build_request import BuildFlags, ImageBuild
from stackctl.local.building.builders import (
    Builder,
    Choice,
    Offer,
    choose_builder,
    read_offer,
)
from stackctl.model.specs import Ulimit

PLACE = Place(Position("compose.yaml", 3, 5), ("services", "web", "build"))
SECRETS = (SecretUse("s", PLACE, "/run/secrets/s"),)
ULIMITS = (Ulimit(name="nofile", soft=1, hard=2),)

OLD = Offer(has_buildkit=True, api_version=(1, 41))
NEW = Offer(has_buildkit=True, api_version=(1, 42))
NONE = Offer(has_buildkit=False, api_version=(1, 41))
CLASSIC = OLD._replace(insisted=Builder.CLASSIC)
BUILDKIT = OLD._replace(insisted=Builder.BUILDKIT)


NO_FLAGS = BuildFlags()


def choice(build: Build, offer: Offer, flags: BuildFlags = NO_FLAGS) -> Choice:
    return choose_builder(ImageBuild("web", build, "shop-web"), flags, offer)


def refused(build: Build, offer: Offer, flags: BuildFlags = NO_FLAGS) -> list[str]:
    found = choice(build, offer, flags).refusals
    return sorted(str(problem.place.path[-1]) for problem in found)


@pytest.mark.parametrize(
    ("headers", "api_version", "has_buildkit"),
    [
        ({"builder-version": "2", "server": "Docker/25.0.3 (linux)"}, (1, 44), True),
        ({"builder-version": "1", "server": "Docker/20.10.24 (linux)"}, (1, 41), False),
        ({"server": "Docker/20.10.24+dfsg1 (linux)", "ostype": "linux"}, (1, 41), True),
        ({"server": "Docker/18.06.1-ce (linux)"}, (1, 38), False),
        ({"server": "Docker/20.10.24 (windows)", "ostype": "windows"}, (1, 41), False),
        ({"server": "Libpod/4.3.1 (linux)", "builder-version": ""}, (1, 41), False),
        ({}, (1, 41), False),
    ],
)
def test_what_an_engine_has_stands_in_its_greeting(
    headers: dict[str, str], api_version: tuple[int, int], has_buildkit: bool
) -> None:
    assert read_offer(headers, api_version, {}) == Offer(has_buildkit, api_version)


@pytest.mark.parametrize(
    ("word", "insisted"),
    [("", None), ("0", Builder.CLASSIC), ("False", Builder.CLASSIC), ("1", Builder.BUILDKIT)],
)
def test_a_variable_chooses_the_builder(word: str, insisted: Builder | None) -> None:
    offer = read_offer({"builder-version": "2"}, (1, 44), {"DOCKER_BUILDKIT": word})
    assert offer.insisted is insisted


def test_a_variable_asks_for_nothing_that_is_not_there() -> None:
    with pytest.raises(InputError, match="this engine has no BuildKit"):
        read_offer({}, (1, 41), {"DOCKER_BUILDKIT": "1"})
    with pytest.raises(InputError, match="DOCKER_BUILDKIT is 'perhaps'"):
        read_offer({}, (1, 41), {"DOCKER_BUILDKIT": "perhaps"})


def test_buildkit_is_taken_where_it_is_unless_the_caller_says_otherwise() -> None:
    build = Build(PLACE, "/app")
    assert choice(build, OLD) == Choice(Builder.BUILDKIT)
    assert choice(build, NONE) == Choice(Builder.CLASSIC)
    assert choice(build, CLASSIC) == Choice(Builder.CLASSIC)


@pytest.mark.parametrize(
    ("build", "flags", "key"),
    [
        (Build(PLACE, "/app", shm_size_bytes=64), NO_FLAGS, "shm_size"),
        (Build(PLACE, "/app", ulimits=ULIMITS), NO_FLAGS, "ulimits"),
        (Build(PLACE, "/app", network="other"), NO_FLAGS, "network"),
        (Build(PLACE, "/app"), BuildFlags(memory_bytes=64), "--memory"),
    ],
)
def test_what_only_the_classic_builder_does_is_done_by_it_and_said(
    build: Build, flags: BuildFlags, key: str
) -> None:
    found = choice(build, OLD, flags)
    assert (found.builder, found.refusals) == (Builder.CLASSIC, ())
    assert found.reason.endswith(f"does not know {key}")
    assert refused(build, BUILDKIT, flags) == [key]


def test_newer_engines_do_the_limits_with_buildkit() -> None:
    build = Build(PLACE, "/app", shm_size_bytes=64, ulimits=ULIMITS, network="host")
    assert choice(build, NEW) == Choice(Builder.BUILDKIT)


def test_needs_of_both_sorts_at_once_are_refused() -> None:
    build = Build(PLACE, "/app", shm_size_bytes=64, secrets=SECRETS)
    assert choice(build, OLD).builder is Builder.BUILDKIT
    assert refused(build, OLD) == ["shm_size"]


def test_what_the_classic_builder_lacks_is_refused_at_its_key() -> None:
    build = Build(PLACE, "/app", secrets=SECRETS, ssh={"default": ""}, cache_to=("type=inline",))
    assert refused(build, NONE) == refused(build, CLASSIC) == ["cache_to", "secrets", "ssh"]
    assert choice(build, OLD) == Choice(Builder.BUILDKIT)


def test_what_no_builder_of_an_engine_does_is_refused_at_its_key() -> None:
    build = Build(
        PLACE,
        "/app",
        additional_contexts={"other": "/other"},
        cache_from=("old", "type=registry,ref=old", "type=local,src=x"),
        cache_to=("type=local,dest=x",),
        no_cache_filter=("base",),
        platforms=("linux/amd64", "linux/arm64"),
        privileged=True,
        provenance="mode=max",
        sbom="true",
        entitlements=("network.host",),
        isolation="hyperv",
    )
    everything = [
        "additional_contexts",
        "cache_from",
        "cache_to",
        "entitlements",
        "isolation",
        "no_cache_filter",
        "platforms",
        "privileged",
        "provenance",
        "sbom",
    ]
    assert refused(build, NONE) == refused(build, OLD) == everything
    images = ("old", "type=registry,ref=old")
    fine = Build(PLACE, "/app", provenance="false", isolation="default", cache_from=images)
    assert refused(fine, OLD) == refused(fine, NONE) == []
