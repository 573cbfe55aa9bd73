"""Log streams: the output of tasks, sent as far as the receiver has granted credit.

Each task of a stream has a thread that reads the engine and waits for credit before it sends; the
engine's socket is what holds the rest back, so memory stays bounded however much a task prints.
A followed task whose container does not exist yet is waited for.
"""

import logging
import threading
from collections.abc import Callable

from agent.core.observed import Container
from agent.drivers.engine import Engine, LogQuery, LogStream
from stackctl.errors import DriverFailure
from stackctl.wire.agent_protocol import LogChunk, OpenLogs, StreamEnd

Send = Callable[[LogChunk | StreamEnd], bool]

_log = logging.getLogger(__name__)


class LogStreams:
    """All open log streams of one connection to a manager."""

    def __init__(
        self, *, engine: Engine, find_container: Callable[[str], Container | None], send: Send
    ) -> None:
        self._engine = engine
        self._find_container = find_container
        self._send = send
        self._changed = threading.Condition()
        self._streams: dict[int, _Stream] = {}

    def open(self, request: OpenLogs) -> None:
        """Begin to send; a stream that is open under this number is closed first."""
        self.close(request.stream_id)
        stream = _Stream(request)
        with self._changed:
            self._streams[request.stream_id] = stream
        for task_id in request.task_ids:
            threading.Thread(
                target=self._send_task, args=(stream, task_id), name="logs", daemon=True
            ).start()
        if not request.task_ids:
            self._finish(stream)

    def grant(self, stream_id: int, credit_bytes: int) -> None:
        """The receiver has room for this much more."""
        with self._changed:
            stream = self._streams.get(stream_id)
            if stream is not None:
                stream.credit_bytes += credit_bytes
                self._changed.notify_all()

    def close(self, stream_id: int) -> None:
        """Nobody reads the stream any longer."""
        with self._changed:
            stream = self._streams.pop(stream_id, None)
            if stream is None:
                return
            stream.is_closed = True
            sources = list(stream.sources)
            self._changed.notify_all()
        for source in sources:
            source.close()

    def close_all(self) -> None:
        """The connection is over."""
        with self._changed:
            numbers = list(self._streams)
        for stream_id in numbers:
            self.close(stream_id)

    def notice_container(self) -> None:
        """A container appeared or ended: those who wait for one look again."""
        with self._changed:
            self._changed.notify_all()

    def _send_task(self, stream: "_Stream", task_id: str) -> None:
        try:
            self._read(stream, task_id)
        except DriverFailure as failure:
            stream.error = stream.error or failure.reason
        except Exception as error:  # noqa: BLE001  # top of a thread; the reader is told why
            _log.exception("the log of task %s failed", task_id)
            stream.error = stream.error or f"the agent failed to read the log: {error}"
        self._finish_task(stream)

    def _read(self, stream: "_Stream", task_id: str) -> None:
        container = self._await_container(stream, task_id)
        if container is None:
            return
        source = self._engine.logs(container.id, stream.query)
        with self._changed:
            stream.sources.append(source)
            is_closed = stream.is_closed
        try:
            if is_closed:
                return
            for entry in source:
                chunk = LogChunk(
                    stream_id=stream.id,
                    task_id=task_id,
                    at=entry.at,
                    source=entry.source,
                    text=entry.text,
                )
                if not self._spend(stream, len(entry.text)) or not self._send(chunk):
                    return
        finally:
            source.close()

    def _await_container(self, stream: "_Stream", task_id: str) -> Container | None:
        with self._changed:
            while not stream.is_closed:
                container = self._find_container(task_id)
                if container is not None or not stream.query.follow:
                    return container
                self._changed.wait()
        return None

    def _spend(self, stream: "_Stream", cost_bytes: int) -> bool:
        """Wait until the stream has credit for this much. False when it was closed."""
        with self._changed:
            while not stream.is_closed and stream.credit_bytes < cost_bytes:
                self._changed.wait()
            stream.credit_bytes -= cost_bytes
            return not stream.is_closed

    def _finish_task(self, stream: "_Stream") -> None:
        with self._changed:
            stream.tasks_left -= 1
            is_last = stream.tasks_left == 0
        if is_last:
            self._finish(stream)

    def _finish(self, stream: "_Stream") -> None:
        with self._changed:
            is_mine = self._streams.get(stream.id) is stream
            if is_mine:
                del self._streams[stream.id]
        if is_mine:
            self._send(StreamEnd(stream_id=stream.id, error=stream.error))


class _Stream:
    """One open stream; its fields are guarded by the condition of `LogStreams`."""

    def __init__(self, request: OpenLogs) -> None:
        self.id = request.stream_id
        self.query = LogQuery(
            follow=request.follow, tail=request.tail, since=request.since, until=request.until
        )
        self.credit_bytes = request.credit_bytes
        self.tasks_left = len(request.task_ids)
        self.sources: list[LogStream] = []
        self.is_closed = False
        self.error = ""
