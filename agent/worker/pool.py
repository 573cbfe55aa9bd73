"""Threads that run jobs, the most urgent first.

The standard library's executor has no priorities and waits for its threads at exit; an agent that
is told to end must not wait for an image to be pulled.
"""

import itertools
import logging
import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]

_log = logging.getLogger(__name__)


class Pool:
    """A fixed number of daemon threads, started when first needed."""

    def __init__(self, name: str, *, threads_max: int) -> None:
        self._name = name
        self._threads_max = threads_max
        self._jobs: queue.PriorityQueue[tuple[int, int, Job]] = queue.PriorityQueue()
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, job: Job, *, urgency: int = 0) -> None:
        """Run a job soon; a lower urgency number goes first, then the order of submission."""
        with self._lock:
            self._jobs.put((urgency, next(self._order), job))
            if self._idle < self._jobs.qsize() and self._threads < self._threads_max:
                self._threads += 1
                name = f"{self._name}-{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            _, _, job = self._jobs.get()
            with self._lock:
                self._idle -= 1
            try:
                job()
            except Exception:  # noqa: BLE001  # top of a thread: the next job must still run
                _log.exception("a job of %s failed", self._name)
