"""Slots: the places of a service that tasks fill one after another.

A replicated service has numbered slots, a global one has a slot per node. A slot is present as long
as somebody wants a task in it, or its last task ended and its policy forbids another (a spent
slot): only a task told to REMOVE gives its slot back.
"""

from collections.abc import Iterable

import msgspec

from stackctl.model import objects
from stackctl.model.task_state import TaskState

SlotKey = int | str  # slot number, or node id of a global service

ENDED_BY_THEMSELVES = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


class Slot(msgspec.Struct, frozen=True):
    """The tasks of one slot, oldest first."""

    key: SlotKey
    tasks: tuple[objects.Task, ...]

    @property
    def live(self) -> tuple[objects.Task, ...]:
        """Wanted and not ended, oldest first."""
        return tuple(task for task in self.tasks if task.is_wanted and not task.has_ended)

    @property
    def latest(self) -> objects.Task:
        """The newest task."""
        return self.tasks[-1]

    @property
    def is_present(self) -> bool:
        """True while the slot counts as one of the service's."""
        return (
            any(task.is_wanted for task in self.tasks)
            or self.latest.desired_state == TaskState.SHUTDOWN
        )


def slots_of(tasks: Iterable[objects.Task]) -> dict[SlotKey, Slot]:
    """The slots of a service by key, in order of their keys."""
    grouped: dict[SlotKey, list[objects.Task]] = {}
    for task in tasks:
        grouped.setdefault(task.slot or task.node_id, []).append(task)
    return {
        key: Slot(key, tuple(sorted(grouped[key], key=_age)))
        for key in sorted(grouped, key=lambda key: (isinstance(key, str), key))
    }


def ended_by_itself(task: objects.Task) -> bool:
    """True when nobody asked it to end: it completed, failed or could not start."""
    return task.status.state in ENDED_BY_THEMSELVES


def _age(task: objects.Task) -> tuple[float, str]:
    return (task.created_at, task.id)
