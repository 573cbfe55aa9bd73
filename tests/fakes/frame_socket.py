"""A frame socket that a test holds the other end of: agents without a network."""

import asyncio

from stackctl.wire import agent_protocol as protocol


class FakeFrameSocket:
    """Frames in both directions as queues; `blocked` makes sending wait, as a frozen peer does."""

    def __init__(self) -> None:
        self.to_manager: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.to_agent: asyncio.Queue[protocol.ManagerFrame] = asyncio.Queue()
        self.unblocked = asyncio.Event()
        self.unblocked.set()
        self.aborted = False
        self.closed_with: str | None = None

    async def receive(self) -> bytes | None:
        return await self.to_manager.get()

    async def send(self, frame: bytes) -> None:
        await self.unblocked.wait()
        if self.aborted:
            raise ConnectionResetError("aborted")
        self.to_agent.put_nowait(protocol.decode_manager_frame(frame))

    async def close(self, reason: str) -> None:
        self.closed_with = reason
        self.to_manager.put_nowait(None)

    def abort(self) -> None:
        self.aborted = True
        self.unblocked.set()
        self.to_manager.put_nowait(None)

    def say(self, frame: protocol.AgentFrame) -> None:
        """The agent sends a frame."""
        self.to_manager.put_nowait(protocol.encode_frame(frame))

    async def hear(self, *, timeout_seconds: float = 2) -> protocol.ManagerFrame:
        """The next frame that the agent gets."""
        async with asyncio.timeout(timeout_seconds):
            return await self.to_agent.get()
