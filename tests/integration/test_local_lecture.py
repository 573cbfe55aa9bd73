"""The lecture's stack: from an engine that has only the base images to a page that is balanced."""

import re
import shutil
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.local.engine.client import Engine
from tests.engines import EngineForTests, running_engines
from tests.eventually import eventually
from tests.images import juergenapp_image_tar
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "lecture"
BASE = "juergen/juergenapp-web:1.0"  # Debian's Python with Flask, redis and waitress


@pytest.fixture(scope="module", name="machine")
def _machine() -> Iterator[EngineForTests]:
    with running_engines(1, prefix="l") as (only,):
        yield only


@pytest.fixture
def lecture(machine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    folder = tmp_path / "lecture"
    shutil.copytree(EXAMPLE, folder)
    with local_command_line(machine, folder, "lecture") as command_line:
        _load(command_line.engine, juergenapp_image_tar())
        command_line.environment.update(BASE=BASE, LB_PORT="8080")
        del command_line.environment["COMPOSE_PROJECT_NAME"]
        yield command_line


def test_the_lectures_stack_answers_balances_and_leaves_nothing(
    lecture: LocalCommandLine, machine: EngineForTests
) -> None:
    lecture.succeeds("up", "-d", "--build")
    found = lecture.containers()
    assert {name: it.state for name, it in found.items()} == dict.fromkeys(
        ("lb-1", "web1-1", "web2-1", "db-1"), "running"
    )

    def answer() -> str:
        with urllib.request.urlopen(f"http://{machine.address}:8080/", timeout=5) as page:
            return str(page.read().decode())

    def serves() -> bool:
        # Which of both is first up is chance: until then, the entrance passes one over.
        return {answer().partition(":")[0] for _ in range(4)} == {"web1", "web2"}

    eventually(_quiet(serves), timeout_seconds=30)
    lecture.succeeds("restart", "lb")  # nginx remembers for ten seconds who did not answer
    eventually(_quiet(serves), timeout_seconds=30)
    pages = [answer() for _ in range(20)]
    assert Counter(page.partition(":")[0] for page in pages) == {"web1": 10, "web2": 10}
    numbers = [int(re.sub(r"\D+", "", page.partition(":")[2])) for page in pages]
    assert numbers == list(range(numbers[0], numbers[0] + 20))

    second = lecture.succeeds("up", "-d")
    assert {line.split()[-1] for line in second.err.splitlines()} == {"Running"}
    lecture.succeeds("stop", "-t", "1", "web1")
    assert {answer().partition(":")[0] for _ in range(4)} == {"web2"}

    lecture.succeeds("down", "-v", "-t", "1", "--rmi", "local")
    engine = lecture.engine
    assert engine.get("/containers/json", {"all": True}) == []
    assert {it["Name"] for it in engine.get("/networks")} == {"bridge", "host", "none"}
    assert not engine.get("/volumes")["Volumes"]
    tags = {tag for it in engine.get("/images/json") for tag in it["RepoTags"] or ()}
    assert not {tag for tag in tags if tag.startswith("lecture")}


def _load(engine: Engine, archive: Path) -> None:
    with archive.open("rb") as file:
        chunks = iter(lambda: file.read(1 << 20), b"")
        with engine.stream(
            "POST", "/images/load", body=chunks, content_type="application/x-tar"
        ) as answer:
            answer.read()


def _quiet(check: Callable[[], bool]) -> Callable[[], bool]:
    """The check, which is false while nobody answers."""

    def guarded() -> bool:
        try:
            return check()
        except OSError:
            return False

    return guarded
