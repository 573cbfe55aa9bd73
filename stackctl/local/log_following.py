"""Containers of a stack followed while they run: their lines, their ends, and new ones.

One thread reads each container's lines, one the engine's events; all give to one queue, which the
caller's thread empties in the order of time. A line waits a moment for earlier ones that are still
on their way; a container's end waits for its last line.
"""

import heapq
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stackctl.errors import StackctlError
from stackctl.local import labels
from stackctl.local.engine.client import Engine
from stackctl.local.engine.http import Answer
from stackctl.local.image_transfer import json_messages
from stackctl.local.logs import LogLine, LogRange, engine_time, is_unreadable, parse_lines
from stackctl.local.observed import Container
from stackctl.local.observing import inspect, list_containers

HELD_BACK_SECONDS = 0.05
_LAST_LINE_SECONDS = 2.0
_RESTART_SECONDS = 1.0
_NEVER = "0001-"
# The first lines are older than the time that the engine says a container started at, on a busy
# machine by seconds.
_BEFORE_START_SECONDS = 3


class ContainerEnded(NamedTuple):
    """A container's process has ended; `restarts` says that the engine starts it again."""

    container: str
    service: str
    exit_code: int
    restarts: bool = False


class ContainerStarted(NamedTuple):
    """A container that was not followed yet, or not any more, has started."""

    container: str
    service: str


Happening = LogLine | ContainerEnded | ContainerStarted


class Following:
    """Follows containers of one stack; to be closed."""

    def __init__(
        self, engine: Engine, stack_name: str, *, is_chosen: Callable[[str, int], bool]
    ) -> None:
        """`is_chosen` is asked with a service and a container's number."""
        self._engine = engine
        self._stack_name = stack_name
        self._is_chosen = is_chosen
        self._queue: queue.Queue[tuple[str, Happening | BaseException]] = queue.Queue()
        self._answers: list[Answer] = []
        self._readers: dict[str, threading.Thread] = {}
        self._last_seen: dict[str, str] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._starts = 0

    def watch_events(self) -> None:
        """Look for containers that start and end from now on. Raises EngineUnavailable."""
        query = {
            "filters": {
                "type": ["container"],
                "event": ["start", "die"],
                "label": [f"{labels.STACK}={self._stack_name}"],
            }
        }
        answer = self._engine.stream("GET", "/events", query)
        self._keep(answer)
        threading.Thread(target=self._read_events, args=(answer,), daemon=True).start()

    def note_seen(self, container_id: str, at: str) -> None:
        """Lines up to this time have been shown already."""
        self._last_seen[container_id] = at

    def follow(self, containers: Sequence[Container], wanted: LogRange) -> None:
        """Read these containers' lines, and go on when they write more."""
        for container in containers:
            seen = self._last_seen.get(container.id)
            own = LogRange(since=engine_time(seen)) if seen else wanted
            self._start_reader(container.id, container.name, own)

    def happenings(self) -> Iterator[Happening]:
        """What happens, in the order of time, for ever or until `close`. Raises StackctlError."""
        held: list[tuple[str, int, Happening]] = []
        due: list[float] = []
        count = 0
        while True:
            timeout = max(due[0] - time.monotonic(), 0) if due else 0.5
            try:
                at, happening = self._queue.get(timeout=timeout)
            except queue.Empty:
                if not due and self._is_closed:
                    return
            else:
                if isinstance(happening, BaseException):
                    if not self._is_closed:
                        raise happening
                    continue
                count += 1
                heapq.heappush(held, (at, count, happening))
                heapq.heappush(due, time.monotonic() + HELD_BACK_SECONDS)
            while due and due[0] <= time.monotonic():
                heapq.heappop(due)
                yield heapq.heappop(held)[2]

    def close_unless_started(self) -> None:
        """Close in a moment, unless a container starts until then (a restart is both)."""
        with self._lock:
            count = self._starts
        timer = threading.Timer(_RESTART_SECONDS, self._close_if, (count,))
        timer.daemon = True
        timer.start()

    def _close_if(self, starts: int) -> None:
        with self._lock:
            is_over = self._starts == starts
        if is_over:
            self.close()

    def close(self) -> None:
        """End all threads."""
        with self._lock:
            self._is_closed = True
            answers = list(self._answers)
        for answer in answers:
            answer.close()

    def _keep(self, answer: Answer) -> None:
        with self._lock:
            self._answers.append(answer)

    def _start_reader(self, container_id: str, name: str, wanted: LogRange) -> None:
        with self._lock:
            known = self._readers.get(container_id)
            if self._is_closed or (known is not None and known.is_alive()):
                return
            thread = threading.Thread(
                target=self._read_lines, args=(container_id, name, wanted), daemon=True
            )
            self._readers[container_id] = thread
        thread.start()

    def _read_lines(self, container_id: str, name: str, wanted: LogRange) -> None:
        try:
            tty = bool(inspect(self._engine, container_id)["Config"]["Tty"])
            path = f"/containers/{container_id}/logs"
            with self._engine.stream("GET", path, wanted.query(follows=True)) as answer:
                self._keep(answer)
                for line in parse_lines(answer.pieces(), name, tty=tty):
                    # A reader that begins again asks from the last second on.
                    if line.at <= self._last_seen.get(container_id, ""):
                        continue
                    self._last_seen[container_id] = line.at
                    self._queue.put((line.at, line))
        except StackctlError as error:
            is_gone = "No such container" in error.message or "can not get logs" in error.message
            if not self._is_closed and not is_gone and not is_unreadable(error):
                self._queue.put(("", error))

    def _read_events(self, answer: Answer) -> None:
        try:
            with answer:
                for event in json_messages(answer.lines()):
                    self._take(event)
        except StackctlError as error:
            if not self._is_closed:
                self._queue.put(("", error))

    def _take(self, event: dict[str, Any]) -> None:
        actor: dict[str, Any] = event.get("Actor") or {}
        marks: dict[str, str] = actor.get("Attributes") or {}
        service, number = marks.get(labels.SERVICE, ""), marks.get(labels.NUMBER, "0")
        if marks.get(labels.ONE_OFF, "").lower() == "true":
            return
        if not self._is_chosen(service, int(number) if number.isdigit() else 0):
            return
        name, container_id = marks.get("name", ""), str(actor.get("ID") or event.get("id"))
        moment = _time_text(int(event.get("timeNano") or 0))
        if event.get("Action") == "start":
            with self._lock:
                self._starts += 1
            self._queue.put((moment, ContainerStarted(name, service)))
            self._start_reader(container_id, name, self._since_last_run(container_id))
            return
        reader = self._readers.get(container_id)
        if reader is not None:
            reader.join(_LAST_LINE_SECONDS)
        code = int(marks.get("exitCode") or 0)
        ended = ContainerEnded(name, service, code, self._restarts(container_id))
        self._queue.put((max(moment, self._last_seen.get(container_id, "")), ended))

    def _since_last_run(self, container_id: str) -> LogRange:
        """What has not been shown, or was written by earlier runs."""
        since = self._last_seen.get(container_id, "")
        if since:
            return LogRange(since=engine_time(since))
        try:
            return range_of_run(inspect(self._engine, container_id)["State"])
        except StackctlError:
            return LogRange()

    def _restarts(self, container_id: str) -> bool:
        try:
            state = inspect(self._engine, container_id)["State"]
        except StackctlError:
            return False
        return bool(state.get("Restarting") or state.get("Running"))


def range_of_run(state: Mapping[str, Any]) -> LogRange:
    """The lines of a container's present or last run, by what the engine says of it.

    The time of the start is no measure: the first lines are older, and a short run may even have
    ended before the engine noted that it had started. Of a run that has ended already it is not
    known when the one before ended; a line of that one is a smaller loss than one of this.
    """
    started, finished = str(state["StartedAt"]), str(state["FinishedAt"])
    if state.get("Running"):
        since = finished  # of the run before
        return LogRange() if since.startswith(_NEVER) else LogRange(since=engine_time(since))
    return LogRange(since=_earlier(min(started, finished), _BEFORE_START_SECONDS))


def still_running(engine: Engine, stack_name: str, services: Sequence[str]) -> list[Container]:
    """The containers of services that run, or will by themselves."""
    return [
        it
        for it in list_containers(engine, stack_name)
        if it.is_alive and it.service in services and not it.is_one_off
    ]


def _earlier(at: str, by_seconds: int) -> str:
    seconds, _, fraction = engine_time(at).partition(".")
    return f"{int(seconds) - by_seconds}.{fraction}"


def _time_text(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
