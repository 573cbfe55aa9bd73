"""A silent agent is not a lost node as long as the node itself answers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from stackctl.manager import node_watch
from stackctl.manager.clock import SystemClock
from stackctl.manager.node_watch import NodeWatch
from stackctl.model.objects import NodeState
from tests.manager_parts import Edges, running_edges
from tests.unit.manager.test_sessions import seen

DOWN_SECONDS = 0.2


class ToldProbe:
    """A probe that says what the test told it."""

    def __init__(self) -> None:
        self.is_answering = True
        self.asked: list[str] = []

    async def __call__(self, address: str) -> bool:
        self.asked.append(address)
        return self.is_answering


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path, node_down_seconds=1000.0) as running:
        await running.connect_node("w1", "worker1")
        yield running


@contextlib.asynccontextmanager
async def watching(edges: Edges, probe: ToldProbe, *, absent_seconds: float) -> AsyncIterator[None]:
    watch = NodeWatch(
        cluster=edges.parts.cluster,
        liveness=edges.parts.liveness,
        clock=SystemClock(),
        down_seconds=DOWN_SECONDS,
        probe=probe,
        absent_seconds=absent_seconds,
    )
    running = asyncio.create_task(watch.run(edges.parts.cluster.leadership.term))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


def state_of(edges: Edges) -> NodeState:
    return edges.parts.cluster.state.nodes["w1"].state


async def test_a_node_that_answers_is_unknown_until_its_agent_is_back(edges: Edges) -> None:
    probe = ToldProbe()
    async with watching(edges, probe, absent_seconds=60.0):
        await seen(lambda: state_of(edges) == NodeState.UNKNOWN)
        assert "the node answers" in edges.parts.cluster.state.nodes["w1"].state_message
        assert set(probe.asked) == {"192.0.2.1"}
        await edges.connect_node("w1", "worker1")
        assert state_of(edges) == NodeState.READY


async def test_a_node_that_stops_answering_is_down_at_once(edges: Edges) -> None:
    probe = ToldProbe()
    async with watching(edges, probe, absent_seconds=60.0):
        await seen(lambda: state_of(edges) == NodeState.UNKNOWN)
        probe.is_answering = False
        await seen(lambda: state_of(edges) == NodeState.DOWN)


async def test_an_agent_that_never_returns_is_given_up(edges: Edges) -> None:
    async with watching(edges, ToldProbe(), absent_seconds=0.6):
        await seen(lambda: state_of(edges) == NodeState.DOWN)
    assert "its agent was not heard of" in edges.parts.cluster.state.nodes["w1"].state_message


@pytest.mark.parametrize("is_listening", [True, False])
async def test_an_accepted_and_a_refused_connection_are_signs_of_life(
    is_listening: bool,
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if is_listening:
            listener.listen()
        answered = await node_watch.answers("127.0.0.1", port=listener.getsockname()[1])
    assert answered


async def test_a_node_without_an_address_gives_no_sign_of_life() -> None:
    assert not await node_watch.answers("")
