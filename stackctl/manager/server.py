"""The API server: one table of routes, two doors.

The doors are mutual TLS on the manager's address (agents, other managers, joiners) and the unix
socket (people on this node). Who is on the other end is settled per request, from the connection;
what they may do stands in the route. Every refusal is an `ErrorBody`.
"""

import asyncio.sslproto
import logging
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from stackctl import errors
from stackctl.manager import callers, calls, refusals
from stackctl.manager.calls import Call, Route
from stackctl.manager.parts import Parts
from stackctl.state.results import Rejection
from stackctl.wire import codec

BODY_BYTES_MAX = 4 << 20  # JSON; what becomes an entry of the log may have 1 MiB
TLS_BUFFER_BYTES = 16384  # asyncio's 256 KiB per connection make 1,000 agents cost 300 MB
SHUTDOWN_SECONDS = 2.0

_log = logging.getLogger(__name__)


class ApiServer:
    """The listening API of a manager."""

    def __init__(self, parts: Parts, routes: Iterable[Route]) -> None:
        self._parts = parts
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_guard])
        for route in routes:
            app.router.add_route(route.method, route.path, _endpoint(parts, route))
        app.on_shutdown.append(self._end_sessions)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=75,
        )

    async def start(self, tls: ssl.SSLContext) -> None:
        """Opens both doors. Raises OSError when the address or the socket cannot be had."""
        asyncio.sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
        settings = self._parts.settings
        await self._runner.setup()
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        local = web.UnixSite(self._runner, str(settings.socket_path))
        await local.start()
        settings.socket_path.chmod(0o600)
        remote = web.TCPSite(
            self._runner, settings.listen_address, settings.api_port, ssl_context=tls
        )
        await remote.start()

    async def stop(self) -> None:
        """Closes both doors; open requests get a moment to end."""
        await self._runner.cleanup()

    async def _end_sessions(self, _app: web.Application) -> None:
        self._parts.sessions.abort_all("this manager stops")


def _endpoint(parts: Parts, route: Route) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = _identify(request, cluster_id=parts.identity.cluster_id)
        calls.check_audience(route, caller)
        call = Call(
            caller=caller,
            path=request.match_info,
            query=_decode_query(request, route),
            body=await _decode_body(request, route),
            request=request,
        )
        result = await route.handler(parts, call)
        if route.method != "GET" and not route.path.startswith("/v1/internal/"):
            _log.info("%s %s by %s %s", route.method, request.path, caller.kind, caller.node_id)
        if isinstance(result, web.StreamResponse):
            return result
        if result is None:
            return web.Response(status=204)
        return web.Response(
            status=route.status, body=codec.to_json(result), content_type="application/json"
        )

    return handle


def _identify(request: web.Request, *, cluster_id: str) -> callers.Caller:
    transport = request.transport
    if transport is None:
        raise errors.Denied("the connection is closed")
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family == socket.AF_UNIX:
        return callers.caller_on_socket(connection)
    certificate = transport.get_extra_info("peercert")
    return callers.caller_of_certificate(certificate, cluster_id=cluster_id)


def _decode_query(request: web.Request, route: Route) -> object:
    given = dict(request.query)
    try:
        return msgspec.convert(given, route.query, strict=False)
    except msgspec.ValidationError as error:
        raise errors.InputError(f"{route.method} {route.path}: query: {error}") from error


async def _decode_body(request: web.Request, route: Route) -> object:
    if route.request is None:
        return None
    try:
        return codec.from_json(await request.read(), route.request)
    except codec.Undecodable as error:
        raise errors.InputError(f"{route.method} {route.path}: body: {error}") from error


@web.middleware
async def _guard(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except (errors.StackctlError, Rejection) as error:
        return refusals.answer(refusals.body_of(error))
    except web.HTTPException as error:
        return refusals.answer_http_error(error, method=request.method, path=request.path)
    except Exception as error:  # noqa: BLE001 - the top of every request: clients get a log id
        return refusals.answer_unexpected(error, method=request.method, path=request.path)
    return response
