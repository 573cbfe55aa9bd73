"""Where the output of one node's tasks comes from: its session here, or the manager that has it.

Lines travel as the bytes of one `LogLine` each, so that what another manager sent passes through
unread. A fault is a line too: the reader sees which node's part is missing, and why.
"""

import contextlib
from collections.abc import AsyncGenerator

from stackctl.errors import ClusterUnavailable
from stackctl.manager.agent_session import AgentSession
from stackctl.manager.log_request import TaskLogRequest
from stackctl.manager.log_stream import CREDIT_BYTES
from stackctl.manager.parts import Parts
from stackctl.state import queries
from stackctl.state.cluster import ClusterState
from stackctl.wire import agent_protocol as protocol
from stackctl.wire import api, codec

PATH = "/v1/internal/logs"


async def lines_of_node(parts: Parts, request: TaskLogRequest) -> AsyncGenerator[api.LogLine, None]:
    """The lines of the tasks of one node, whichever manager its agent hangs on."""
    session = parts.sessions.find(request.node_id)
    if session is not None:
        lines = lines_of_session(parts, session, request)
    else:
        lines = _lines_of_manager(parts, request)
    async with contextlib.aclosing(lines):
        async for line in lines:
            yield line


async def lines_of_session(
    parts: Parts, session: AgentSession, request: TaskLogRequest
) -> AsyncGenerator[api.LogLine, None]:
    """The lines that a connected agent sends; its last one has the fault, if there was one."""
    stream = session.open_logs(
        lambda stream_id: protocol.OpenLogs(
            stream_id=stream_id,
            task_ids=request.task_ids,
            follow=request.range.follow,
            tail=request.range.tail,
            since=request.range.since,
            until=request.range.until,
            credit_bytes=CREDIT_BYTES,
        )
    )
    try:
        async for frame in stream.frames():
            if isinstance(frame, protocol.LogChunk):
                yield _line(parts.cluster.state, request.node_id, frame)
            elif frame.error:
                yield fault_line(parts.cluster.state, request.node_id, frame.error)
    finally:
        stream.close()


def fault_line(state: ClusterState, node_id: str, error: str) -> api.LogLine:
    """The line that stands for output that could not be had."""
    return api.LogLine(
        at=0, task_id="", task="", node=_hostname(state, node_id), source="", text="", error=error
    )


async def _lines_of_manager(
    parts: Parts, request: TaskLogRequest
) -> AsyncGenerator[api.LogLine, None]:
    state = parts.cluster.state
    node = state.nodes.get(request.node_id)
    manager_id = node.session_manager_id if node is not None else ""
    if not manager_id or manager_id == parts.identity.node_id:
        hostname = _hostname(state, request.node_id)
        yield fault_line(state, request.node_id, f"node {hostname} is not connected")
        return
    lines = parts.peers.lines(manager_id, PATH, body=request)
    try:
        async with contextlib.aclosing(lines):
            async for line in lines:
                yield codec.from_json(line, api.LogLine)
    except (ClusterUnavailable, codec.Undecodable) as error:
        yield fault_line(state, request.node_id, str(error))


def _line(state: ClusterState, node_id: str, chunk: protocol.LogChunk) -> api.LogLine:
    task = state.tasks.get(chunk.task_id)
    service = state.services.get(task.service_id) if task is not None else None
    name = queries.task_name(service, task) if service and task else chunk.task_id
    return api.LogLine(
        at=chunk.at,
        task_id=chunk.task_id,
        task=name,
        node=_hostname(state, node_id),
        source=chunk.source,
        text=chunk.text.decode(errors="replace"),
    )


def _hostname(state: ClusterState, node_id: str) -> str:
    node = state.nodes.get(node_id)
    return node.hostname if node is not None else node_id
