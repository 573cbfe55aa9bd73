"""The tally of one service: where its tasks are, and where they lately failed.

Two counts, because a slot may have two tasks while one takes the other's place. `tasks` counts both
and is what the hard limit per node is held against. `slots` counts each slot once, where its newest
task is, and not at all while that one has no node: ranked by it, a rolling update ends as evenly
spread as it began.
"""

from collections import Counter
from collections.abc import Iterable

from stackctl.core.orchestration.slots import SlotKey
from stackctl.model import objects
from stackctl.model.task_state import TaskState

FAILURES_WITHIN_SECONDS = 300.0


class Tally:
    """Counts by node id, kept while tasks are placed."""

    def __init__(self, tasks: Iterable[objects.Task], *, now: float) -> None:
        self.tasks: Counter[str] = Counter()
        self.slots: Counter[str] = Counter()
        self._failures: dict[int, Counter[str]] = {}
        newest: dict[SlotKey, objects.Task] = {}
        for task in tasks:
            if task.is_wanted and not task.has_ended:
                if task.status.state >= TaskState.ASSIGNED:
                    self.tasks[task.node_id] += 1
                key = task.slot or task.node_id
                held = newest.get(key)
                if held is None or held.created_version <= task.created_version:
                    newest[key] = task
            elif (
                task.status.state in (TaskState.FAILED, TaskState.REJECTED)
                and not task.status.counts_as_lost
                and now - task.status.at <= FAILURES_WITHIN_SECONDS
            ):
                self._failures.setdefault(task.revision, Counter())[task.node_id] += 1
        for task in newest.values():
            if task.status.state >= TaskState.ASSIGNED:
                self.slots[task.node_id] += 1

    def failures(self, revision: int) -> Counter[str]:
        """How many tasks of that revision failed on each node lately."""
        return self._failures.get(revision, Counter())

    def add(self, node_id: str) -> None:
        """A task was placed there."""
        self.tasks[node_id] += 1
        self.slots[node_id] += 1

    def move(self, source_id: str, target_id: str) -> None:
        """A task went from one node to another."""
        self.add(target_id)
        self.tasks[source_id] -= 1
        self.slots[source_id] -= 1
