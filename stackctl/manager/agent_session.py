"""One agent's connection: its frames in, assignments and answers out.

Three tasks per session: one reads, one writes (the only one that sends, so a slow agent blocks
nobody else), one proposes status reports; a fourth, short one brings the node's description into
the log. Assignments are not queued: the writer computes the newest one when the connection takes
it.

A session ends when the connection does, when a newer one of the same node replaces it here or on
another manager, when the node is removed, and when the leader declared the node down although the
connection seems alive: the agent then connects anew and is READY again.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable

from stackctl.errors import ClusterUnavailable
from stackctl.manager.assignment_feed import AssignmentFeed
from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.frame_socket import FrameSocket
from stackctl.manager.image_stream import ImageStream
from stackctl.manager.log_stream import LogStream
from stackctl.manager.pacing import Pacing
from stackctl.manager.status_reports import StatusReports
from stackctl.manager.vault import Vault
from stackctl.model.objects import NodeDescription, NodeState
from stackctl.state import commands
from stackctl.state.results import Rejection
from stackctl.wire import agent_protocol as protocol

PUSH_PERIOD_SECONDS = 0.02  # two assignments to one node are at least this far apart
ANNOUNCE_RETRY_SECONDS = 0.5
CATCH_UP_SECONDS = 5.0

_log = logging.getLogger(__name__)


class AgentSession:
    """A connected agent."""

    def __init__(
        self,
        hello: protocol.Hello,
        *,
        connection: FrameSocket,
        manager_id: str,
        cluster: ReplicatedCluster,
        vault: Vault,
        clock: Clock,
        pacing: Pacing,
        on_heard: Callable[["AgentSession"], None],
    ) -> None:
        self.node_id = hello.node_id
        self.heard_at = clock.monotonic()
        self.feed = AssignmentFeed(hello.node_id, vault=vault)
        self._hello = hello
        self._connection = connection
        self._manager_id = manager_id
        self._cluster = cluster
        self._clock = clock
        self._pacing = pacing
        self._on_heard = on_heard
        self._reports = StatusReports(hello.node_id, cluster=cluster, clock=clock)
        self._outbox: deque[protocol.ManagerFrame] = deque()
        self._wake = asyncio.Event()
        self._is_dirty = True
        self._may_push = False
        self._push_after = 0.0
        self._announced_index: int | None = None
        self._description = hello.description
        self._described = asyncio.Event()
        self._streams: dict[int, LogStream] = {}
        self._images: dict[int, ImageStream] = {}
        self._next_stream_id = 1

    async def run(self, welcome: protocol.Welcome) -> None:
        """Serves the connection until it ends."""
        self._outbox.append(welcome)
        self._wake.set()
        self._described.set()
        workers = [
            asyncio.create_task(work, name=f"{name} of {self.node_id}")
            for work, name in (
                (self._write(), "writer"),
                (self._announce(), "announcement"),
                (self._reports.run(), "reports"),
                (self._catch_up(), "first assignment"),
            )
        ]
        for worker in workers:
            worker.add_done_callback(self._end_with)
        try:
            await self._read()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for stream in list(self._streams.values()):
                stream.end("the connection to the node was lost")
            for image in list(self._images.values()):
                image.end("the connection to the node was lost")

    def mark_dirty(self) -> None:
        """The node's assignment may have changed."""
        self._is_dirty = True
        self._wake.set()

    def note_unchanged(self, index: int) -> None:
        """The node's assignment is the same at that index, unless an earlier change is unsent."""
        if not self._is_dirty:
            self.feed.is_unchanged_at(index)

    def end_if_superseded(self) -> str:
        """Ends the session when the state says that it is over; the reason, or ""."""
        node = self._cluster.state.nodes.get(self.node_id)
        reason = ""
        if self._announced_index is None:
            return reason
        if node is None:
            reason = "the node was removed from the cluster"
        elif node.version > self._announced_index and node.state == NodeState.DOWN:
            reason = f"the node was declared down: {node.state_message}"
        elif node.version > self._announced_index and node.session_manager_id != self._manager_id:
            reason = "the agent is connected to another manager"
        if reason:
            self.abort(reason)
        return reason

    def abort(self, reason: str) -> None:
        """Ends the connection at once."""
        _log.info("session of node %s ended: %s", self.node_id, reason)
        self._connection.abort()

    def open_logs(self, request: Callable[[int], protocol.OpenLogs]) -> LogStream:
        """Asks the agent for output; `request` makes the opening frame for a stream id."""
        stream_id = self._new_stream_id()
        opening = request(stream_id)
        stream = LogStream(opening, send=self._send, on_close=self._forget_stream)
        self._streams[stream_id] = stream
        self._send(opening)
        return stream

    def open_image(self, image: str) -> ImageStream:
        """Asks the agent to fetch an image."""
        stream_id = self._new_stream_id()
        stream = ImageStream(stream_id, on_close=self._forget_stream)
        self._images[stream_id] = stream
        self._send(protocol.FetchImage(stream_id=stream_id, image=image))
        return stream

    def _new_stream_id(self) -> int:
        stream_id = self._next_stream_id
        self._next_stream_id += 1
        return stream_id

    def _end_with(self, worker: asyncio.Task[None]) -> None:
        """A session is of no use without one of its workers: the agent should connect anew."""
        fault = None if worker.cancelled() else worker.exception()
        if fault is None:
            return
        if not isinstance(fault, ConnectionError):
            _log.error("%s failed", worker.get_name(), exc_info=fault)
        self._connection.abort()

    def _forget_stream(self, stream_id: int) -> None:
        self._streams.pop(stream_id, None)
        self._images.pop(stream_id, None)

    def _send(self, frame: protocol.ManagerFrame) -> None:
        self._outbox.append(frame)
        self._wake.set()

    async def _read(self) -> None:
        while True:
            content = await self._connection.receive()
            if content is None:
                return
            self._handle(protocol.decode_agent_frame(content))

    def _handle(self, frame: protocol.AgentFrame) -> None:
        self.heard_at = self._clock.monotonic()
        match frame:
            case protocol.Heartbeat():
                has_leader = self._cluster.leadership.leader_id is not None
                self.feed.confirm(frame.applied_index)
                self._send(protocol.HeartbeatAnswer(sequence=frame.sequence, has_leader=has_leader))
            case protocol.Applied():
                self.feed.confirm(frame.index)
            case protocol.StatusReport():
                self._reports.add(frame.reports)
            case protocol.Description():
                self._describe(frame.description)
            case protocol.LogChunk():
                if (stream := self._streams.get(frame.stream_id)) is not None:
                    stream.take(frame)
            case protocol.ImageProgress():
                if (image := self._images.get(frame.stream_id)) is not None:
                    image.take(frame)
            case protocol.StreamEnd():
                for ended in (self._streams, self._images):
                    if (open_stream := ended.get(frame.stream_id)) is not None:
                        open_stream.take(frame)
            case protocol.Hello():
                self.feed.start_over()
                self._describe(frame.description)
                self.mark_dirty()
        self._on_heard(self)

    def _describe(self, description: NodeDescription) -> None:
        self._description = description
        self._described.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outbox:
                await self._connection.send(protocol.encode_frame(self._outbox.popleft()))
            if self._is_dirty and self._may_push:
                await self._push()

    async def _push(self) -> None:
        early = self._push_after - self._clock.monotonic()
        if early > 0:
            asyncio.get_running_loop().call_later(early, self._wake.set)
            return
        self._push_after = self._clock.monotonic() + PUSH_PERIOD_SECONDS
        async with self._pacing.turn():
            self._is_dirty = False
            message = self.feed.next_message(self._cluster.state)
        if message is None:
            self._on_heard(self)
            return
        await self._connection.send(protocol.encode_frame(message))

    async def _catch_up(self) -> None:
        """Allows the first push once this manager knows at least what the agent has seen."""
        try:
            await self._cluster.read(timeout_seconds=CATCH_UP_SECONDS)
        except ClusterUnavailable as error:
            _log.warning("node %s gets an assignment that may be old: %s", self.node_id, error)
        while self._cluster.state.index < self._hello.index:
            await self._cluster.wait_beyond(self._hello.index - 1, timeout_seconds=CATCH_UP_SECONDS)
        self._may_push = True
        self.mark_dirty()

    async def _announce(self) -> None:
        """Brings into the log that the node is here, and how it describes itself."""
        while True:
            await self._described.wait()
            self._described.clear()
            if not await self._propose_description():
                self._described.set()
                await asyncio.sleep(ANNOUNCE_RETRY_SECONDS * (0.5 + random.random()))  # noqa: S311 - spreads retries, guards nothing

    async def _propose_description(self) -> bool:
        command = commands.SeeNode(
            node_id=self.node_id,
            manager_id=self._manager_id,
            description=self._description,
            now=self._clock.now(),
        )
        try:
            result = await self._cluster.propose(command)
        except ClusterUnavailable as error:
            _log.warning("node %s is not announced yet: %s", self.node_id, error)
            return False
        except Rejection as rejection:
            self.abort(f"refused: {rejection}")
            return True
        self._announced_index = result.index
        self.end_if_superseded()
        return True
