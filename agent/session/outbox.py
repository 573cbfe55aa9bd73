"""What waits to be sent to a manager, filled from any thread and emptied by the connection.

Of a task only its newest status waits, because observed states only grow; of the applied index and
the description only the newest as well. Log frames wait in order and are few: who adds one more
than there is room for waits, so a flood of output stays in the engine.
"""

import threading
from collections import deque
from collections.abc import Callable

from stackctl.model.objects import NodeDescription, TaskStatus
from stackctl.wire.agent_protocol import (
    AgentFrame,
    Applied,
    Description,
    ImageProgress,
    LogChunk,
    StatusReport,
    StreamEnd,
    TaskReport,
)

LOG_FRAMES_MAX = 512
REPORTS_PER_FRAME_MAX = 500


class Outbox:
    """Frames for the manager. `on_news` is called, from any thread, when there is something."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._statuses: dict[str, TaskStatus] = {}
        self._applied_index = 0
        self._description: NodeDescription | None = None
        self._logs: deque[LogChunk | ImageProgress | StreamEnd] = deque()
        self._on_news: Callable[[], object] | None = None
        self._connection = 0  # counts connections, so that old log streams find theirs is gone

    def connect(self, on_news: Callable[[], object]) -> int:
        """A connection begins, with nothing to send yet. Returns its number, for log frames."""
        with self._changed:
            self._on_news = on_news
            self._logs.clear()
            self._statuses = {}
            self._connection += 1
            self._changed.notify_all()
            return self._connection

    def put_all_reports(self, reports: tuple[TaskReport, ...]) -> None:
        """All statuses go again; what was reported since they were collected is newer."""
        with self._changed:
            for report in reports:
                waiting = self._statuses.get(report.task_id)
                if waiting is None or waiting.state < report.status.state:
                    self._statuses[report.task_id] = report.status
        self._tell()

    def disconnect(self) -> None:
        """The connection is over: nothing is to be sent until the next one."""
        with self._changed:
            self._on_news = None
            self._logs.clear()
            self._connection += 1
            self._changed.notify_all()

    def put_report(self, report: TaskReport) -> None:
        """A task has a new status."""
        with self._changed:
            waiting = self._statuses.get(report.task_id)
            if waiting is None or waiting.state <= report.status.state:
                self._statuses[report.task_id] = report.status
        self._tell()

    def put_applied(self, index: int) -> None:
        """The network of this assignment is in force."""
        with self._changed:
            self._applied_index = max(self._applied_index, index)
        self._tell()

    def put_description(self, description: NodeDescription) -> None:
        """The node has changed."""
        with self._changed:
            self._description = description
        self._tell()

    def put_log(self, frame: LogChunk | ImageProgress | StreamEnd, *, connection: int) -> bool:
        """A frame of a stream; waits for room. False when that connection is over."""
        with self._changed:
            while connection == self._connection and len(self._logs) >= LOG_FRAMES_MAX:
                self._changed.wait()
            if connection != self._connection:
                return False
            self._logs.append(frame)
        self._tell()
        return True

    def has_urgent(self) -> bool:
        """True when something waits that must not be held back for batching."""
        with self._changed:
            return bool(self._applied_index)

    def take(self) -> list[AgentFrame]:
        """Everything that waits, the important first."""
        with self._changed:
            frames: list[AgentFrame] = []
            if self._applied_index:
                frames.append(Applied(index=self._applied_index))
            reports = [
                TaskReport(task_id=task_id, status=status)
                for task_id, status in self._statuses.items()
            ]
            frames.extend(
                StatusReport(reports=tuple(reports[start : start + REPORTS_PER_FRAME_MAX]))
                for start in range(0, len(reports), REPORTS_PER_FRAME_MAX)
            )
            if self._description is not None:
                frames.append(Description(description=self._description))
            frames.extend(self._logs)
            self._applied_index = 0
            self._statuses = {}
            self._description = None
            self._logs.clear()
            self._changed.notify_all()
            return frames

    def _tell(self) -> None:
        on_news = self._on_news
        if on_news is not None:
            on_news()
