"""One WebSocket as a session sees it: whole frames in and out, and an end that does not wait."""

from typing import Protocol

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

FRAME_BYTES_MAX = 16 << 20


class FrameSocket(Protocol):
    """A connection that carries frames."""

    async def receive(self) -> bytes | None:
        """The next frame, None when the other side is gone."""
        ...

    async def send(self, frame: bytes) -> None:
        """Sends a frame; waits while the other side does not read. Raises ConnectionError."""
        ...

    async def close(self, reason: str) -> None:
        """Says why and ends the connection."""
        ...

    def abort(self) -> None:
        """Ends the connection at once, whatever is still to be sent."""
        ...


class WebFrameSocket:
    """A frame socket over aiohttp's WebSocket."""

    def __init__(self, request: web.Request, websocket: web.WebSocketResponse) -> None:
        self._request = request
        self._websocket = websocket

    async def receive(self) -> bytes | None:
        """The next binary message; anything else ends the connection."""
        message: WSMessage = await self._websocket.receive()
        if message.type != WSMsgType.BINARY:
            return None
        content: bytes = message.data
        return content

    async def send(self, frame: bytes) -> None:
        """Sends one binary message. Raises ConnectionError."""
        try:
            await self._websocket.send_bytes(frame)
        except RuntimeError as error:  # aiohttp's answer to sending on a closed socket
            raise ConnectionResetError(str(error)) from error

    async def close(self, reason: str) -> None:
        """A close frame with the reason in it (the protocol allows 123 bytes)."""
        text = reason.encode()[:123].decode(errors="ignore").encode()
        await self._websocket.close(code=WSCloseCode.POLICY_VIOLATION, message=text)

    def abort(self) -> None:
        """Drops the connection without a handshake: the node may be frozen."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()
