"""The leader's watch over nodes: who was silent for too long is declared down, through the log.

A silent agent is not always a lost node. When the agent alone has ended, its containers run on, and
moving them would be the only harm done. So the silent node itself is asked: any answer to a TCP
connection, a refusal too, is a sign of life that a lost, cut off or frozen node does not give. A
node that answers is UNKNOWN: it keeps its tasks and gets no new ones, until its agent is back, the
node falls silent too, or `ABSENT_SECONDS` have passed.

A verdict needs two looks with a moment in between in which the event loop takes in what has arrived
meanwhile. If the loop itself was late, this manager was frozen or overloaded, and every node gets a
fresh grace. That an agent connected counts as hearing of its node: the entry in the log arrives
here before the first heartbeat that its manager forwards.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from stackctl.errors import ClusterUnavailable
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.liveness import Liveness, Silence
from stackctl.manager.machine import Publication
from stackctl.manager.settings import API_PORT
from stackctl.model.objects import Node, NodeState
from stackctl.state import commands
from stackctl.state.events import Kind
from stackctl.state.results import Rejection

PULSE_SECONDS = 0.5
SECOND_LOOK_SECONDS = 0.05
LATE_SECONDS = 1.0
PROBE_SECONDS = 0.5
ABSENT_SECONDS = 30.0
VERDICT_SECONDS = 2.0  # a verdict that the others do not confirm by then is looked at anew

Probe = Callable[[str], Awaitable[bool]]  # an address -> whether the node there answers

_log = logging.getLogger(__name__)


async def answers(address: str, *, port: int = API_PORT) -> bool:
    """True when the node at the address gives any sign of life within `PROBE_SECONDS`."""
    if not address:
        return False
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(address, port)
    except ConnectionRefusedError:
        return True
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


class NodeWatch:
    """Judges nodes while this manager leads."""

    def __init__(
        self,
        *,
        cluster: ReplicatedCluster,
        liveness: Liveness,
        clock: Clock,
        down_seconds: float,
        probe: Probe,
        absent_seconds: float = ABSENT_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._liveness = liveness
        self._clock = clock
        self._down_seconds = down_seconds
        # The node is asked before the verdict is due, so that asking does not delay it.
        self._suspect_seconds = max(down_seconds - PROBE_SECONDS, 0.0)
        self._probe = probe
        self._absent_seconds = absent_seconds
        cluster.subscribe(self._on_change)

    async def run(self, term: int) -> None:
        """Watches until cancelled; verdicts are those of the leader of `term`."""
        self._grant_grace()
        while True:
            now = self._clock.monotonic()
            deadline = self._liveness.next_deadline(
                self._cluster.state.nodes.values(), now=now, down_seconds=self._suspect_seconds
            )
            pause = PULSE_SECONDS if deadline is None else min(deadline - now, PULSE_SECONDS)
            if await self._is_late_after(max(pause, 0.0)) or not self._silences():
                continue
            if await self._is_late_after(SECOND_LOOK_SECONDS):
                continue
            verdicts = [self._judge(silence, term) for silence in self._silences()]
            await asyncio.gather(*verdicts)

    def _on_change(self, publication: Publication) -> None:
        now = self._clock.monotonic()
        for event in publication.events:
            if event.kind != Kind.NODE:
                continue
            before = publication.before.nodes.get(event.object_id)
            node = publication.state.nodes.get(event.object_id)
            if node is None:
                self._liveness.forget([event.object_id])
            elif node.state == NodeState.READY and (
                before is None
                or before.state != NodeState.READY
                or before.session_manager_id != node.session_manager_id
            ):
                self._liveness.hear(node.id, at=now)

    def _silences(self) -> list[Silence]:
        return self._liveness.silences(
            self._cluster.state.nodes.values(),
            now=self._clock.monotonic(),
            down_seconds=self._suspect_seconds,
        )

    async def _is_late_after(self, pause_seconds: float) -> bool:
        """Waits; True when it took so much longer that our own clockwork must have stood still."""
        before = self._clock.monotonic()
        await asyncio.sleep(pause_seconds)
        late = self._clock.monotonic() - before - pause_seconds
        if late <= LATE_SECONDS:
            return False
        _log.warning("this manager stood still for %.1f s: nodes get a fresh grace", late)
        self._grant_grace()
        return True

    def _grant_grace(self) -> None:
        self._liveness.grant_grace(self._cluster.state.nodes, at=self._clock.monotonic())

    async def _judge(self, silence: Silence, term: int) -> None:
        node = silence.node
        is_answering = await self._probe(node.description.data_address)
        silent_seconds = self._silent_seconds(node.id)
        if silent_seconds < self._down_seconds:
            await asyncio.sleep(min(self._down_seconds - silent_seconds, PROBE_SECONDS))
            silent_seconds = self._silent_seconds(node.id)
        if silent_seconds < self._down_seconds:
            return
        if not is_answering:
            why = f"heartbeat failure: not heard of for {silent_seconds:.1f} s"
            await self._declare(node, NodeState.DOWN, why, term)
        elif silent_seconds >= self._absent_seconds:
            why = f"its agent was not heard of for {silent_seconds:.0f} s"
            await self._declare(node, NodeState.DOWN, why, term)
        elif node.state == NodeState.READY:
            why = "its agent is not heard of, but the node answers: its tasks are left alone"
            await self._declare(node, NodeState.UNKNOWN, why, term)

    def _silent_seconds(self, node_id: str) -> float:
        return self._liveness.silence_seconds(node_id, now=self._clock.monotonic())

    async def _declare(self, node: Node, state: NodeState, why: str, term: int) -> None:
        command = commands.LoseNode(
            node_id=node.id, term=term, message=why, state=state, now=self._clock.now()
        )
        try:
            await self._cluster.propose(command, timeout_seconds=VERDICT_SECONDS)
        except (ClusterUnavailable, Rejection) as error:
            _log.warning("node %s is not declared %s: %s", node.hostname, state.value, error)
        else:
            _log.warning("node %s is %s: %s", node.hostname, state.value, why)
