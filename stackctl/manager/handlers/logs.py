"""Logs: the output of a service's tasks as newline-delimited JSON, while the reader reads."""

import contextlib
from collections.abc import AsyncGenerator

from aiohttp import web

from stackctl.errors import UnknownName
from stackctl.manager import log_sources
from stackctl.manager.calls import Call
from stackctl.manager.log_request import LogRange, TaskLogRequest
from stackctl.manager.log_streams import ServiceLogs
from stackctl.manager.parts import Parts
from stackctl.state import queries
from stackctl.state.cluster import ClusterState
from stackctl.wire import api, codec


class LogQuery(LogRange, frozen=True, kw_only=True):
    """The range, and optionally one task by its id or the beginning of it."""

    task: str = ""


async def follow_service(parts: Parts, call: Call) -> web.StreamResponse:
    """All tasks of a service, history included."""
    query: LogQuery = call.query
    state = await parts.cluster.read()
    service = queries.find_service(state, call.path["ref"])
    task_ids = _task_ids(state, service.id, query.task) if query.task else frozenset[str]()
    wanted = LogRange(follow=query.follow, tail=query.tail, since=query.since, until=query.until)
    logs = ServiceLogs(parts, service_id=service.id, task_ids=task_ids, wanted=wanted)
    return await _stream(call, logs.lines())


async def stream_tasks(parts: Parts, call: Call) -> web.StreamResponse:
    """Tasks of one node whose agent hangs on this manager; for other managers."""
    request: TaskLogRequest = call.body
    session = parts.sessions.find(request.node_id)
    if session is None:
        raise UnknownName("session of node", request.node_id)
    return await _stream(call, log_sources.lines_of_session(parts, session, request))


async def _stream(call: Call, lines: AsyncGenerator[api.LogLine, None]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(call.request)
    with contextlib.suppress(ConnectionError):  # the reader left
        async with contextlib.aclosing(lines):
            async for line in lines:
                await response.write(codec.to_json(line) + b"\n")
        await response.write_eof()
    return response


def _task_ids(state: ClusterState, service_id: str, reference: str) -> frozenset[str]:
    found = [key for key in state.tasks_of(service_id) if key.startswith(reference)]
    if len(found) != 1:
        raise UnknownName("task of that service", reference)
    return frozenset(found)
