"""What one agent says while it fetches an image: of its progress the newest alone is kept."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from stackctl.wire import agent_protocol as protocol


class ImageStream:
    """One image on its way to one node."""

    def __init__(self, stream_id: int, *, on_close: Callable[[int], None]) -> None:
        self._id = stream_id
        self._on_close = on_close
        self._news = asyncio.Event()
        self._progress: protocol.ImageProgress | None = None
        self._end: protocol.StreamEnd | None = None

    def take(self, frame: protocol.ImageProgress | protocol.StreamEnd) -> None:
        """A frame of the agent for this stream."""
        if isinstance(frame, protocol.ImageProgress):
            self._progress = frame
        elif self._end is None:
            self._end = frame
            self._on_close(self._id)
        self._news.set()

    def end(self, reason: str) -> None:
        """The connection is gone."""
        self.take(protocol.StreamEnd(stream_id=self._id, error=reason))

    def close(self) -> None:
        """Nobody listens any longer; the agent goes on."""
        if self._end is None:
            self._on_close(self._id)

    async def frames(self) -> AsyncGenerator[protocol.ImageProgress | protocol.StreamEnd, None]:
        """Progress as it comes, the end of the stream last."""
        while True:
            await self._news.wait()
            self._news.clear()
            progress, self._progress = self._progress, None
            if self._end is not None:
                yield self._end
                return
            if progress is not None:
                yield progress
