"""A thread for work that must happen soon but that nobody waits for, each kind at most once.

Looking through tracked connections is such work: it follows a change of rules, takes milliseconds
for each namespace, and must not delay the confirmation that the rules are in force.
"""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Sweeper:
    """Runs what was requested, one after the other; a request made twice before its turn runs
    once. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: dict[str, Callable[[], None]] = {}
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def request(self, key: str, work: Callable[[], None]) -> None:
        """Run `work` soon; it takes the place of an earlier request with the same key."""
        with self._changed:
            self._requests[key] = work
            self._changed.notify_all()

    def close(self) -> None:
        """End the thread; what has not begun is dropped."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._requests or self._is_closed)
                if self._is_closed:
                    return
                key, work = next(iter(self._requests.items()))
                del self._requests[key]
            try:
                work()
            except Exception:  # noqa: BLE001  # top of a thread: the next request may be well
                _log.exception("sweeping %s failed", key)
