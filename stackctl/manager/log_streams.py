"""The output of a whole service: one source per node, merged as lines arrive.

When following, tasks that start later join in, and a source that broke off is opened again from the
last line it had, once its node can be reached. The queue between sources and reader is short: a
slow reader slows the agents, through their credit.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable

import msgspec

from stackctl.manager import log_sources
from stackctl.manager.log_request import LogRange, TaskLogRequest
from stackctl.manager.parts import Parts
from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.wire import api

QUEUE_LINES = 256
LOOK_AGAIN_SECONDS = 0.5
JUST_AFTER_SECONDS = 1e-6

_log = logging.getLogger(__name__)


class ServiceLogs:
    """One reader's view of a service's output."""

    def __init__(
        self, parts: Parts, *, service_id: str, task_ids: frozenset[str], wanted: LogRange
    ) -> None:
        """`task_ids` empty means all tasks of the service, also those to come."""
        self._parts = parts
        self._service_id = service_id
        self._task_ids = task_ids
        self._wanted = wanted
        self._queue: asyncio.Queue[api.LogLine | None] = asyncio.Queue(QUEUE_LINES)
        self._opened: set[str] = set()
        self._resume_at: dict[str, float] = {}
        self._told: dict[str, str] = {}  # node id -> fault that the reader was told last

    async def lines(self) -> AsyncGenerator[api.LogLine, None]:
        """Lines as they come; ends when all tasks' output has ended, never when following."""
        opening = asyncio.create_task(self._open_all(), name="log sources")
        try:
            while (line := await self._queue.get()) is not None:
                yield line
        finally:
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening

    async def _open_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._open_new(group, is_first=True)
                while self._wanted.follow and self._exists():
                    index = self._parts.cluster.state.index
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
                    await self._parts.cluster.wait_beyond(index, timeout_seconds=5.0)
                    self._open_new(group, is_first=False)
        except* Exception:  # noqa: BLE001 - the top of this task: the reader gets what there is
            _log.exception("the logs of service %s broke off", self._service_id)
        await self._queue.put(None)

    def _exists(self) -> bool:
        return self._service_id in self._parts.cluster.state.services

    def _open_new(self, group: asyncio.TaskGroup, *, is_first: bool) -> None:
        by_node: dict[str, list[str]] = {}
        for task in self._tasks():
            if task.id not in self._opened and self._can_open(task, is_first=is_first):
                by_node.setdefault(task.node_id, []).append(task.id)
        for node_id, task_ids in by_node.items():
            self._opened.update(task_ids)
            group.create_task(self._pump(node_id, tuple(task_ids), is_first=is_first))

    def _tasks(self) -> Iterable[objects.Task]:
        tasks = self._parts.cluster.state.tasks_of(self._service_id).values()
        return [task for task in tasks if not self._task_ids or task.id in self._task_ids]

    def _can_open(self, task: objects.Task, *, is_first: bool) -> bool:
        if not task.node_id or task.status.state < TaskState.STARTING:
            return False
        if is_first:
            return True
        node = self._parts.cluster.state.nodes.get(task.node_id)
        return node is not None and node.state == NodeState.READY

    async def _pump(self, node_id: str, task_ids: tuple[str, ...], *, is_first: bool) -> None:
        wanted = self._wanted
        if not is_first:
            resume = min((self._resume_at.get(key, 0.0) for key in task_ids), default=0.0)
            wanted = msgspec.structs.replace(wanted, tail=None, since=max(resume, wanted.since))
        request = TaskLogRequest(node_id=node_id, task_ids=task_ids, range=wanted)
        lines = log_sources.lines_of_node(self._parts, request)
        broke_off = False
        async with contextlib.aclosing(lines):
            async for line in lines:
                broke_off |= bool(line.error)
                if line.error and self._told.get(node_id) == line.error:
                    continue
                self._told[node_id] = line.error
                if line.task_id:
                    self._resume_at[line.task_id] = line.at + JUST_AFTER_SECONDS
                await self._queue.put(line)
        if broke_off and self._wanted.follow:
            self._opened.difference_update(task_ids)
