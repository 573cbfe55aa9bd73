"""docker-compose 1.29 and stackctl at the same stack: each sees and handles what the other made."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.errors import UnfitMachine
from stackctl.local import labels
from tests.command_line import Done
from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

FILE = f"""
version: "3.8"
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sh, -c, "echo says $$NAME; exec sleep 1000"]
    environment: {{NAME: web}}
    stop_grace_period: 0s
    depends_on: [db]
    volumes: [/anonymous, "data:/data"]
    networks: [default, back]
  db:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
networks: {{back: }}
volumes: {{data: }}
"""


class Classic:
    """`docker-compose` in the folder of a stack."""

    def __init__(self, beside: LocalCommandLine) -> None:
        program = shutil.which("docker-compose")
        if program is None:
            raise UnfitMachine("docker-compose is not installed", hint="make setup")
        self._program = program
        self._beside = beside

    def __call__(self, *words: str) -> Done:
        """Run a command that must end with 0."""
        ended = subprocess.run(
            [self._program, *words],
            cwd=self._beside.folder,
            env=self._beside.environment,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
        return Done(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tinter") as command_line:
        command_line.write(FILE, file="docker-compose.yml")
        yield command_line


@pytest.fixture
def classic(shop: LocalCommandLine) -> Classic:
    return Classic(shop)


def states(shop: LocalCommandLine) -> dict[str, str]:
    return {it.name: it.state for it in shop.containers().values()}


def anonymous_volume(shop: LocalCommandLine) -> str:
    [web] = [it for it in shop.containers().values() if it.service == "web"]
    [name] = [it.name for it in web.mounts if it.target == "/anonymous"]
    return name


def test_what_the_classic_tool_made_is_handled_by_name_alone(
    shop: LocalCommandLine, classic: Classic
) -> None:
    classic("up", "-d")
    (shop.folder / "docker-compose.yml").unlink()
    stack = ("-p", shop.name)
    assert shop.succeeds(*stack, "ps", "--services").out.split() == ["db", "web"]
    assert shop.succeeds(*stack, "logs", "--no-log-prefix", "web").out == "says web\n"
    assert shop.succeeds(*stack, "exec", "-T", "web", "echo", "in").out == "in\n"
    assert "sleep 1000" in shop.succeeds(*stack, "top", "db").out
    assert shop.succeeds("ls", "-q").out.split() == [shop.name]
    shop.succeeds(*stack, "stop")
    assert set(states(shop).values()) == {"exited"}
    shop.succeeds(*stack, "start")
    assert set(states(shop).values()) == {"running"}
    shop.succeeds(*stack, "restart", "web")
    shop.succeeds(*stack, "kill", "db")
    assert states(shop)["tinter_db_1"] == "exited"
    shop.succeeds(*stack, "down", "-v")
    assert states(shop) == {}
    assert not shop.exists("networks", "tinter_back")
    assert not shop.exists("volumes", "tinter_data")


def test_what_stackctl_made_is_handled_by_the_classic_tool(
    shop: LocalCommandLine, classic: Classic
) -> None:
    shop.succeeds("up", "-d", "--scale", "web=2")
    listed = classic("ps").out
    assert all(name in listed for name in ("tinter-web-1", "tinter-web-2", "tinter-db-1"))
    assert classic("logs", "--no-color", "web").out.count("says web") == 2
    assert classic("exec", "-T", "--index", "2", "web", "echo", "in").out == "in\n"
    classic("stop", "-t", "0")
    assert set(states(shop).values()) == {"exited"}
    classic("start")
    assert set(states(shop).values()) == {"running"}
    done = classic("run", "--rm", "-T", "db", "echo", "one-off")
    assert "one-off" in done.out
    assert "label" not in done.err, "it finds networks and volumes as its file says"
    classic("down", "-v")
    assert states(shop) == {}
    assert not shop.exists("networks", "tinter_default")
    assert not shop.exists("volumes", "tinter_data")


def test_a_classic_stack_is_taken_over_in_place(shop: LocalCommandLine, classic: Classic) -> None:
    classic("up", "-d")
    volume = anonymous_volume(shop)
    network = shop.engine.get("/networks/tinter_back")["Id"]
    plan = shop.succeeds("up", "--dry-run").out
    assert "docker compose 1.29.2 made it, and notes a configuration in another way" in plan
    shop.succeeds("up", "-d")
    assert states(shop) == {"tinter-db-1": "running", "tinter-web-1": "running"}
    assert anonymous_volume(shop) == volume
    assert shop.engine.get("/networks/tinter_back")["Id"] == network
    assert shop.succeeds("up", "--dry-run").out == "nothing to do\n"


def test_names_stay_as_they_are_where_that_is_wanted(
    shop: LocalCommandLine, classic: Classic
) -> None:
    classic("up", "-d")
    before = states(shop)
    shop.succeeds("--compatibility", "up", "-d")
    assert states(shop) == before == {"tinter_db_1": "running", "tinter_web_1": "running"}
    variable = {"COMPOSE_COMPATIBILITY": "1"}
    assert shop("up", "--dry-run", environment=variable).out == "nothing to do\n"
    assert shop("up", "-d", "--scale", "web=2", environment=variable).code == 0
    assert set(states(shop)) == {"tinter_db_1", "tinter_web_1", "tinter_web_2"}


def test_a_classic_stack_may_be_left_as_it_is(shop: LocalCommandLine, classic: Classic) -> None:
    classic("up", "-d")
    before = {it.id for it in shop.containers().values()}
    shop.succeeds("up", "-d", "--no-recreate", "--scale", "web=2")
    assert set(states(shop)) == {"tinter_db_1", "tinter_web_1", "tinter-web-2"}
    assert before < {it.id for it in shop.containers().values()}
    shop.succeeds("up", "-d", "--no-recreate", "--scale", "web=1")
    assert set(states(shop)) == {"tinter_db_1", "tinter_web_1"}


def test_the_classic_tool_takes_a_stack_over_in_place(
    shop: LocalCommandLine, classic: Classic
) -> None:
    shop.succeeds("up", "-d")
    volume = anonymous_volume(shop)
    done = classic("up", "-d")
    assert "label" not in done.err
    assert states(shop) == {"tinter_db_1": "running", "tinter_web_1": "running"}
    assert anonymous_volume(shop) == volume
    assert "up-to-date" in classic("up", "-d").err


def test_one_offs_of_the_classic_tool_are_no_replicas(
    shop: LocalCommandLine, classic: Classic
) -> None:
    classic("up", "-d")
    classic("run", "-d", "db", "sleep", "1000")
    one_offs = [it for it in shop.containers().values() if it.is_one_off]
    assert [it.service for it in one_offs] == ["db"]
    shop.succeeds("up", "-d")
    assert [it.state for it in shop.containers().values() if it.is_one_off] == ["running"]
    shop.succeeds("down", "-v")
    assert states(shop) == {}


def test_objects_carry_what_the_classic_tool_looks_for(
    shop: LocalCommandLine, classic: Classic
) -> None:
    classic("up", "-d")
    theirs = {it.service: set(it.labels) for it in shop.containers().values()}
    shop.succeeds("up", "-d", "--force-recreate")
    ours = {it.service: set(it.labels) for it in shop.containers().values()}
    assert theirs["web"] <= ours["web"]
    shop.succeeds("down", "-v")
    shop.succeeds("up", "-d")
    network = shop.engine.get("/networks/tinter_back")["Labels"]
    assert all(name.startswith(labels.PREFIX) for name in network)
