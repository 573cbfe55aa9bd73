"""The records of the node's tasks: in memory, on disk, and told to whoever reports them.

Not safe by itself: the worker calls it under its lock, so that reports of one task leave in the
order of its states, and writes what `take_changes` gives to disk without holding it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from agent.core.task_record import TaskRecord
from agent.drivers.disk import AgentFolder
from stackctl.model.assignment import AssignmentSet
from stackctl.wire.agent_protocol import TaskReport

_log = logging.getLogger(__name__)


class Records:
    """What is known of each task beyond the engine, by task id."""

    def __init__(
        self,
        folder: AgentFolder,
        *,
        on_report: Callable[[TaskReport], None],
        title_of: Callable[[str], str],
    ) -> None:
        """`title_of` names a task for the log."""
        self._folder = folder
        self._on_report = on_report
        self._title_of = title_of
        self._records: dict[str, TaskRecord] = {}
        self._are_changed = False

    def load(self) -> None:
        """Take up what was kept."""
        self._records = {record.task_id: record for record in self._folder.read_records()}

    def take_changes(self) -> tuple[TaskRecord, ...] | None:
        """All records, when some have changed since the last call: what the disk should hold."""
        if not self._are_changed:
            return None
        self._are_changed = False
        return tuple(self._records.values())

    def get(self, task_id: str) -> TaskRecord | None:
        """The record of a task."""
        return self._records.get(task_id)

    def snapshot(self) -> Mapping[str, TaskRecord]:
        """All records, as they are now."""
        return dict(self._records)

    def reports(self, assignment: AssignmentSet) -> tuple[TaskReport, ...]:
        """The last status of every task of a set."""
        return tuple(
            TaskReport(task_id=task.id, status=self._records[task.id].status)
            for task in assignment.tasks
            if task.id in self._records
        )

    def put(self, record: TaskRecord) -> None:
        """A record has changed; a changed status is reported."""
        before = self._records.get(record.task_id)
        if before == record:
            return
        self._records[record.task_id] = record
        self._are_changed = True
        status = record.status
        if before is not None and before.status == status:
            return
        if before is None or before.status.state != status.state:
            error = f": {status.error}" if status.error else ""
            title = self._title_of(record.task_id)
            _log.info("%s is %s%s", title, status.state.name.lower(), error)
        self._on_report(TaskReport(task_id=record.task_id, status=status))

    def forget(self, task_ids: Iterable[str]) -> None:
        """These tasks are gone without a trace."""
        for task_id in task_ids:
            del self._records[task_id]
            self._are_changed = True
