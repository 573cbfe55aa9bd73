"""Removal of services, dependants first: what runs finds what it depends on until it has ended.

Services that go together end in the reverse of the order in which they started. A task that runs
and that another removed service still depends on stays wanted, and so a backend, until the tasks of
that service have ended; everything else is told to end at once. Nobody waits for tasks on nodes
that are DOWN, and services that depend on each other in a circle do not wait for each other.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft


def mark_removed(
    draft: Draft, services: Iterable[objects.Service], *, now: float, cause: str
) -> None:
    """The services end, and each of their tasks with them."""
    marked = [replace(service, removing=True) for service in services]
    for service in marked:
        draft.put_service(service)
    for service in marked:
        for task in ending_tasks(draft, service):
            draft.put_task(
                replace(
                    task,
                    desired_state=TaskState.REMOVE,
                    desired_at=now,
                    desired_version=draft.index,
                    end_cause=task.end_cause or cause,
                )
            )


def ending_tasks(draft: Draft, service: objects.Service) -> list[objects.Task]:
    """Tasks of a removed service that are to end now and have not been told so, by slot and age."""
    untold = [
        task
        for task in draft.tasks_of(service.id).values()
        if task.desired_state < TaskState.REMOVE
    ]
    if any(_has_started(task) for task in untold) and is_needed(draft, service):
        untold = [task for task in untold if not _has_started(task)]
    return sorted(untold, key=lambda task: (task.slot, task.node_id, task.created_version, task.id))


def is_needed(draft: Draft, service: objects.Service) -> bool:
    """True while something of a removed service runs that depends on this one."""
    users = _users(draft, service)
    if not any(_runs(draft, user) for user in users):
        return False
    reached = {user.id for user in users}
    frontier = users
    while frontier:
        found = [user for each in frontier for user in _users(draft, each)]
        frontier = [user for user in found if user.id not in reached]
        reached.update(user.id for user in frontier)
    return service.id not in reached


def _users(draft: Draft, service: objects.Service) -> list[objects.Service]:
    return [
        other
        for other in draft.services.values()
        if other.removing
        and any(dependency.service == service.name for dependency in other.spec.depends_on)
    ]


def _runs(draft: Draft, service: objects.Service) -> bool:
    for task in draft.tasks_of(service.id).values():
        node = draft.nodes.get(task.node_id)
        is_reachable = node is not None and node.state != NodeState.DOWN
        if is_reachable and _has_started(task):
            return True
    return False


def _has_started(task: objects.Task) -> bool:
    return TaskState.STARTING <= task.status.state <= TaskState.RUNNING
