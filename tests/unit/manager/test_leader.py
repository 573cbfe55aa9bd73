"""The leader's loop on a fake log: it decides, rests, hands over, and survives faults."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from stackctl.manager import decision_log, node_watch
from stackctl.manager.node_watch import NodeWatch
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import changes
from stackctl.state.cluster import ClusterState
from tests.manager_parts import Edges, nobody_answers, running_edges, small_stack
from tests.unit.manager.test_sessions import seen


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path, node_down_seconds=0.6) as running:
        yield running


def placed(edges: Edges) -> int:
    tasks = edges.parts.cluster.state.tasks.values()
    return sum(1 for task in tasks if task.status.state == TaskState.ASSIGNED and task.is_wanted)


async def test_tasks_appear_on_events_alone(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    await edges.ask("PUT", "/v1/stacks/shop", small_stack(replicas=3))
    await seen(lambda: placed(edges) == 3)
    index = edges.parts.cluster.state.index
    assert await edges.parts.cluster.wait_beyond(index, timeout_seconds=0.2) == index


async def test_a_manager_that_does_not_lead_decides_nothing(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    edges.consensus.follow("other")
    await seen(lambda: not edges.parts.cluster.leadership.is_leader)
    status, _ = await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    assert status == 200
    index = edges.parts.cluster.state.index
    assert await edges.parts.cluster.wait_beyond(index, timeout_seconds=0.2) == index
    edges.consensus.lead()
    await seen(lambda: placed(edges) == 2)


async def test_a_lost_leader_in_the_middle_delays_and_loses_nothing(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    edges.consensus.lose_leader()
    await seen(lambda: not edges.parts.cluster.leadership.is_leader)
    edges.consensus.lead()
    status, _ = await edges.ask("PUT", "/v1/stacks/shop", small_stack(replicas=4))
    assert status == 200
    await seen(lambda: placed(edges) == 4)


async def test_a_large_round_takes_several_entries(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    await edges.ask("PUT", "/v1/stacks/shop", small_stack(replicas=1000))
    # More tasks than one small network has addresses: the rest waits, and says so.
    await seen(lambda: len(edges.parts.cluster.state.tasks) == 1000)


async def test_a_silent_node_is_declared_down_through_the_log(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    state = edges.parts.cluster
    await seen(lambda: state.state.nodes["w1"].state == NodeState.DOWN, timeout_seconds=4)
    assert "heartbeat failure" in state.state.nodes["w1"].state_message


async def test_an_agent_that_has_just_connected_counts_as_heard(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    state, liveness = edges.parts.cluster, edges.parts.liveness
    await seen(lambda: state.state.nodes["w1"].state == NodeState.DOWN, timeout_seconds=4)
    before = edges.parts.clock.monotonic()
    await edges.connect_node("w1", "worker1")
    heard = [state.state.nodes["w1"]]
    assert heard[0].state == NodeState.READY
    deadline = liveness.next_deadline(heard, now=before, down_seconds=0.6)
    assert deadline is not None
    assert deadline >= before + 0.6


async def test_a_node_that_is_heard_stays_ready(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    state = edges.parts.cluster

    def heard_and_ready() -> bool:
        edges.parts.liveness.hear("w1", at=edges.parts.clock.monotonic())
        return state.state.nodes["w1"].state != NodeState.READY

    with pytest.raises(AssertionError):
        await seen(heard_and_ready, timeout_seconds=1.2)


class LeapingClock:
    """A clock on which every sleep takes as long as the test says."""

    def __init__(self) -> None:
        self.at = 100.0
        self.leap = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        self.at += self.leap
        return self.at


async def test_a_manager_that_stood_still_judges_nobody(edges: Edges) -> None:
    await edges.connect_node("w1", "worker1")
    clock = LeapingClock()
    liveness = edges.parts.liveness
    liveness.hear("w1", at=clock.at)
    watch = NodeWatch(
        cluster=edges.parts.cluster,
        liveness=liveness,
        clock=clock,
        down_seconds=3.0,
        probe=nobody_answers,
    )
    clock.leap = node_watch.LATE_SECONDS + 5.0
    watching = asyncio.create_task(watch.run(edges.parts.cluster.leadership.term))
    index = edges.parts.cluster.state.index
    assert await edges.parts.cluster.wait_beyond(index, timeout_seconds=0.3) == index
    watching.cancel()
    await asyncio.wait([watching])
    assert edges.parts.cluster.state.nodes["w1"].state == NodeState.READY


async def test_decisions_are_logged_in_words(
    edges: Edges, caplog: pytest.LogCaptureFixture
) -> None:
    await edges.connect_node("w1", "worker1")
    with caplog.at_level("INFO", logger=decision_log.__name__):
        await edges.ask("PUT", "/v1/stacks/shop", small_stack(replicas=1))
        await seen(lambda: placed(edges) == 1)
        await seen(lambda: "assigned to worker1" in caplog.text)
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("shop_web.1 (") and ": created: " in line for line in lines)
    assert any(line.startswith("network shop_default: subnet ") for line in lines)


def test_a_flood_of_decisions_is_summarised(caplog: pytest.LogCaptureFixture) -> None:
    decided = [changes.DropStack(name=f"s{number}") for number in range(201)]
    with caplog.at_level("INFO", logger=decision_log.__name__):
        decision_log.log_decisions(ClusterState(), decided)
    assert [record.getMessage() for record in caplog.records] == ["201 decisions: 201 x DropStack"]
