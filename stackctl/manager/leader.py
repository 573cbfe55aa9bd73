"""The leader's loop: events say where to look, rounds decide, one log entry carries a round.

It never polls: between rounds it sleeps until an event, an acknowledgement of a node, a time that a
round asked for, or the full round of every minute. A new leader starts with a full round; no
decision is remembered anywhere but in the replicated state, so there is nothing to hand over.

A round is computed on another thread: a large one must not keep heartbeats waiting.
"""

import asyncio
import contextlib
import logging

from stackctl.core import rounds
from stackctl.core.agenda import Agenda
from stackctl.errors import ClusterUnavailable
from stackctl.manager import clock as clocks
from stackctl.manager import decision_log
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster, start_task, stop_task
from stackctl.manager.consensus import Leadership
from stackctl.manager.liveness import Liveness
from stackctl.manager.machine import Publication
from stackctl.manager.node_watch import NodeWatch, Probe, answers
from stackctl.state import commands
from stackctl.state.events import Event
from stackctl.state.results import Rejection

RETRY_FIRST_SECONDS = 0.1
RETRY_MAX_SECONDS = 5.0
CHANGES_PER_ENTRY_MAX = 1000  # an entry of the log has a limit; each change stands for itself
PAUSE_MIN_SECONDS = 0.02  # two rounds without any event in between are at least this far apart

_log = logging.getLogger(__name__)


class LeaderLoop:
    """Runs the controllers while this manager leads, and rests otherwise."""

    def __init__(
        self,
        *,
        cluster: ReplicatedCluster,
        liveness: Liveness,
        clock: Clock,
        down_seconds: float,
        probe: Probe = answers,
    ) -> None:
        self._cluster = cluster
        self._liveness = liveness
        self._clock = clock
        self._watch = NodeWatch(
            cluster=cluster,
            liveness=liveness,
            clock=clock,
            down_seconds=down_seconds,
            probe=probe,
        )
        self._events: list[Event] = []
        self._look_at_everything = False
        self._has_acknowledgement = False
        self._wake = asyncio.Event()
        self._leadership_changed = asyncio.Event()
        cluster.subscribe(self._on_change)
        cluster.subscribe_leadership(self._on_leadership)
        liveness.subscribe_acknowledged(self._on_acknowledged)

    async def run(self) -> None:
        """Leads whenever this manager is the leader, until cancelled."""
        leading: asyncio.Task[None] | None = None
        led_term = 0
        try:
            while True:
                self._leadership_changed.clear()
                leadership = self._cluster.leadership
                term = leadership.term if leadership.is_leader else 0
                if term != led_term:
                    await stop_task(leading)
                    leading = start_task(self._lead(term), name="leading") if term else None
                    led_term = term
                await self._leadership_changed.wait()
        finally:
            await stop_task(leading)

    def _on_leadership(self, _leadership: Leadership) -> None:
        self._leadership_changed.set()

    def _on_change(self, publication: Publication) -> None:
        if not self._cluster.leadership.is_leader:
            return
        self._events.extend(publication.events)
        self._look_at_everything |= publication.everything
        self._wake.set()

    def _on_acknowledged(self) -> None:
        self._has_acknowledgement = True
        self._wake.set()

    async def _lead(self, term: int) -> None:
        pause = RETRY_FIRST_SECONDS
        while True:
            with contextlib.suppress(ClusterUnavailable):
                await self._cluster.read()
                break
            await asyncio.sleep(pause)
        _log.info("leading term %d", term)
        watch = start_task(self._watch.run(term), name="node watch")
        try:
            await self._decide(term)
        finally:
            await stop_task(watch)
            _log.info("no longer leading term %d", term)

    async def _decide(self, term: int) -> None:
        agenda = Agenda()
        pause = RETRY_FIRST_SECONDS
        while True:
            agenda = self._with_news(agenda)
            now = self._clock.now()
            agenda = agenda.at(now)
            if not agenda.is_due:
                await self._rest(min(agenda.next_at, agenda.full_round_at) - now)
                continue
            try:
                done = await self._round(agenda, term=term, now=now)
            except (ClusterUnavailable, Rejection) as error:
                _log.warning("a round of term %d was not accepted: %s", term, error)
            except Exception:  # noqa: BLE001 - the top of the leader's loop: a fault in one round
                # must not end leadership; it is logged and everything is looked at again
                _log.exception("a round of term %d failed", term)
            else:
                agenda = agenda.after(done, now=now)
                pause = RETRY_FIRST_SECONDS
                continue
            agenda = Agenda()
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_MAX_SECONDS)

    def _with_news(self, agenda: Agenda) -> Agenda:
        if self._look_at_everything:
            agenda = Agenda()
        events, self._events = self._events, []
        acknowledged, self._has_acknowledgement = self._has_acknowledgement, False
        self._look_at_everything = False
        self._wake.clear()
        agenda = agenda.with_events(events)
        return agenda.acknowledged() if acknowledged else agenda

    async def _round(self, agenda: Agenda, *, term: int, now: float) -> rounds.Round:
        service_ids = None if agenda.everything else agenda.services
        done = await asyncio.to_thread(
            rounds.run_round,
            self._cluster.state,
            now=now,
            new_id=clocks.new_id,
            acknowledged=self._liveness.acknowledged,
            service_ids=service_ids,
            rest=agenda.rest,
        )
        for start in range(0, len(done.changes), CHANGES_PER_ENTRY_MAX):
            part = done.changes[start : start + CHANGES_PER_ENTRY_MAX]
            await self._cluster.propose(commands.ApplyRound(term=term, changes=part, now=now))
        decision_log.log_decisions(self._cluster.state, done.changes)
        _log.debug("a round over %d services: %d changes", len(done.looked_at), len(done.changes))
        return done

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, PAUSE_MIN_SECONDS)):
                await self._wake.wait()
