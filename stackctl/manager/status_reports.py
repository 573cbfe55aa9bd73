"""Status reports of one node on their way into the log: gathered for a moment, then proposed.

One proposal at a time per node: while it is under way, the next ones gather, so a node that starts
sixty tasks costs a few entries and a lone report waits only for the window. Reports keep their
order. What could not be proposed until the connection ends is dropped: an agent reports everything
anew when it connects.
"""

import asyncio
import logging

from stackctl.errors import ClusterUnavailable
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.state import commands
from stackctl.state.results import Rejection
from stackctl.wire.agent_protocol import TaskReport

WINDOW_SECONDS = 0.01
REPORTS_PER_ENTRY_MAX = 200
RETRY_SECONDS = 0.3

_log = logging.getLogger(__name__)


class StatusReports:
    """The queue of reports of one connection."""

    def __init__(self, node_id: str, *, cluster: ReplicatedCluster, clock: Clock) -> None:
        self._node_id = node_id
        self._cluster = cluster
        self._clock = clock
        self._waiting: list[TaskReport] = []
        self._filled = asyncio.Event()

    def add(self, reports: tuple[TaskReport, ...]) -> None:
        """Queues reports."""
        self._waiting.extend(reports)
        if self._waiting:
            self._filled.set()

    async def run(self) -> None:
        """Proposes what is queued, until cancelled."""
        while True:
            await self._filled.wait()
            if len(self._waiting) < REPORTS_PER_ENTRY_MAX:
                await asyncio.sleep(WINDOW_SECONDS)
            batch = tuple(self._waiting[:REPORTS_PER_ENTRY_MAX])
            del self._waiting[:REPORTS_PER_ENTRY_MAX]
            if not self._waiting:
                self._filled.clear()
            await self._propose(batch)

    async def _propose(self, batch: tuple[TaskReport, ...]) -> None:
        command = commands.ReportTasks(node_id=self._node_id, reports=batch, now=self._clock.now())
        while True:
            try:
                await self._cluster.propose(command)
            except ClusterUnavailable as error:
                _log.warning("reports of node %s wait: %s", self._node_id, error)
                await asyncio.sleep(RETRY_SECONDS)
            except Rejection as rejection:
                _log.warning("reports of node %s refused: %s", self._node_id, rejection)
                return
            else:
                return
