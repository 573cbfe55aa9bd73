"""Waking the consensus thread out of its poll, from any thread.

An eventfd instead of the library's pipe: a pipe is full after 65,536 wake-ups and then raises.
"""

import os
import threading


class Waker:
    """Ends the consensus thread's poll early. `wake` is for any thread."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._is_awake = False

    def wake(self) -> None:
        """Many calls before the thread runs cost one system call."""
        with self._lock:
            if not self._is_awake and self.descriptor >= 0:
                self._is_awake = True
                os.eventfd_write(self.descriptor, 1)

    def clear(self) -> None:
        """The thread runs: what comes from now on must wake it again."""
        with self._lock:
            self._is_awake = False
            os.eventfd_read(self.descriptor)

    def close(self) -> None:
        """Closing twice is harmless."""
        with self._lock:
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1
