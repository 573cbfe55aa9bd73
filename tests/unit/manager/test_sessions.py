"""Agent sessions on a fake log and a fake connection."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from stackctl.errors import Denied
from stackctl.manager.callers import LOCAL, Caller
from stackctl.model.objects import NodeState, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.wire import agent_protocol as protocol
from tests.eventually import eventually
from tests.fakes.frame_socket import FakeFrameSocket
from tests.manager_parts import Edges, description, running_edges, small_stack

NODE = "w1"


class Agent:
    """A scripted agent over a fake socket."""

    def __init__(self, edges: Edges, *, index: int = 0, term: int = 0) -> None:
        self.edges = edges
        self.socket = FakeFrameSocket()
        self.hello = protocol.Hello(
            protocol_version=protocol.PROTOCOL_VERSION,
            node_id=NODE,
            description=description("worker1"),
            term=term,
            index=index,
        )
        self.serving: asyncio.Task[None] | None = None

    async def connect(self) -> "Agent":
        serving = self.edges.parts.sessions.serve(self.socket, hello=self.hello, caller=LOCAL)
        self.serving = asyncio.create_task(serving)
        assert isinstance(await self.socket.hear(), protocol.Welcome)
        return self

    async def leave(self) -> None:
        self.socket.to_manager.put_nowait(None)
        await self.ended()

    async def ended(self) -> None:
        assert self.serving is not None
        async with asyncio.timeout(2):
            await self.serving

    async def assignment(self) -> protocol.AssignmentMessage:
        """The next assignment; other frames are passed over."""
        while True:
            frame = await self.socket.hear()
            if isinstance(frame, protocol.AssignmentMessage):
                return frame


async def seen(check: Any, *, timeout_seconds: float = 2) -> Any:
    """`eventually`, while the event loop goes on."""
    return await asyncio.to_thread(eventually, check, timeout_seconds=timeout_seconds)


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path) as running:
        await running.admit_node(NODE, "worker1")
        yield running


@pytest_asyncio.fixture
async def agent(edges: Edges) -> AsyncIterator[Agent]:
    own = await Agent(edges).connect()
    yield own
    with contextlib.suppress(TimeoutError):
        await own.leave()


def node_state(edges: Edges) -> NodeState:
    return edges.parts.cluster.state.nodes[NODE].state


async def test_a_connected_agent_makes_its_node_ready(edges: Edges, agent: Agent) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    node = edges.parts.cluster.state.nodes[NODE]
    assert node.session_manager_id == edges.parts.identity.node_id
    first = await agent.assignment()
    assert first.full is not None


async def test_a_heartbeat_is_answered_with_whether_there_is_a_leader(
    edges: Edges, agent: Agent
) -> None:
    await agent.assignment()
    agent.socket.say(protocol.Heartbeat(sequence=1))
    assert await agent.socket.hear() == protocol.HeartbeatAnswer(sequence=1, has_leader=True)
    edges.consensus.lose_leader()
    await seen(lambda: edges.parts.cluster.leadership.leader_id is None)
    agent.socket.say(protocol.Heartbeat(sequence=2))
    assert await agent.socket.hear() == protocol.HeartbeatAnswer(sequence=2, has_leader=False)


async def test_tasks_are_pushed_and_their_reports_enter_the_log(edges: Edges, agent: Agent) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    await agent.assignment()
    await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    pushed = await agent.assignment()
    assert pushed.increment is not None
    tasks = pushed.increment.put_tasks
    assert [task.name for task in sorted(tasks, key=lambda task: task.slot)] == [
        "shop_web.1",
        "shop_web.2",
    ]
    running = TaskStatus(state=TaskState.RUNNING, at=1)
    agent.socket.say(
        protocol.StatusReport(
            reports=tuple(protocol.TaskReport(task_id=task.id, status=running) for task in tasks)
        )
    )
    state = edges.parts.cluster
    await seen(
        lambda: {task.status.state for task in state.state.tasks.values()} == {TaskState.RUNNING}
    )
    backends = await agent.assignment()
    assert backends.increment is not None
    assert len(backends.increment.put_endpoints[0].backends) == 2


async def test_what_is_confirmed_counts_while_nothing_of_the_node_changes(
    edges: Edges, agent: Agent
) -> None:
    first = await agent.assignment()
    agent.socket.say(protocol.Applied(index=first.index))
    liveness, cluster = edges.parts.liveness, edges.parts.cluster
    await seen(lambda: liveness.acknowledged.get(NODE, 0) >= first.index)
    for number in range(3):
        await edges.admit_node(f"x{number}", f"x{number}")
    await seen(lambda: liveness.acknowledged[NODE] == cluster.state.index)


async def test_a_newer_connection_of_a_node_ends_the_older(edges: Edges, agent: Agent) -> None:
    newer = await Agent(edges).connect()
    await agent.ended()
    assert agent.socket.aborted
    assert edges.parts.sessions.find(NODE) is not None
    await newer.leave()
    assert edges.parts.sessions.find(NODE) is None


async def test_a_connection_ends_when_another_manager_has_the_agent(
    edges: Edges, agent: Agent
) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    await edges.parts.cluster.propose(
        commands.SeeNode(
            node_id=NODE, manager_id="other", description=description("worker1"), now=2
        )
    )
    await agent.ended()
    assert agent.socket.aborted


async def test_a_node_declared_down_has_to_connect_anew(edges: Edges, agent: Agent) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    term = edges.parts.cluster.leadership.term
    lost = commands.LoseNode(node_id=NODE, term=term, message="silent", now=2)
    await edges.parts.cluster.propose(lost)
    await agent.ended()
    again = await Agent(edges).connect()
    await seen(lambda: node_state(edges) == NodeState.READY)
    await again.leave()


async def test_a_removed_node_loses_its_connection_and_gets_no_new_one(
    edges: Edges, agent: Agent
) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    await edges.ask("DELETE", "/v1/nodes/worker1?force=1")
    await agent.ended()
    socket = FakeFrameSocket()
    with pytest.raises(Denied, match="no node of this cluster"):
        await edges.parts.sessions.serve(socket, hello=agent.hello, caller=LOCAL)
    dismissal = await socket.hear()
    assert isinstance(dismissal, protocol.Dismissal)
    assert dismissal.index >= edges.parts.cluster.state.index


async def test_a_certificate_speaks_for_its_own_node_only(edges: Edges) -> None:
    caller = Caller(kind="worker", node_id="other")
    with pytest.raises(Denied, match="does not speak for"):
        await edges.parts.sessions.serve(FakeFrameSocket(), hello=Agent(edges).hello, caller=caller)


async def test_an_agent_that_knows_more_waits_for_the_manager_to_catch_up(edges: Edges) -> None:
    ahead = edges.parts.cluster.state.index + 3
    agent = await Agent(edges, index=ahead, term=1).connect()
    with pytest.raises(TimeoutError):
        await agent.socket.hear(timeout_seconds=0.2)
    for number in range(3):
        await edges.admit_node(f"x{number}", f"x{number}")
    message = await agent.assignment()
    assert message.index >= ahead
    await agent.leave()


async def test_a_frozen_agent_blocks_nobody(edges: Edges, agent: Agent) -> None:
    await seen(lambda: node_state(edges) == NodeState.READY)
    agent.socket.unblocked.clear()
    status, _ = await edges.ask("PUT", "/v1/stacks/shop", small_stack())
    assert status == 200
    session = edges.parts.sessions.find(NODE)
    assert session is not None
    session.abort("test")
    await agent.ended()


async def test_an_agent_that_lost_its_set_says_hello_again(edges: Edges, agent: Agent) -> None:
    assert (await agent.assignment()).full is not None
    agent.socket.say(agent.hello)
    assert (await agent.assignment()).full is not None
    assert edges.parts.sessions.find(NODE) is not None


async def test_log_lines_cost_credit_that_comes_back_as_they_are_read(
    edges: Edges, agent: Agent
) -> None:
    await agent.assignment()
    session = edges.parts.sessions.find(NODE)
    assert session is not None
    stream = session.open_logs(
        lambda number: protocol.OpenLogs(stream_id=number, task_ids=("t1",), credit_bytes=1 << 18)
    )
    opening = await agent.socket.hear()
    assert isinstance(opening, protocol.OpenLogs)
    chunk = protocol.LogChunk(
        stream_id=opening.stream_id, task_id="t1", at=1, source="stdout", text=b"x" * (1 << 15)
    )
    for _ in range(3):
        agent.socket.say(chunk)
    frames = stream.frames()
    for _ in range(3):
        assert await anext(frames) == chunk
    agent.socket.say(protocol.StreamEnd(stream_id=opening.stream_id))
    assert isinstance(await anext(frames), protocol.StreamEnd)
    credit = await agent.socket.hear()
    assert credit == protocol.Credit(stream_id=opening.stream_id, credit_bytes=1 << 16)
    await frames.aclose()
    stream.close()


async def test_a_reader_that_leaves_closes_the_stream_and_a_lost_node_ends_it(
    edges: Edges, agent: Agent
) -> None:
    await agent.assignment()
    session = edges.parts.sessions.find(NODE)
    assert session is not None
    left = session.open_logs(lambda number: protocol.OpenLogs(stream_id=number, task_ids=("t",)))
    stays = session.open_logs(lambda number: protocol.OpenLogs(stream_id=number, task_ids=("t",)))
    first, second = await agent.socket.hear(), await agent.socket.hear()
    assert isinstance(first, protocol.OpenLogs)
    assert isinstance(second, protocol.OpenLogs)
    left.close()
    assert await agent.socket.hear() == protocol.CloseStream(stream_id=first.stream_id)
    await agent.leave()
    async for frame in stays.frames():
        assert frame == protocol.StreamEnd(
            stream_id=second.stream_id, error="the connection to the node was lost"
        )
