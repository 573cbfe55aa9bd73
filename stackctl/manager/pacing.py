"""Pacing: heavy work on the event loop takes turns, and leaves most of the time to others.

Computing a node's assignment takes longer the larger the cluster is, and one change can concern all
nodes at once. Each turn is followed by a rest of `REST_RATIO` times its length, so heartbeats are
answered in between, however many assignments are due.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

REST_RATIO = 1.0
REST_MIN_SECONDS = 0.002  # shorter rests only cost timers


class Pacing:
    """Turns, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._turns = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for this one's turn; the next one comes after a rest."""
        async with self._turns:
            started = time.perf_counter()
            yield
            rest = (time.perf_counter() - started) * REST_RATIO
            if rest >= REST_MIN_SECONDS:
                await asyncio.sleep(rest)
