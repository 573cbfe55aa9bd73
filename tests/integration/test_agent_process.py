"""An agent's process between a manager and a real engine: joining, networks, logs, outages."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stackctl.model import specs
from stackctl.model.assignment import NetworkAssignment
from stackctl.wire.agent_protocol import Credit, Heartbeat, LogChunk, OpenLogs, StreamEnd
from tests.agent_process import Scene, joining_scene, member_scene
from tests.assignments import assignment, container_name, task
from tests.engines import EngineForTests

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

MEMORY_MAX_BYTES = 60_000_000


@pytest.fixture
async def scene(engine: EngineForTests, tmp_path: Path) -> AsyncIterator[Scene]:
    async with member_scene(engine, tmp_path) as made:
        yield made


async def test_node_joins_with_a_token_and_runs_tasks(
    engine: EngineForTests, tmp_path: Path
) -> None:
    async with joining_scene(engine, tmp_path) as scene:
        assert scene.manager.hellos[0].node_id == "joined"
        await scene.assign(assignment(1, task("t1")))
        await scene.reaches("t1", "RUNNING")
        # What joining needs is not kept in memory.
        assert scene.agent.memory_bytes() <= MEMORY_MAX_BYTES


async def test_greeting_describes_the_node(scene: Scene) -> None:
    described = scene.manager.hellos[0].description
    assert described.hostname == "testnode"
    assert described.nano_cpus >= 10**9
    assert described.memory_bytes > 0
    assert described.engine_version
    assert described.data_address == scene.agent.engine.address
    assert any(route.startswith("10.") for route in described.routes)


def overlay(name: str, number: int) -> NetworkAssignment:
    return NetworkAssignment(
        id=f"{name}testnetworkid",
        name=f"agenttest_{name}",
        vni=7000 + number,
        subnet=f"10.213.{number}.0/24",
        gateway=f"10.213.{number}.1",
    )


async def test_task_has_its_addresses_on_all_its_networks(scene: Scene) -> None:
    networks = (overlay("a", 1), overlay("b", 2))
    attachments = tuple(specs.NetworkAttachment(network=item.name) for item in networks)
    wanted = task(
        "t1",
        "sh",
        "-c",
        "ip -4 -o address; ip link; cat /etc/resolv.conf; sleep 1000",
        spec={"networks": attachments},
        container={"stop_grace_period_seconds": 0},
        addresses={networks[0].id: "10.213.1.9", networks[1].id: "10.213.2.9"},
    )
    await scene.assign(assignment(1, wanted, networks=networks))
    await scene.reaches("t1", "RUNNING")
    await scene.manager.until(
        lambda: any(beat.applied_index == 1 for beat in scene.manager.of_kind(Heartbeat))
    )
    container = scene.container("t1")
    assert container.networks == ("agenttest_a", "agenttest_b")
    text = await scene.output("t1")
    for words in ("10.213.1.9/24", "10.213.2.9/24", "02:42:0a:d5:01:09", "02:42:0a:d5:02:09"):
        assert words in text
    await scene.assign(assignment(2))
    await scene.manager.until(lambda: scene.container("t1") is None)
    await scene.manager.until(lambda: not scene.networks())


async def test_logs_come_as_far_as_there_is_credit(scene: Scene) -> None:
    script = "for i in 1 2 3; do echo line $i; done; echo oops >&2; sleep 1000"
    container = {"stop_grace_period_seconds": 0}
    await scene.assign(assignment(1, task("t1", "sh", "-c", script, container=container)))
    await scene.reaches("t1", "RUNNING")
    request = OpenLogs(stream_id=3, task_ids=("t1",), follow=True, credit_bytes=12)
    await scene.manager.send(request)
    await scene.manager.until(lambda: len(scene.manager.of_kind(LogChunk)) == 2)
    await scene.manager.send(Credit(stream_id=3, credit_bytes=1000))
    await scene.manager.until(lambda: len(scene.manager.of_kind(LogChunk)) == 4)
    chunks = scene.manager.of_kind(LogChunk)
    assert sorted((chunk.source, chunk.text) for chunk in chunks) == [
        ("stderr", b"oops"),
        ("stdout", b"line 1"),
        ("stdout", b"line 2"),
        ("stdout", b"line 3"),
    ]
    scene.docker.kill(container_name("t1"), "SIGKILL")
    await scene.manager.until(lambda: scene.manager.of_kind(StreamEnd))


async def test_agent_without_managers_keeps_its_tasks_and_replaces_none(scene: Scene) -> None:
    await scene.assign(assignment(3, task("t1"), task("t2")))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    port = int(scene.manager.address.rpartition(":")[2])
    await scene.manager.stop()
    scene.agent.end(signal.SIGKILL)
    pid = scene.container("t1").pid
    scene.docker.kill(scene.container("t2").id, "SIGKILL")
    scene.agent.start()
    await scene.manager.until(
        lambda: "is failed: task: non-zero exit (137)" in scene.agent.log.read_text("utf-8")
    )
    assert scene.container("t1").pid == pid
    assert not scene.container("t2").is_up

    scene.manager.frames.clear()
    await scene.manager.listen(port)
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "FAILED")
