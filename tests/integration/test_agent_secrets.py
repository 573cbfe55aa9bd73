"""Secrets on a real engine: in the container as asked, and nowhere else on the node."""

import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.drivers.engine import LogQuery
from stackctl.model import specs
from stackctl.model.assignment import SecretAssignment, TaskAssignment
from stackctl.model.task_state import TaskState
from tests.agent_process import Scene, member_scene
from tests.assignments import assignment, container_name, task
from tests.engines import EngineForTests
from tests.eventually import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

PLAINTEXT = "plain-7f1c-words"
KEY = specs.ConfigReference(name="key", target="/run/secrets/key", uid="7", gid="8", mode=0o440)
SECRET = SecretAssignment(id="s1", name="key", content=PLAINTEXT.encode())
# Says what it finds in other words than the content's own, so that its log can be searched for it.
LOOK = "stat -c '%u %g %a' /run/secrets/key; tr a-z A-Z </run/secrets/key; echo"
FOREVER = "trap 'exit 0' TERM; while true; do sleep 0.05; done"


@pytest.fixture
async def scene(engine: EngineForTests, tmp_path: Path) -> AsyncIterator[Scene]:
    async with member_scene(engine, tmp_path) as made:
        yield made


def using(task_id: str, script: str, **fields: Any) -> TaskAssignment:
    """A task that mounts the secret."""
    container = {"secrets": (KEY,)}
    return task(
        task_id, "sh", "-c", script, container=container, secret_ids={"key": "s1"}, **fields
    )


def on_node(scene: Scene, *words: str) -> str:
    """What a command prints on the agent's node, in its namespaces."""
    command = scene.agent.engine.command(*words)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def output(scene: Scene, task_id: str) -> list[bytes]:
    return [entry.text for entry in scene.docker.logs(container_name(task_id), LogQuery())]


async def test_a_task_finds_its_secret_with_owner_and_mode(scene: Scene) -> None:
    await scene.assign(assignment(1, using("t1", f"{LOOK}; exit 0"), secrets=(SECRET,)))
    await scene.reaches("t1", "COMPLETE")
    assert output(scene, "t1") == [b"7 8 440", PLAINTEXT.upper().encode()]


async def test_the_secret_cannot_be_changed_from_inside(scene: Scene) -> None:
    script = "echo x >/run/secrets/key; mount -o remount,rw /run/secrets/key; exit 0"
    await scene.assign(assignment(1, using("t1", script), secrets=(SECRET,)))
    await scene.reaches("t1", "COMPLETE")
    assert b"Read-only file system" in b"\n".join(output(scene, "t1"))


async def test_the_secret_is_nowhere_on_the_nodes_disk(scene: Scene) -> None:
    await scene.assign(assignment(1, using("t1", f"{LOOK}; {FOREVER}"), secrets=(SECRET,)))
    await scene.reaches("t1", "RUNNING")
    await scene.manager.until(lambda: len(output(scene, "t1")) >= 2)
    shown = scene.docker.inspect(container_name("t1"))
    assert PLAINTEXT not in repr(shown)
    secrets = scene.agent.folder / "run" / "secrets"
    inside = on_node(scene, "grep", "-rl", "-e", PLAINTEXT, str(secrets))
    assert len(inside.splitlines()) == 1, "in memory it is found, so the search works"
    folders = [str(scene.agent.folder), str(scene.agent.engine.node.directory)]
    # -xdev: without the memory file systems that lie below.
    search = f"find {' '.join(folders)} -xdev -type f -exec grep -l -e {PLAINTEXT} {{}} +"
    assert on_node(scene, "sh", "-c", search) == ""
    assert PLAINTEXT not in scene.agent.log.read_text(encoding="utf-8")


async def test_the_memory_goes_with_the_last_task_that_has_a_secret(scene: Scene) -> None:
    secrets = str(scene.agent.folder / "run" / "secrets")
    await scene.assign(assignment(1, using("t1", FOREVER), secrets=(SECRET,)))
    await scene.reaches("t1", "RUNNING")
    assert on_node(scene, "findmnt", "-n", "-o", "FSTYPE", secrets).strip() == "tmpfs"
    ending = using("t1", FOREVER, desired=TaskState.SHUTDOWN, may_stop=True)
    await scene.assign(assignment(2, ending))
    await scene.reaches("t1", "SHUTDOWN")
    eventually(
        lambda: on_node(scene, "findmnt", "-n", "-o", "FSTYPE", secrets) == "", timeout_seconds=5
    )


async def test_a_task_of_an_earlier_life_of_the_agent_starts_with_its_secret(scene: Scene) -> None:
    waiting = using("t1", f"{LOOK}; exit 0", desired=TaskState.READY)
    running = using("t2", FOREVER)
    await scene.assign(assignment(1, waiting, running, secrets=(SECRET,)))
    await scene.reaches("t1", "READY")
    await scene.reaches("t2", "RUNNING")
    pid = scene.container("t2").pid
    scene.agent.end(signal.SIGKILL)
    scene.agent.start()
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    await scene.assign(assignment(2, using("t1", f"{LOOK}; exit 0"), running, secrets=(SECRET,)))
    await scene.reaches("t1", "COMPLETE")
    assert output(scene, "t1")[-1] == PLAINTEXT.upper().encode()
    assert scene.container("t2").pid == pid
    assert on_node(scene, "docker", "-H", scene.agent.engine.url, "restart", container_name("t2"))


async def test_a_secret_whose_memory_was_lost_comes_with_the_assignment_again(
    scene: Scene,
) -> None:
    waiting = using("t1", f"{LOOK}; exit 0", desired=TaskState.READY)
    await scene.assign(assignment(1, waiting, secrets=(SECRET,)))
    await scene.reaches("t1", "READY")
    scene.agent.end(signal.SIGKILL)
    on_node(scene, "umount", str(scene.agent.folder / "run" / "secrets"))
    scene.agent.start()
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    await scene.assign(assignment(2, using("t1", f"{LOOK}; exit 0"), secrets=(SECRET,)))
    await scene.reaches("t1", "COMPLETE")
    assert output(scene, "t1")[-1] == PLAINTEXT.upper().encode()
