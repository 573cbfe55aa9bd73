"""Services that are kept apart: which nodes a service must not, or had better not, be on.

Said by one of two services it holds for both: the database that excludes the batch job is not safe
when the job may follow it. Excluded services count as long as anything of them may run on a node,
avoided ones while their tasks are wanted there.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft


class Neighbours(msgspec.Struct, frozen=True):
    """By node id: a service there that excludes this one, and how many tasks it had better avoid.

    A value stands for the moment at which it was looked up.
    """

    excluded: Mapping[str, str] = {}
    avoided: Mapping[str, int] = {}


NOBODY = Neighbours()


class Relations:
    """Who is kept apart from whom, by service id."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._strict: dict[str, set[str]] = {}
        self._loose: dict[str, set[str]] = {}
        self._moved: dict[str, str] = {}  # node by task id, of tasks that are thought elsewhere
        for service in draft.services.values():
            placement = service.spec.task.placement
            if placement.exclude_services:
                self._relate(service, placement.exclude_services, self._strict)
            if placement.avoid_services:
                self._relate(service, placement.avoid_services, self._loose)

    def neighbours(self, service_id: str) -> Neighbours:
        """Where those are now that the service is kept apart from."""
        strict = self._strict.get(service_id)
        loose = self._loose.get(service_id)
        if not strict and not loose:
            return NOBODY
        excluded: dict[str, str] = {}
        for other_id in sorted(strict or ()):
            name = self._draft.services[other_id].name
            for task in self._draft.tasks_of(other_id).values():
                if _occupies(task):
                    excluded[self._node_of(task)] = name
        avoided: Counter[str] = Counter()
        for other_id in loose or ():
            for task in self._draft.tasks_of(other_id).values():
                if task.is_wanted and _occupies(task):
                    avoided[self._node_of(task)] += 1
        return Neighbours(excluded, avoided)

    def is_related(self, service_id: str) -> bool:
        """Whether any service is kept apart from this one."""
        return service_id in self._strict or service_id in self._loose

    def move(self, task_id: str, node_id: str) -> None:
        """From here on the task counts as one of that node."""
        self._moved[task_id] = node_id

    def _node_of(self, task: objects.Task) -> str:
        return self._moved.get(task.id, task.node_id)

    def _relate(
        self, service: objects.Service, names: tuple[str, ...], into: dict[str, set[str]]
    ) -> None:
        for name in names:
            other_id = self._draft.service_ids.get(name, "")
            if other_id and other_id != service.id:
                into.setdefault(service.id, set()).add(other_id)
                into.setdefault(other_id, set()).add(service.id)


def _occupies(task: objects.Task) -> bool:
    return TaskState.ASSIGNED <= task.status.state <= TaskState.RUNNING
