"""Watching the engine: its events, a full look when there may be news, a watchdog.

An event only says "look at this container". A full look compares the engine's list with what is
known and looks closer at every difference; it runs when the stream of events opens (what happened
before is otherwise never heard of) and once a minute (an event may be lost).

`full_look` is told whether events may have been missed for long: an engine that is shut down stops
its containers before it answers again.

A stalled engine leaves its stream open and says nothing, so an independent ping closes the stream
from outside.
"""

import logging
import threading
from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.drivers.engine import ContainerEvent, Engine, EventStream
from stackctl.errors import DriverFailure

FULL_LOOK_SECONDS = 60.0
PING_SECONDS = 5.0
PINGS_FAILED_MAX = 3
REOPEN_MIN_SECONDS = 0.1
REOPEN_MAX_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Observer:
    """Two threads: one reads events, the other keeps an eye on the engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        labels: Mapping[str, str],
        clock: Clock,
        on_event: Callable[[ContainerEvent], None],
        full_look: Callable[[bool], None],
    ) -> None:
        self._engine = engine
        self._labels = labels
        self._clock = clock
        self._on_event = on_event
        self._full_look = full_look
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._stream: EventStream | None = None
        self._silent_since: float | None = None

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._read_events, name="engine-events", daemon=True).start()
        threading.Thread(target=self._keep_watch, name="engine-watch", daemon=True).start()

    def stop(self) -> None:
        """End both threads."""
        self._ending.set()
        self._close_stream()

    def silent_seconds(self) -> float:
        """For how long the engine has not answered, counted from the first ping that failed: time
        in which this node stood still is no fault of the engine.
        """
        since = self._silent_since
        return 0.0 if since is None else self._clock.elapsed() - since

    def _read_events(self) -> None:
        pause = REOPEN_MIN_SECONDS
        while not self._ending.is_set():
            try:
                stream = self._engine.events(self._labels)
                with self._lock:
                    self._stream = stream
                # After the stream is open, so that nothing falls between the two.
                self._full_look(True)
                pause = REOPEN_MIN_SECONDS
                for event in stream:
                    self._on_event(event)
                if not self._ending.is_set():
                    _log.warning("the engine ended its stream of events; opening it again")
            except DriverFailure as failure:
                _log.warning("cannot watch the engine: %s", failure.reason)
            except Exception:  # noqa: BLE001  # top of a thread: without events the agent is blind
                _log.exception("watching the engine failed; trying again")
            self._close_stream()
            self._ending.wait(pause)
            pause = min(pause * 2, REOPEN_MAX_SECONDS)

    def _keep_watch(self) -> None:
        failed = 0
        looked_at = self._clock.elapsed()
        while not self._ending.wait(PING_SECONDS):
            try:
                self._engine.ping()
                failed = 0
                self._silent_since = None
                if self._clock.elapsed() - looked_at >= FULL_LOOK_SECONDS:
                    looked_at = self._clock.elapsed()
                    self._full_look(False)
            except DriverFailure as failure:
                failed += 1
                if self._silent_since is None:
                    self._silent_since = self._clock.elapsed()
                _log.warning("the engine does not answer (%d times): %s", failed, failure.reason)
                if failed >= PINGS_FAILED_MAX:
                    failed = 0
                    self._close_stream()
            except Exception:  # noqa: BLE001  # top of a thread
                _log.exception("the look at the engine failed")

    def _close_stream(self) -> None:
        with self._lock:
            stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
