"""One stream of log lines from an agent, with a credit window.

The agent may send `CREDIT_BYTES` before it hears from us again; credit is given back as lines are
taken out, so a reader that is slow, or gone, stops the agent and not the manager. An agent that
sends on regardless (empty lines cost nothing) has its stream ended before it fills our memory.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from stackctl.wire import agent_protocol as protocol

CREDIT_BYTES = 1 << 18
FLOODED = "the node sent more than it was asked for"
_GRANT_BYTES = CREDIT_BYTES // 4
_LINES_MAX = 100_000
_BYTES_MAX = 2 * CREDIT_BYTES


class LogStream:
    """Lines of the tasks of one node, in the order in which the agent sent them."""

    def __init__(
        self,
        opening: protocol.OpenLogs,
        *,
        send: Callable[[protocol.ManagerFrame], None],
        on_close: Callable[[int], None],
    ) -> None:
        self._id = opening.stream_id
        self._send = send
        self._on_close = on_close
        self._queue: asyncio.Queue[protocol.LogChunk | protocol.StreamEnd] = asyncio.Queue()
        self._consumed = 0
        self._held_bytes = 0
        self._ended = False

    def take(self, frame: protocol.LogChunk | protocol.StreamEnd) -> None:
        """A frame of the agent for this stream."""
        if self._ended:
            return
        if isinstance(frame, protocol.StreamEnd):
            self._ended = True
            self._on_close(self._id)
        else:
            self._held_bytes += len(frame.text)
        self._queue.put_nowait(frame)
        if self._held_bytes > _BYTES_MAX or self._queue.qsize() > _LINES_MAX:
            self.close()
            self._queue.put_nowait(protocol.StreamEnd(stream_id=self._id, error=FLOODED))

    def end(self, reason: str) -> None:
        """The connection is gone."""
        if not self._ended:
            self.take(protocol.StreamEnd(stream_id=self._id, error=reason))

    def close(self) -> None:
        """Nobody reads this stream any longer."""
        if not self._ended:
            self._ended = True
            self._send(protocol.CloseStream(stream_id=self._id))
            self._on_close(self._id)

    async def frames(self) -> AsyncGenerator[protocol.LogChunk | protocol.StreamEnd, None]:
        """Chunks as they come, the end of the stream last; a fault of the agent stands in it."""
        while True:
            frame = await self._queue.get()
            yield frame
            if isinstance(frame, protocol.StreamEnd):
                return
            self._held_bytes -= len(frame.text)
            self._consumed += len(frame.text)
            if self._consumed >= _GRANT_BYTES and not self._ended:
                self._send(protocol.Credit(stream_id=self._id, credit_bytes=self._consumed))
                self._consumed = 0
