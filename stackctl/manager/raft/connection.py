"""One connection to another member: frames, the greeting, silence.

`links` owns all of them and judges who may speak; this is the protocol on one of them.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from stackctl.errors import Denied
from stackctl.manager.raft import messages

PING_PERIOD_SECONDS = 0.5
_SILENCE_SECONDS_MAX = 2.0
_CONGESTED_BYTES = 8 << 20
_LENGTH_BYTES = 4

_log = logging.getLogger(__name__)


class Connected(msgspec.Struct, frozen=True):
    """The link to a member is up."""

    node_id: str


class Disconnected(msgspec.Struct, frozen=True):
    """The link to a member is gone."""

    node_id: str


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message of a member."""

    node_id: str
    message: messages.Message


Event = Connected | Disconnected | Received


class Peer:
    """One other member: its address, its link, and what waits to be written."""

    def __init__(self, node_id: str, address: str) -> None:
        self.node_id = node_id
        self.address = address
        self.link: Connection | None = None
        self.outbox: deque[bytes] = deque()
        self.is_up = False
        self.dialing: asyncio.Task[None] | None = None


class Owner(Protocol):
    """Who judges connections and takes what arrives."""

    def link_opened(self, link: "Connection", certificate: Mapping[str, Any] | None) -> Peer:
        """Whose connection this is. Raises Denied."""
        ...

    def link_greeted(self, link: "Connection", peer: Peer) -> None:
        """Both sides have said hello."""
        ...

    def link_closed(self, link: "Connection", peer: Peer | None) -> None:
        """The connection ended."""
        ...

    def deliver(self, event: Event) -> None:
        """Something happened that the consensus thread must see."""
        ...


class Connection(asyncio.Protocol):
    """One connection, from the TLS handshake to its end."""

    def __init__(self, links: Owner, *, expected: Peer | None) -> None:
        self.expected = expected
        self.closed = asyncio.Event()
        self.was_up = False
        self.is_congested = False
        self._links = links
        self._peer: Peer | None = None
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._heard_at = time.monotonic()
        self._spoke_at = self._heard_at

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server promises
        self._transport = transport
        transport.set_write_buffer_limits(high=_CONGESTED_BYTES, low=_CONGESTED_BYTES // 8)
        try:
            self._peer = self._links.link_opened(self, transport.get_extra_info("peercert"))
        except Denied as error:
            _log.info("connection from %s refused: %s", self._address(), error.message)
            transport.abort()
            return
        self._heard_at = time.monotonic()
        self.write(frame(messages.Hello(protocol=messages.PROTOCOL_VERSION)))

    def data_received(self, data: bytes) -> None:
        self._heard_at = time.monotonic()
        self._received += data
        start = 0
        while len(self._received) - start >= _LENGTH_BYTES:
            body = start + _LENGTH_BYTES
            end = body + int.from_bytes(self._received[start:body], "big")
            if end - body > messages.FRAME_BYTES_MAX:
                self._reject(f"a frame of {end - body} bytes")
                return
            if end > len(self._received):
                break
            try:
                message = messages.decode(bytes(memoryview(self._received)[body:end]))
            except messages.Undecodable as error:
                self._reject(f"an unreadable message: {error}")
                return
            start = end
            if not self._take(message):
                return
        del self._received[:start]

    def _take(self, message: messages.Message) -> bool:
        """Handle one message; False when the connection ends with it."""
        if isinstance(message, messages.Ping):
            return True
        assert self._peer is not None  # noqa: S101 - refused connections deliver no data
        if isinstance(message, messages.Hello):
            if message.protocol != messages.PROTOCOL_VERSION:
                self._reject(f"protocol version {message.protocol}")
                return False
            self.was_up = True
            self._links.link_greeted(self, self._peer)
            return True
        if not self.was_up:
            self._reject("a message before the hello")
            return False
        if self._peer.link is self:
            self._links.deliver(Received(self._peer.node_id, message))
        return True

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exception: Exception | None) -> None:
        if exception is not None:
            _log.debug("connection to %s ended: %s", self._address(), exception)
        self._links.link_closed(self, self._peer)
        self.closed.set()

    def pause_writing(self) -> None:
        self.is_congested = True

    def resume_writing(self) -> None:
        self.is_congested = False

    def write(self, content: bytes) -> None:
        """Write frames; what does not fit the socket is buffered."""
        if self._transport is not None and not self._transport.is_closing():
            self._spoke_at = time.monotonic()
            self._transport.write(content)

    def check(self, now: float, *, forgive: bool) -> None:
        """Called twice a second: ping, or cut off a dead connection."""
        if forgive:
            self._heard_at = now
        if now - self._heard_at > _SILENCE_SECONDS_MAX:
            _log.info("connection to %s is silent, cut off", self._address())
            self.abort()
        elif self.was_up and now - self._spoke_at > PING_PERIOD_SECONDS / 2:
            self.write(frame(messages.Ping()))

    def close(self) -> None:
        """Close after what was written has left."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _reject(self, why: str) -> None:
        _log.warning("connection to %s ended: it sent %s", self._address(), why)
        self._received.clear()
        self.abort()

    def _address(self) -> str:
        if self._peer is not None:
            return f"{self._peer.node_id} ({self._peer.address})"
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return f"{peer[0]}:{peer[1]}" if peer else "an unknown address"


def frame(message: messages.Message | dict[str, Any]) -> bytes:
    """The bytes of one message on a connection."""
    body = messages.encode(message)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body
