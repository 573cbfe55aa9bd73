"""Forwarding: a follower tells the leader which agents it heard of, and what they acknowledged.

Ages travel, not times: the managers' clocks need not agree. Heartbeats go every period, together
with acknowledgements; while some task waits to be stopped, acknowledgements go at once, because
that is what it waits for. Nothing here enters the log.
"""

import asyncio
import contextlib
import logging

from stackctl.core import endpoints
from stackctl.errors import StackctlError
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.liveness import Liveness
from stackctl.manager.machine import Publication
from stackctl.manager.peers import Peers
from stackctl.manager.sessions import Sessions
from stackctl.model.structs import StrictModel
from stackctl.state.events import Kind

PATH = "/v1/internal/heartbeats"
GATHER_SECONDS = 0.02
TIMEOUT_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Beat(StrictModel, frozen=True, kw_only=True):
    """One agent: how long ago it was heard of, and the newest index it has in force."""

    node_id: str
    age_seconds: float
    acknowledged_index: int = 0


class Beats(StrictModel, frozen=True, kw_only=True):
    """The agents connected to the sending manager."""

    beats: tuple[Beat, ...] = ()


def take_beats(beats: Beats, *, manager_id: str, liveness: Liveness, now: float) -> None:
    """What another manager forwarded becomes known here; `now` is monotonic."""
    liveness.hear_messenger(manager_id, at=now)
    for beat in beats.beats:
        liveness.hear(beat.node_id, at=now - max(beat.age_seconds, 0.0))
        liveness.acknowledge(beat.node_id, beat.acknowledged_index)


class Forwarding:
    """The loop that forwards, on every manager; it rests while this one leads."""

    def __init__(
        self,
        *,
        cluster: ReplicatedCluster,
        sessions: Sessions,
        liveness: Liveness,
        peers: Peers,
        clock: Clock,
        period_seconds: float,
    ) -> None:
        self._cluster = cluster
        self._sessions = sessions
        self._peers = peers
        self._clock = clock
        self._period_seconds = period_seconds
        self._hurry = asyncio.Event()
        self._hurry_until = 0.0
        self._is_failing = False
        liveness.subscribe_acknowledged(self._on_acknowledged)
        cluster.subscribe(self._on_change)

    async def run(self) -> None:
        """Forwards until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period_seconds):
                    await self._hurry.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            self._hurry.clear()
            leadership = self._cluster.leadership
            if leadership.leader_id is None or leadership.is_leader:
                continue
            await self._forward(leadership.leader_id)

    def _on_acknowledged(self) -> None:
        if self._clock.monotonic() < self._hurry_until:
            self._hurry.set()

    def _on_change(self, publication: Publication) -> None:
        tasks = publication.state.tasks
        for event in publication.events:
            task = tasks.get(event.object_id) if event.kind == Kind.TASK else None
            if task is not None and not (task.is_wanted or task.released or task.has_ended):
                self._hurry_until = self._clock.monotonic() + endpoints.RELEASE_WAIT_SECONDS
                self._hurry.set()
                return

    async def _forward(self, leader_id: str) -> None:
        now = self._clock.monotonic()
        beats = Beats(
            beats=tuple(
                Beat(
                    node_id=session.node_id,
                    age_seconds=now - session.heard_at,
                    acknowledged_index=session.feed.acknowledged_index,
                )
                for session in self._sessions.all()
            )
        )
        try:
            await self._peers.post(leader_id, PATH, body=beats, timeout_seconds=TIMEOUT_SECONDS)
        except StackctlError as error:
            if not self._is_failing:
                _log.warning("heartbeats do not reach the leader: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False
