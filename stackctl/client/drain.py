"""How far the draining of a node is: what is left on it, service by service, and why. Pure.

A task is left while it has not ended, on a node that is down while somebody still wants it there:
then nobody can say whether it has ended. A task *waits in vain* when the one that shall take over
in its place was refused by an engine or finds no node.

A drain is stuck when a task waits in vain and for `stalled_seconds` no task has gone: as long as
tasks are stopping, or replacements come up, waiting makes sense.
"""

from collections.abc import Sequence
from typing import NamedTuple

from stackctl.client.progress import ENDED_BADLY, MOVING_STATES, WAITING_STATES
from stackctl.client.views import NodeView, TaskView

_ENDED_STATES = ENDED_BADLY | {"complete", "shutdown", "orphaned"}


class ServiceLeft(NamedTuple):
    """What one service still has on the node, of what it had when somebody began to look."""

    name: str
    left: int
    before: int
    reason: str = ""  # why the next one does not go

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left."""
        return self.left == 0


class DrainVerdict(NamedTuple):
    """What one look came to: done when nothing is left, and nothing that has left is still on its
    way up elsewhere, unless that lasts. `failure` says why the node does not get empty.
    """

    services: tuple[ServiceLeft, ...]
    is_done: bool
    failure: str
    homeless: tuple[str, ...] = ()  # tasks that were here and run nowhere now, with the reason


class Drain:
    """One drain under watch; times are monotonic seconds of the caller."""

    def __init__(
        self,
        *,
        now: float,
        stalled_seconds: float,
        timeout_seconds: float | None = None,
    ) -> None:
        self._started_at = now
        self._changed_at = now
        self._stalled_seconds = stalled_seconds
        self._timeout_seconds = timeout_seconds
        self._before: dict[str, set[str]] = {}  # names of tasks seen here, by service
        self._service_ids: set[str] = set()
        self._left = -1

    @property
    def service_ids(self) -> tuple[str, ...]:
        """The services whose tasks were seen on the node."""
        return tuple(sorted(self._service_ids))

    def note(self, tasks_here: Sequence[TaskView]) -> None:
        """What the node has; comes before `observe`, which needs the services' other tasks."""
        for task in tasks_here:
            if is_left(task):
                self._before.setdefault(task["service"], set()).add(task["name"])
                self._service_ids.add(task["service_id"])

    def observe(self, node: NodeView, tasks: Sequence[TaskView], *, now: float) -> DrainVerdict:
        """Judges the node and all tasks of `service_ids`."""
        here = [task for task in tasks if task["node_id"] == node["id"] and is_left(task)]
        if len(here) != self._left:
            self._left, self._changed_at = len(here), now
        services = tuple(
            ServiceLeft(
                name,
                sum(task["service"] == name for task in here),
                len(before),
                _why_not(name, here, tasks),
            )
            for name, before in sorted(self._before.items())
        )
        return DrainVerdict(
            services=services,
            is_done=not here and not (self._is_any_on_its_way(tasks) and now < self._stalled_at),
            failure=self._failure(node, here, services, now) if here else "",
            homeless=self._homeless(here, tasks),
        )

    def _failure(
        self,
        node: NodeView,
        here: Sequence[TaskView],
        services: Sequence[ServiceLeft],
        now: float,
    ) -> str:
        what = f"node {node['hostname']}"
        left = f"{len(here)} {'task' if len(here) == 1 else 'tasks'} left"
        if node["availability"] != "drain":
            return f"{what} is no longer to be drained, {left}"
        reasons = [f"{each.name}: {each.reason}" for each in services if each.reason]
        because = f" ({'; '.join(reasons)})" if reasons else ""
        limit = self._timeout_seconds
        if limit is not None and now - self._started_at >= limit:
            return f"{what} is not empty after {limit:g} s, {left}{because}"
        is_stopping = any(task["desired_state"] in ("shutdown", "remove") for task in here)
        if reasons and not is_stopping and now >= self._stalled_at:
            return f"{what} gets no emptier: {left}{because}"
        return ""

    @property
    def _stalled_at(self) -> float:
        return self._changed_at + self._stalled_seconds

    def _is_any_on_its_way(self, tasks: Sequence[TaskView]) -> bool:
        return any(
            task["state"] in MOVING_STATES
            or (task["state"] in WAITING_STATES and not task["error"])
            for task in self._successors(tasks)
        )

    def _homeless(self, here: Sequence[TaskView], tasks: Sequence[TaskView]) -> tuple[str, ...]:
        still_here = {task["name"] for task in here}
        found = {
            task["name"]: f"{task['name']}: {task['error'] or 'no node yet'}"
            for task in self._successors(tasks)
            if task["state"] in WAITING_STATES and task["name"] not in still_here
        }
        return tuple(found[name] for name in sorted(found))

    def _successors(self, tasks: Sequence[TaskView]) -> list[TaskView]:
        names = {name for before in self._before.values() for name in before}
        return [task for task in tasks if task["is_current"] and task["name"] in names]


def is_left(task: TaskView) -> bool:
    """Whether the task still keeps its node from being empty."""
    if task["state"] in _ENDED_STATES:
        return False
    return task["is_current"] or task["node_state"] != "down"


def _why_not(service: str, here: Sequence[TaskView], tasks: Sequence[TaskView]) -> str:
    """What stopped the newest replacement of one of the service's tasks that are left."""
    for left in here:
        if left["service"] != service or left["desired_state"] in ("shutdown", "remove"):
            continue
        later = [
            task
            for task in tasks
            if task["name"] == left["name"]
            and task["node_id"] != left["node_id"]
            and task["created_at"] > left["created_at"]
        ]
        newest = max(later, key=lambda task: task["created_at"], default=None)
        if newest is None or newest["state"] in MOVING_STATES:
            continue
        if newest["state"] in ENDED_BADLY or newest["state"] in WAITING_STATES:
            reason = newest["error"] or newest["end_cause"]
            if reason:
                return f"{newest['name']} cannot run elsewhere: {reason}"
    return ""
