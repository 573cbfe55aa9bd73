"""The output of a service: sources merged, faults told, new tasks followed."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from stackctl.manager import log_stream
from stackctl.model.objects import NodeState, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.wire import agent_protocol as protocol
from tests.manager_parts import Edges, running_edges, small_stack
from tests.unit.manager.test_sessions import NODE, Agent, node_state, seen


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path) as running:
        await running.admit_node(NODE, "worker1")
        yield running


@pytest_asyncio.fixture
async def agent(edges: Edges) -> AsyncIterator[Agent]:
    own = await Agent(edges).connect()
    await seen(lambda: node_state(edges) == NodeState.READY)
    yield own
    await own.leave()


async def run_tasks(edges: Edges, *, replicas: int) -> dict[str, str]:
    """Deploys, reports every task as running; names by task id."""
    await edges.ask("PUT", "/v1/stacks/shop", small_stack(replicas=replicas))
    cluster = edges.parts.cluster
    await seen(lambda: sum(1 for task in cluster.state.tasks.values() if task.node_id) == replicas)
    reports = tuple(
        protocol.TaskReport(task_id=key, status=TaskStatus(state=TaskState.RUNNING, at=1))
        for key in cluster.state.tasks
    )
    await cluster.propose(commands.ReportTasks(node_id=NODE, reports=reports, now=2))
    return {key: f"shop_web.{task.slot}" for key, task in cluster.state.tasks.items()}


async def opened(agent: Agent) -> protocol.OpenLogs:
    while True:
        frame = await agent.socket.hear()
        if isinstance(frame, protocol.OpenLogs):
            return frame


def line(opening: protocol.OpenLogs, task_id: str, text: bytes, at: float = 5) -> protocol.LogChunk:
    return protocol.LogChunk(
        stream_id=opening.stream_id, task_id=task_id, at=at, source="stdout", text=text
    )


async def read_lines(edges: Edges, path: str) -> list[dict[str, object]]:
    connector = aiohttp.UnixConnector(str(edges.parts.settings.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get(f"http://local{path}") as response,
    ):
        assert response.content_type == "application/x-ndjson"
        return [json.loads(text) for text in (await response.read()).splitlines()]


async def test_lines_carry_the_names_of_task_and_node(edges: Edges, agent: Agent) -> None:
    names = await run_tasks(edges, replicas=2)
    reading = asyncio.create_task(read_lines(edges, "/v1/services/shop_web/logs?tail=5&since=3.5"))
    opening = await opened(agent)
    assert sorted(opening.task_ids) == sorted(names)
    assert (opening.tail, opening.since, opening.follow) == (5, 3.5, False)
    for key in names:
        agent.socket.say(line(opening, key, b"caf\xc3\xa9 \xff"))
    agent.socket.say(protocol.StreamEnd(stream_id=opening.stream_id))
    lines = await reading
    assert sorted(str(item["task"]) for item in lines) == sorted(names.values())
    assert {(item["node"], item["text"], item["source"]) for item in lines} == {
        ("worker1", "caf\u00e9 \ufffd", "stdout")
    }


async def test_one_task_can_be_asked_for_by_the_beginning_of_its_id(
    edges: Edges, agent: Agent
) -> None:
    names = await run_tasks(edges, replicas=3)
    wanted = min(names)
    reading = asyncio.create_task(
        read_lines(edges, f"/v1/services/shop_web/logs?task={wanted[:12]}")
    )
    opening = await opened(agent)
    assert opening.task_ids == (wanted,)
    agent.socket.say(protocol.StreamEnd(stream_id=opening.stream_id))
    assert await reading == []
    status, error = await edges.ask("GET", "/v1/services/shop_web/logs?task=nope")
    assert (status, error["kind"]) == (404, "unknown-name")


async def test_a_node_that_is_not_connected_is_a_line_of_its_own(edges: Edges) -> None:
    agent = await Agent(edges).connect()
    await seen(lambda: node_state(edges) == NodeState.READY)
    await run_tasks(edges, replicas=1)
    await agent.leave()
    lines = await read_lines(edges, "/v1/services/shop_web/logs")
    assert [item["error"] for item in lines] == ["node worker1 is not connected"]


async def test_more_lines_than_the_queue_holds_arrive_and_the_answer_ends(
    edges: Edges, agent: Agent
) -> None:
    names = await run_tasks(edges, replicas=1)
    reading = asyncio.create_task(read_lines(edges, "/v1/services/shop_web/logs"))
    opening = await opened(agent)
    for number in range(1000):
        agent.socket.say(line(opening, next(iter(names)), f"{number}".encode()))
    agent.socket.say(protocol.StreamEnd(stream_id=opening.stream_id))
    async with asyncio.timeout(5):
        assert [item["text"] for item in await reading] == [str(n) for n in range(1000)]


async def test_an_agent_that_ignores_its_credit_is_cut_off(edges: Edges, agent: Agent) -> None:
    await agent.assignment()
    session = edges.parts.sessions.find(NODE)
    assert session is not None
    stream = session.open_logs(lambda number: protocol.OpenLogs(stream_id=number, task_ids=("t",)))
    opening = await opened(agent)
    for _ in range(40):
        agent.socket.say(line(opening, "t", b"x" * (1 << 14)))
    assert isinstance(await agent.socket.hear(), protocol.CloseStream)
    frames = [frame async for frame in stream.frames()]
    assert frames[-1] == protocol.StreamEnd(stream_id=opening.stream_id, error=log_stream.FLOODED)
    assert len(frames) < 40


async def test_a_fault_of_the_agent_is_told(edges: Edges, agent: Agent) -> None:
    await run_tasks(edges, replicas=1)
    reading = asyncio.create_task(read_lines(edges, "/v1/services/shop_web/logs"))
    opening = await opened(agent)
    fault = protocol.StreamEnd(stream_id=opening.stream_id, error="log driver none")
    agent.socket.say(fault)
    assert [item["error"] for item in await reading] == ["log driver none"]


async def test_following_takes_in_tasks_that_start_later_and_ends_with_the_reader(
    edges: Edges, agent: Agent
) -> None:
    names = await run_tasks(edges, replicas=1)
    connector = aiohttp.UnixConnector(str(edges.parts.settings.socket_path))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get("http://local/v1/services/shop_web/logs?follow=1&tail=1") as response,
    ):
        first = await opened(agent)
        assert first.follow
        agent.socket.say(line(first, next(iter(names)), b"one"))
        assert json.loads(await response.content.readline())["text"] == "one"
        later = await run_tasks(edges, replicas=2)
        second = await opened(agent)
        assert set(second.task_ids) == set(later) - set(names)
        assert second.tail is None
        agent.socket.say(line(second, second.task_ids[0], b"two"))
        assert json.loads(await response.content.readline())["text"] == "two"
    closed: set[int] = set()
    while len(closed) < 2:
        frame = await agent.socket.hear()
        if isinstance(frame, protocol.CloseStream):
            closed.add(frame.stream_id)
    assert closed == {first.stream_id, second.stream_id}
