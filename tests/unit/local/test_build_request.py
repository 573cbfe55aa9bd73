"""What an engine's builders are asked."""

from stackctl.compose.parts.build import Build
from stackctl.compose.problems import Place, Position
from stackctl.local.building.build_request import (
    BuildFlags,
    BuildkitNames,
    ImageBuild,
    build_query,
)
from stackctl.model.specs import Ulimit

PLACE = Place(Position("compose.yaml", 3, 5), ("services", "web", "build"))


NO_FLAGS = BuildFlags()


def query(build: Build, flags: BuildFlags = NO_FLAGS, platform: str = "") -> dict[str, list[str]]:
    wanted = ImageBuild("web", build, "shop-web", platform)
    found: dict[str, list[str]] = {}
    pairs = build_query(wanted, flags, dockerfile="Dockerfile", environment={"HERE": "1"})
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def test_a_plain_build_asks_for_no_more_than_it_says() -> None:
    assert query(Build(PLACE, "/app")) == {
        "t": ["shop-web"],
        "version": ["1"],
        "dockerfile": ["Dockerfile"],
        "rm": ["1"],
        "forcerm": ["1"],
    }


def test_every_key_of_the_classic_builder_reaches_it() -> None:
    build = Build(
        PLACE,
        "https://example.org/app.git#main",
        arguments={"A": "1", "HERE": None, "NOT_HERE": None},
        cache_from=("old", "type=registry,ref=example.org/old"),
        no_cache=True,
        pull=True,
        target="final",
        network="host",
        platforms=("linux/arm64",),
        shm_size_bytes=64,
        tags=("second:1", "shop-web"),
        labels={"a": "b"},
        extra_hosts=("x:192.0.2.1", "y:192.0.2.2"),
        ulimits=(Ulimit(name="nofile", soft=1, hard=2),),
    )
    flags = BuildFlags(arguments={"A": "2"}, memory_bytes=512)
    assert query(build, flags) == {
        "t": ["shop-web", "second:1"],
        "version": ["1"],
        "dockerfile": ["Dockerfile"],
        "rm": ["1"],
        "forcerm": ["1"],
        "remote": ["https://example.org/app.git#main"],
        "buildargs": ['{"A": "2", "HERE": "1"}'],
        "labels": ['{"a": "b"}'],
        "cachefrom": ['["old", "example.org/old"]'],
        "target": ["final"],
        "networkmode": ["host"],
        "shmsize": ["64"],
        "nocache": ["1"],
        "pull": ["1"],
        "memory": ["512"],
        "platform": ["linux/arm64"],
        "ulimits": ['[{"Name": "nofile", "Soft": 1, "Hard": 2}]'],
        "extrahosts": ["x:192.0.2.1", "y:192.0.2.2"],
    }


def test_the_platform_of_the_service_counts_where_the_build_names_none() -> None:
    assert query(Build(PLACE, "/app"), platform="linux/amd64")["platform"] == ["linux/amd64"]


def test_buildkit_is_asked_for_the_same_in_a_session() -> None:
    build = Build(PLACE, "/app", target="final", cache_to=("type=inline",))
    wanted = ImageBuild("web", build, "shop-web")
    names = BuildkitNames("session", "build")
    asked = build_query(wanted, NO_FLAGS, dockerfile="D", environment={}, buildkit=names)
    assert dict(asked) == {
        "t": "shop-web",
        "version": "2",
        "session": "session",
        "buildid": "build",
        "dockerfile": "D",
        "target": "final",
        "buildargs": '{"BUILDKIT_INLINE_CACHE": "1"}',
    }
