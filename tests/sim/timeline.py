"""Virtual time: callbacks in order of their times, nothing waits, every run is the same."""

import heapq
import itertools
from collections.abc import Callable


class Timeline:
    """What happens when. `now` is what the clocks of the simulated cluster show."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self.start = start
        self.now = start
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def clock(self) -> float:
        """The time, as a function to hand on."""
        return self.now

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Calls at that time; a time in the past means as soon as possible."""
        heapq.heappush(self._calls, (max(time, self.now), next(self._numbers), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls so much later."""
        self.at(self.now + seconds, call)

    def advance(self, seconds: float) -> None:
        """Lets that much time pass."""
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            self.now, _, call = heapq.heappop(self._calls)
            call()
        self.now = end
