"""Slots: the places of a service that tasks fill one after another.

A replicated service has numbered slots, a global one has a slot per node. A slot is present as long
as somebody wants a task in it, or its last task ended and its policy forbids another (a spent
slot): a slot is given back when all its tasks are told to REMOVE. Single tasks told to REMOVE were
withdrawn; what becomes of their slot does not depend on them.

The order of a slot's tasks is that of the log, not of their times: clocks of two leaders differ.
"""

from collections.abc import Iterable

import msgspec

from stackctl.model import objects
from stackctl.model.task_state import TaskState

SlotKey = int | str  # slot number, or node id of a global service

ENDED_BY_THEMSELVES = (TaskState.COMPLETE, TaskState.FAILED, TaskState.REJECTED)


class Slot(msgspec.Struct, frozen=True):
    """The tasks of one slot, oldest first; `live` are those that are wanted and have not ended."""

    key: SlotKey
    tasks: tuple[objects.Task, ...]
    live: tuple[objects.Task, ...]

    @property
    def latest(self) -> objects.Task:
        """The newest task that was not withdrawn."""
        kept = [task for task in self.tasks if task.desired_state < TaskState.REMOVE]
        return (kept or self.tasks)[-1]

    @property
    def last_ended(self) -> objects.Task:
        """What a slot without a live task is to be judged by: its newest task, unless that ended
        unasked before an older one did. (An update's first attempt may be rejected while the old
        task goes on; when that one fails too, it is the one to be restarted.)
        """
        latest = self.latest
        if not _ended_unasked(latest):
            return latest
        kept = (task for task in self.tasks if task.desired_state < TaskState.REMOVE)
        return max(filter(_ended_unasked, kept), key=lambda task: task.version, default=latest)

    def of_revision(self, revision: int) -> list[objects.Task]:
        """Its tasks of that revision, but those that were withdrawn."""
        return [
            task
            for task in self.tasks
            if task.revision == revision and task.desired_state < TaskState.REMOVE
        ]

    @property
    def is_present(self) -> bool:
        """True while the slot counts as one of the service's."""
        return any(task.desired_state < TaskState.REMOVE for task in self.tasks)

    @property
    def node_id(self) -> str:
        """The node that the slot's tasks are on, "" while none was chosen."""
        return next((task.node_id for task in reversed(self.live) if task.node_id), "")


def slots_of(tasks: Iterable[objects.Task]) -> dict[SlotKey, Slot]:
    """The slots of a service by key, in order of their keys: numbers, then nodes."""
    numbered: dict[int, list[objects.Task]] = {}
    of_nodes: dict[str, list[objects.Task]] = {}
    for task in tasks:
        if task.slot:
            numbered.setdefault(task.slot, []).append(task)
        else:
            of_nodes.setdefault(task.node_id, []).append(task)
    slots: dict[SlotKey, Slot] = {}
    for number in sorted(numbered):
        slots[number] = _slot(number, numbered[number])
    for node_id in sorted(of_nodes):
        slots[node_id] = _slot(node_id, of_nodes[node_id])
    return slots


def _slot(key: SlotKey, tasks: list[objects.Task]) -> Slot:
    if len(tasks) > 1:
        tasks.sort(key=_age)
    live = [
        task
        for task in tasks
        if task.desired_state <= TaskState.COMPLETE and task.status.state <= TaskState.RUNNING
    ]
    return Slot(key, tuple(tasks), tuple(live))


def ended_by_itself(task: objects.Task) -> bool:
    """True when it completed, failed or could not start before anybody asked it to end.

    A task that was lost with its node was asked; that it failed is known only when the node is
    back, and counts neither as an attempt nor as a failure of an update. One that its engine
    stopped (an upgrade) counts as little.
    """
    return _ended_unasked(task) and not task.status.counts_as_lost


def _ended_unasked(task: objects.Task) -> bool:
    return task.status.state in ENDED_BY_THEMSELVES and not task.was_asked_to_end


def _age(task: objects.Task) -> tuple[int, float, str]:
    return (task.created_version, task.created_at, task.id)
