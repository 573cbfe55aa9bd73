"""`GET /v1/agent`: the WebSocket of an agent, handed to a session."""

import asyncio
import logging

from aiohttp import web

from stackctl.errors import StackctlError
from stackctl.manager.calls import Call
from stackctl.manager.frame_socket import FRAME_BYTES_MAX, FrameSocket, WebFrameSocket
from stackctl.manager.parts import Parts
from stackctl.wire import agent_protocol as protocol

HELLO_SECONDS = 10.0

_log = logging.getLogger(__name__)


async def connect_agent(parts: Parts, call: Call) -> web.StreamResponse:
    """Serves an agent until it leaves; what it does wrong stands in the close frame."""
    websocket = web.WebSocketResponse(
        autoping=True, compress=False, max_msg_size=FRAME_BYTES_MAX, timeout=1.0
    )
    await websocket.prepare(call.request)
    connection = WebFrameSocket(call.request, websocket)
    try:
        await _serve(parts, call, connection)
    except (StackctlError, protocol.ProtocolError) as error:
        _log.warning("agent at %s refused: %s", call.request.remote or "the socket", error)
        await connection.close(str(error))
    except (ConnectionError, TimeoutError) as error:
        _log.info("agent at %s lost: %s", call.request.remote or "the socket", error or "silent")
        connection.abort()
    return websocket


async def _serve(parts: Parts, call: Call, connection: FrameSocket) -> None:
    async with asyncio.timeout(HELLO_SECONDS):
        content = await connection.receive()
    if content is None:
        return
    hello = protocol.decode_agent_frame(content)
    if not isinstance(hello, protocol.Hello):
        raise protocol.ProtocolError(f"the first frame was {type(hello).__name__}, not Hello")
    await parts.sessions.serve(connection, hello=hello, caller=call.caller)
