"""An agent's process with tasks that leave the beaten track: the node's network, pull policies."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stackctl.model.specs import PullPolicy
from tests.agent_process import Scene, member_scene
from tests.assignments import assignment, task
from tests.engines import EngineForTests

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

ABSENT = "127.0.0.1:1/nosuch:1"


@pytest.fixture
async def scene(engine: EngineForTests, tmp_path: Path) -> AsyncIterator[Scene]:
    async with member_scene(engine, tmp_path) as made:
        yield made


async def test_a_task_on_the_network_of_its_node_runs_beside_others(scene: Scene) -> None:
    command = ("sh", "-c", "echo $(ls /sys/class/net); sleep 1000")
    own = task("t1", *command, container={"network_mode": "host"})
    alone = task("t2", *command, container={"network_mode": "none"})
    await scene.assign(assignment(1, own, alone))
    await scene.reaches("t1", "RUNNING")
    await scene.reaches("t2", "RUNNING")
    assert (await scene.output("t2")).split() == ["lo"]
    assert len((await scene.output("t1")).split()) > 1


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (PullPolicy.NEVER, f"No such image: {ABSENT}, and its pull policy is never"),
        (PullPolicy.ALWAYS, f"cannot pull image {ABSENT}: "),
        (PullPolicy.REFRESH, f"cannot pull image {ABSENT}: "),
    ],
)
async def test_an_absent_image_is_fetched_by_its_policy(
    scene: Scene, policy: PullPolicy, error: str
) -> None:
    await scene.assign(
        assignment(1, task("t1", container={"image": ABSENT, "pull_policy": policy}))
    )
    status = await scene.reaches("t1", "REJECTED")
    assert status.error.startswith(error)


async def test_an_image_that_is_there_is_not_fetched_when_the_policy_is_never(
    scene: Scene,
) -> None:
    await scene.assign(assignment(1, task("t1", container={"pull_policy": PullPolicy.NEVER})))
    await scene.reaches("t1", "RUNNING")
