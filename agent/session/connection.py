"""A greeted connection at work: frames in, frames out, heartbeats; ends by raising why.

Three coroutines share the socket. One reads and hands on what the manager says, one sends what the
outbox holds (statuses wait a moment for company, everything else goes at once), one sends
heartbeats and judges by their answers whether to stay.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from agent.clock import Clock
from agent.core.pulse import Pulse
from agent.drivers.logs import LogStreams
from agent.session.link import Link, LinkFailure, LinkStale, LinkUseless
from agent.session.outbox import Outbox
from stackctl.model.assignment import AssignmentSet
from stackctl.wire import increments
from stackctl.wire.agent_protocol import (
    AssignmentMessage,
    CloseStream,
    Credit,
    FetchImage,
    Heartbeat,
    HeartbeatAnswer,
    ManagerFrame,
    OpenLogs,
    TaskReport,
    Welcome,
)

BATCH_SECONDS = 0.02
LOOKS_PER_PERIOD = 5

_log = logging.getLogger(__name__)


FetchRequest = Callable[[FetchImage, int], None]


class Tasks(Protocol):
    """What the session needs of the worker."""

    def held(self) -> AssignmentSet:
        """The assignment set in hand."""

    def hold(self, assignment: AssignmentSet) -> bool:
        """A manager sent this set; False when it is older than the one held."""

    def applied_index(self) -> int:
        """The newest assignment whose network is in force."""

    def reports(self) -> tuple[TaskReport, ...]:
        """The last status of every task of the set."""


class SetLost(LinkStale):
    """An increment does not fit the set in hand: a whole one has to be asked for."""


class Connection:
    """One connection from its greeting to its end."""

    def __init__(
        self,
        link: Link,
        *,
        tasks: Tasks,
        outbox: Outbox,
        make_logs: Callable[[int], LogStreams],
        fetch_image: FetchRequest,
        clock: Clock,
        has_alternatives: bool,
        node_fault: Callable[[], str],
        on_set: Callable[[], None],
        on_alive: Callable[[], None],
    ) -> None:
        """`fetch_image` begins to fetch one for the connection with that number.

        `node_fault` says why this node should not claim to be well, "" when it is.

        `on_set` is called after each set that was taken, `on_alive` after each answer.
        """
        self._link = link
        self._tasks = tasks
        self._outbox = outbox
        self._make_logs = make_logs
        self._fetch_image = fetch_image
        self._clock = clock
        self._node_fault = node_fault
        self._on_set = on_set
        self._on_alive = on_alive
        self._news = asyncio.Event()
        self._sequence = 0
        self._number = 0
        self._pulse = Pulse(
            period_seconds=link.welcome.heartbeat_period_seconds,
            looked_at=clock.elapsed(),
            answered_at=clock.elapsed(),
            beat_at=clock.elapsed(),
            has_alternatives=has_alternatives,
        )

    async def run(self) -> None:
        """Work until the connection ends. Raises LinkFailure or one of its kin."""
        loop = asyncio.get_running_loop()
        number = self._outbox.connect(lambda: loop.call_soon_threadsafe(self._news.set))
        self._outbox.put_all_reports(self._tasks.reports())
        logs = self._make_logs(number)
        self._number = number
        jobs = [
            asyncio.create_task(job) for job in (self._receive(logs), self._send(), self._beat())
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            self._outbox.disconnect()
            logs.close_all()
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _receive(self, logs: LogStreams) -> None:
        while True:
            self._handle(await self._link.receive(), logs)

    def _handle(self, frame: ManagerFrame, logs: LogStreams) -> None:
        match frame:
            case HeartbeatAnswer():
                self._pulse = self._pulse.after_answer(
                    now=self._clock.elapsed(), has_leader=frame.has_leader
                )
                self._on_alive()
            case AssignmentMessage():
                self._take_set(frame)
            case OpenLogs():
                logs.open(frame)
            case Credit():
                logs.grant(frame.stream_id, frame.credit_bytes)
            case CloseStream():
                logs.close(frame.stream_id)
            case FetchImage():
                self._fetch_image(frame, self._number)
            case Welcome():
                raise LinkFailure("it said welcome twice")

    def _take_set(self, message: AssignmentMessage) -> None:
        assignment = message.full
        if message.increment is not None:
            try:
                assignment = increments.patch(
                    self._tasks.held(), message.increment, term=message.term, index=message.index
                )
            except ValueError as error:
                raise SetLost(str(error)) from error
        if assignment is None:
            raise LinkFailure("it sent an assignment without content")
        if not self._tasks.hold(assignment):
            raise LinkFailure("it offers an assignment older than the one held")
        self._on_set()

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            if not self._outbox.has_urgent():
                await asyncio.sleep(BATCH_SECONDS)
            self._news.clear()
            for frame in self._outbox.take():
                await self._link.send(frame)

    async def _beat(self) -> None:
        while True:
            self._judge()
            if self._clock.elapsed() >= self._pulse.beat_at:
                self._sequence += 1
                await self._link.send(
                    Heartbeat(sequence=self._sequence, applied_index=self._tasks.applied_index())
                )
                self._pulse = self._pulse.after_beat(now=self._clock.elapsed())
            await asyncio.sleep(self._pulse.period_seconds / LOOKS_PER_PERIOD)

    def _judge(self) -> None:
        now = self._clock.elapsed()
        if self._pulse.stood_still(now=now):
            raise LinkStale(f"this node stood still for {now - self._pulse.looked_at:.1f} s")
        self._pulse = self._pulse.after_look(now=now)
        fault = self._pulse.fault(now=now)
        if fault:
            raise LinkUseless(fault)
        fault = self._node_fault()
        if fault:
            raise LinkStale(f"not claiming to be well: {fault}")
