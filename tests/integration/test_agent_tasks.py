"""An agent's process on a real engine: the life of its tasks, with the test as their manager."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agent.core.task_machine import STOPPED_ELSEWHERE
from agent.drivers.engine import LogQuery
from stackctl.lab import faults
from stackctl.model import specs
from stackctl.model.assignment import ConfigAssignment
from stackctl.model.task_state import TaskState
from stackctl.wire import increments
from stackctl.wire.agent_protocol import AssignmentMessage, Heartbeat
from tests.agent_process import Scene, member_scene
from tests.assignments import NODE_ID, assignment, container_name, task
from tests.engines import EngineForTests

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

MEMORY_MAX_BYTES = 60_000_000


@pytest.fixture
async def scene(engine: EngineForTests, tmp_path: Path) -> AsyncIterator[Scene]:
    async with member_scene(engine, tmp_path) as made:
        yield made


TRAPPING = ("sh", "-c", "trap 'exit 0' TERM; echo ready; while true; do sleep 0.05; done")


async def test_task_runs_and_is_stopped_when_it_may(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1", *TRAPPING)))
    await scene.reaches("t1", "RUNNING")
    assert scene.container("t1").is_up

    await scene.assign(assignment(2, task("t1", desired=TaskState.SHUTDOWN)))
    await scene.manager.until(
        lambda: any(beat.applied_index == 2 for beat in scene.manager.of_kind(Heartbeat))
    )
    assert scene.container("t1").is_up

    await scene.assign(assignment(3, task("t1", desired=TaskState.SHUTDOWN, may_stop=True)))
    status = await scene.reaches("t1", "SHUTDOWN")
    assert status.message == "shutdown"
    assert scene.container("t1").has_ended

    await scene.assign(assignment(4))
    await scene.manager.until(lambda: scene.container("t1") is None)


async def test_restart_delay_prepares_and_waits(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1", desired=TaskState.READY)))
    status = await scene.reaches("t1", "READY")
    assert status.message == "prepared"
    assert not scene.container("t1").is_up
    await scene.assign(assignment(2, task("t1")))
    await scene.reaches("t1", "RUNNING")


@pytest.mark.parametrize(
    ("command", "state", "error"),
    [
        (("sh", "-c", "exit 0"), "COMPLETE", ""),
        (("sh", "-c", "exit 3"), "FAILED", "task: non-zero exit (3)"),
        (("/absent/program",), "FAILED", "no such file or directory"),
    ],
)
async def test_end_of_a_task_is_told_in_words(
    scene: Scene, command: tuple[str, ...], state: str, error: str
) -> None:
    await scene.assign(assignment(1, task("t1", *command)))
    status = await scene.reaches("t1", "COMPLETE", "FAILED", "REJECTED")
    assert status.state.name == state
    assert error in status.error


async def test_unknown_image_is_rejected_by_name(scene: Scene) -> None:
    image = "127.0.0.1:1/nosuch:1"
    await scene.assign(assignment(1, task("t1", container={"image": image})))
    status = await scene.reaches("t1", "REJECTED")
    assert status.error.startswith(f"cannot pull image {image}: ")


async def test_first_success_of_the_health_test_counts(scene: Scene) -> None:
    check = specs.Healthcheck(test=("CMD-SHELL", "test -e /tmp/ok"), interval_seconds=300)
    command = ("sh", "-c", "sleep 0.5; touch /tmp/ok; while true; do sleep 1; done")
    await scene.assign(assignment(1, task("t1", *command, container={"healthcheck": check})))
    await scene.reaches("t1", "STARTING")
    await scene.reaches("t1", "RUNNING")


async def test_unhealthy_container_is_stopped_and_failed(scene: Scene) -> None:
    check = specs.Healthcheck(test=("CMD", "test", "-e", "/tmp/ok"), interval_seconds=1, retries=1)
    command = ("sh", "-c", "touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000")
    container = {"healthcheck": check, "stop_grace_period_seconds": 0}
    await scene.assign(assignment(1, task("t1", *command, container=container)))
    await scene.reaches("t1", "RUNNING")
    status = await scene.reaches("t1", "FAILED")
    assert status.error == "unhealthy container"
    assert not scene.container("t1").is_up


async def test_container_removed_by_hand_is_a_failed_task(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1")))
    await scene.reaches("t1", "RUNNING")
    container = scene.container("t1")
    scene.docker.kill(container.id, "SIGKILL")
    status = await scene.reaches("t1", "FAILED")
    assert status.error == "task: non-zero exit (137)"
    scene.docker.remove(container.id)
    await scene.assign(assignment(2, task("t2")))
    await scene.reaches("t2", "RUNNING")
    assert scene.container("t1") is None


async def test_memory_limit_is_named_when_it_kills(scene: Scene) -> None:
    hungry = ("sh", "-c", "head -c 200m /dev/zero | tail")
    limits = specs.Resources(memory_bytes=16 << 20)
    await scene.assign(assignment(1, task("t1", *hungry, spec={"limits": limits})))
    status = await scene.reaches("t1", "FAILED")
    assert "memory" in status.error


async def test_a_restart_of_the_engine_is_no_failure_of_its_tasks(scene: Scene) -> None:
    """What ended with 143 or 137 had failed by itself, and an update with it."""
    handles = ("sh", "-c", "trap 'exit 3' TERM; while true; do sleep 0.05; done")
    container = {"stop_grace_period_seconds": 1.0}
    ignores = task("t2", "sleep", "1000", container=container)
    await scene.assign(assignment(1, task("t1", *handles), ignores))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    await asyncio.to_thread(faults.restart_engine, scene.agent.engine.node)
    for task_id, code in (("t1", 3), ("t2", 137)):
        status = await scene.reaches(task_id, "FAILED")
        assert (status.error, status.exit_code) == (STOPPED_ELSEWHERE, code)
        assert status.counts_as_lost


async def test_configs_are_files_of_the_container(scene: Scene) -> None:
    reference = specs.ConfigReference(name="motd", target="/etc/motd", uid="7", mode=0o440)
    command = ("sh", "-c", "stat -c '%u %a' /etc/motd; cat /etc/motd; exit 0")
    config = ConfigAssignment(id="c1", name="motd", content=b"hello\n")
    wanted = task("t1", *command, container={"configs": (reference,)}, config_ids={"motd": "c1"})
    await scene.assign(assignment(1, wanted, configs=(config,)))
    await scene.reaches("t1", "COMPLETE")
    lines = [entry.text for entry in scene.docker.logs(container_name("t1"), LogQuery())]
    assert lines == [b"7 440", b"hello"]


async def test_increments_change_the_set(scene: Scene) -> None:
    first = assignment(1, task("t1"))
    await scene.assign(first)
    await scene.reaches("t1", "RUNNING")
    second = msgspec.structs.replace(first, index=2, tasks=(*first.tasks, task("t2")))
    increment = increments.difference(first, second)
    await scene.manager.send(AssignmentMessage(term=1, index=2, increment=increment))
    await scene.reaches("t2", "RUNNING")
    stale = msgspec.structs.replace(increment, base_index=77)
    await scene.manager.send(AssignmentMessage(term=1, index=78, increment=stale))
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    assert (scene.manager.hellos[1].term, scene.manager.hellos[1].index) == (0, 0)


async def test_killed_agent_adopts_its_tasks_and_reports_them_again(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1"), task("t2")))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    pids = [scene.container(name).pid for name in ("t1", "t2")]
    scene.agent.end(signal.SIGKILL)
    scene.docker.kill(scene.container("t2").id, "SIGKILL")
    seen = len(scene.manager.frames)
    scene.agent.start()
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    await scene.reaches("t2", "FAILED")
    del scene.manager.frames[:seen]
    await scene.reaches("t1", "RUNNING")
    assert scene.container("t1").pid == pids[0]


async def test_strays_go_only_after_a_set_of_this_session(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1"), task("t2")))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    scene.agent.end(signal.SIGKILL)
    with contextlib.suppress(FileNotFoundError):
        (scene.agent.folder / "state" / "agent" / NODE_ID / "assignment.bin").unlink()
    scene.agent.start()
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    assert scene.container("t1").is_up
    await scene.assign(assignment(5, task("t2")))
    await scene.manager.until(lambda: scene.container("t1") is None)
    assert scene.container("t2").is_up


async def test_terminated_agent_leaves_its_tasks_running(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1")))
    await scene.reaches("t1", "RUNNING")
    assert scene.agent.end(signal.SIGTERM) == 0
    assert scene.container("t1").is_up


async def test_frozen_agent_connects_again_when_it_wakes(scene: Scene) -> None:
    await scene.manager.until(lambda: scene.manager.of_kind(Heartbeat))
    scene.agent.signal(signal.SIGSTOP)
    await scene.manager.drop_connections()
    beats = len(scene.manager.of_kind(Heartbeat))
    scene.agent.signal(signal.SIGCONT)
    await scene.manager.until(lambda: len(scene.manager.hellos) == 2)
    await scene.manager.until(lambda: len(scene.manager.of_kind(Heartbeat)) > beats)


async def test_idle_agent_is_small(scene: Scene) -> None:
    await scene.assign(assignment(1, task("t1"), task("t2")))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    assert scene.agent.memory_bytes() <= MEMORY_MAX_BYTES
