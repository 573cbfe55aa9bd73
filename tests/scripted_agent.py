"""An agent without an engine: speaks the agent protocol to real managers, and obeys at once.

It keeps the assignment set as the protocol says (whole sets, increments), reports every task as
running as soon as it is assigned, stops what may stop, and confirms each set. Tests switch single
habits off. It runs on a thread with an event loop of its own.
"""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from typing import Any

import aiohttp

from stackctl.model.assignment import AssignmentSet, TaskAssignment
from stackctl.model.objects import NodeDescription, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.wire import agent_protocol as protocol
from stackctl.wire import increments

NANO = 1_000_000_000
# Connecting to it fails at once and sends nothing: the node of such an agent gives no sign of life.
NOWHERE = "255.255.255.255"


class ScriptedAgent:
    """A node's agent. Everything a test looks at is an attribute."""

    def __init__(
        self,
        *,
        node_id: str,
        hostname: str,
        endpoints: list[str],
        identity_dir: Path | None = None,
    ) -> None:
        """`endpoints` are tried in order, again and again: "unix:///path" or "address:port"."""
        self.node_id = node_id
        self.hostname = hostname
        self.endpoints = endpoints
        self.identity_dir = identity_dir
        self.held: AssignmentSet | None = None
        self.manager_id = ""
        self.managers: tuple[str, ...] = ()
        self.connections = 0
        self.full_sets = 0
        self.has_leader = False
        self.beats = True
        self.confirms = True
        self.runs_tasks = True
        self.output: dict[str, list[bytes]] = {}  # task id -> lines to send when asked for logs
        self.images: list[str] = []  # what managers asked it to fetch
        self.image_fault = ""  # what it answers then
        self.faults: list[str] = []
        self._states: dict[str, TaskState] = {}
        self._applied_index = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"agent {hostname}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    def start(self) -> "ScriptedAgent":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._call(self._close())
        self._thread.join(10)

    def report(self, task_id: str, state: TaskState, **fields: Any) -> None:
        """Sends a status of a test's choice."""
        status = TaskStatus(state=state, at=1, **fields)
        self._states[task_id] = state
        report = protocol.TaskReport(task_id=task_id, status=status)
        self._call(self._send(protocol.StatusReport(reports=(report,))))

    def tasks(self) -> list[TaskAssignment]:
        return list(self.held.tasks) if self.held is not None else []

    def running(self) -> list[str]:
        """Names of the tasks that this agent runs."""
        return sorted(
            task.name for task in self.tasks() if self._states.get(task.id) == TaskState.RUNNING
        )

    def hello(self) -> protocol.Hello:
        return protocol.Hello(
            protocol_version=protocol.PROTOCOL_VERSION,
            node_id=self.node_id,
            description=NodeDescription(
                hostname=self.hostname,
                nano_cpus=4 * NANO,
                memory_bytes=8 << 30,
                engine_version="20.10.24",
                data_address=NOWHERE,
            ),
            term=self.held.term if self.held else 0,
            index=self.held.index if self.held else 0,
        )

    def _run(self) -> None:
        asyncio.run(self._work())

    def _call(self, work: Any) -> None:
        loop = self._loop
        if loop is None or not loop.is_running():
            work.close()
            return
        with contextlib.suppress(RuntimeError):
            asyncio.run_coroutine_threadsafe(work, loop)

    async def _close(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        attempt = 0
        while not self._stopping.is_set():
            endpoint = self.endpoints[attempt % len(self.endpoints)]
            attempt += 1
            try:
                await self._session(endpoint)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.faults.append(f"{endpoint}: {error!r}")
            await asyncio.to_thread(self._stopping.wait, 0.1)

    async def _session(self, endpoint: str) -> None:
        async with aiohttp.ClientSession(connector=self._connector(endpoint)) as http:
            address = "local" if endpoint.startswith("unix:") else endpoint
            scheme = "http" if endpoint.startswith("unix:") else "https"
            async with http.ws_connect(f"{scheme}://{address}/v1/agent") as socket:
                self._socket = socket
                await self._send(self.hello())
                beating = asyncio.create_task(self._beat())
                try:
                    await self._receive(socket)
                finally:
                    beating.cancel()
                    self._socket = None

    def _connector(self, endpoint: str) -> aiohttp.BaseConnector:
        if endpoint.startswith("unix://"):
            return aiohttp.UnixConnector(endpoint.removeprefix("unix://"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        if self.identity_dir is None:
            context.verify_mode = ssl.CERT_NONE
        else:
            folder = self.identity_dir
            context.load_verify_locations(folder / "ca.pem")
            context.load_cert_chain(folder / "node.pem", folder / "node.key")
        return aiohttp.TCPConnector(ssl=context)

    async def _beat(self) -> None:
        sequence = 0
        while True:
            if self.beats:
                sequence += 1
                await self._send(
                    protocol.Heartbeat(sequence=sequence, applied_index=self._applied_index)
                )
            await asyncio.to_thread(self._stopping.wait, 0.3)

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type != aiohttp.WSMsgType.BINARY:
                return
            await self._handle(protocol.decode_manager_frame(message.data))
        self.faults.append(f"closed: {socket.close_code}")

    async def _handle(self, frame: protocol.ManagerFrame) -> None:
        match frame:
            case protocol.Welcome():
                self.connections += 1
                self.manager_id, self.managers = frame.manager_id, frame.managers
                reports = tuple(
                    protocol.TaskReport(task_id=key, status=TaskStatus(state=state, at=1))
                    for key, state in self._states.items()
                )
                await self._send(protocol.StatusReport(reports=reports))
            case protocol.HeartbeatAnswer():
                self.has_leader = frame.has_leader
            case protocol.AssignmentMessage():
                self._take(frame)
                await self._obey()
            case protocol.OpenLogs():
                await self._send_logs(frame)
            case protocol.FetchImage():
                await self._fetch(frame)

    def _take(self, message: protocol.AssignmentMessage) -> None:
        if message.full is not None:
            self.full_sets += 1
            self.held = message.full
        elif message.increment is not None and self.held is not None:
            self.held = increments.patch(
                self.held, message.increment, term=message.term, index=message.index
            )

    async def _obey(self) -> None:
        assert self.held is not None
        if self.confirms:
            self._applied_index = self.held.index
            await self._send(protocol.Applied(index=self.held.index))
        if not self.runs_tasks:
            return
        reports = []
        for task in self.held.tasks:
            wanted = self._wanted(task)
            if wanted is not None and wanted > self._states.get(task.id, TaskState.NEW):
                self._states[task.id] = wanted
                status = TaskStatus(state=wanted, at=1, container_id="c-" + task.id[:8])
                reports.append(protocol.TaskReport(task_id=task.id, status=status))
        if reports:
            await self._send(protocol.StatusReport(reports=tuple(reports)))

    def _wanted(self, task: TaskAssignment) -> TaskState | None:
        if task.desired_state <= TaskState.READY:
            return TaskState.READY
        if task.desired_state <= TaskState.COMPLETE:
            return TaskState.RUNNING
        return TaskState.SHUTDOWN if task.may_stop else None

    async def _fetch(self, request: protocol.FetchImage) -> None:
        self.images.append(request.image)
        number = request.stream_id
        if not self.image_fault:
            await self._send(protocol.ImageProgress(stream_id=number, done_bytes=5, size_bytes=5))
        await self._send(protocol.StreamEnd(stream_id=number, error=self.image_fault))

    async def _send_logs(self, opening: protocol.OpenLogs) -> None:
        for task_id in opening.task_ids:
            for text in self.output.get(task_id, []):
                chunk = protocol.LogChunk(
                    stream_id=opening.stream_id, task_id=task_id, at=1, source="stdout", text=text
                )
                await self._send(chunk)
        if not opening.follow:
            await self._send(protocol.StreamEnd(stream_id=opening.stream_id))

    async def _send(self, frame: protocol.AgentFrame) -> None:
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_bytes(protocol.encode_frame(frame))
