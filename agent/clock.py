"""The agent's two clocks: what time it is, and how much time has passed."""

import time


class Clock:
    """The node's clocks. Tests have their own with the same two methods."""

    def now(self) -> float:
        """Seconds since the epoch, as other nodes understand them."""
        return time.time()

    def elapsed(self) -> float:
        """Seconds that never go back; the time that the node was suspended counts."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
