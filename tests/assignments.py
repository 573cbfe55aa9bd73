"""Short ways to say what a node is assigned, for tests."""

from collections.abc import Mapping
from typing import Any

from agent.core import observed
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet, NetworkAssignment, TaskAssignment
from stackctl.model.task_state import TaskState
from tests.images import BUSYBOX_IMAGE

NODE_ID = "node1"


def task(
    task_id: str,
    *command: str,
    desired: TaskState = TaskState.RUNNING,
    container: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
    **fields: Any,
) -> TaskAssignment:
    """A task of a service `web` whose program sleeps, unless said otherwise."""
    content: dict[str, Any] = {
        "image": BUSYBOX_IMAGE,
        "command": command or ("sleep", "1000"),
        **(container or {}),
    }
    return TaskAssignment(
        id=task_id,
        name=f"web.{task_id}",
        service_id="s1",
        service_name="web",
        slot=1,
        revision=1,
        stack_name="test",
        spec=specs.TaskSpec(
            container=specs.ContainerSpec(**content),
            **(spec or {}),
        ),
        desired_state=desired,
        **fields,
    )


def assignment(index: int, *tasks: TaskAssignment, term: int = 1, **fields: Any) -> AssignmentSet:
    """A set of these tasks."""
    return AssignmentSet(
        node_id=NODE_ID,
        term=term,
        index=index,
        tasks=tuple(sorted(tasks, key=lambda item: item.id)),
        **fields,
    )


def network(name: str, number: int, **fields: Any) -> NetworkAssignment:
    """An overlay network 10.<number>.0.0/24."""
    return NetworkAssignment(
        id=f"{name}-id",
        name=name,
        vni=number,
        subnet=f"10.{number}.0.0/24",
        gateway=f"10.{number}.0.1",
        **fields,
    )


def container_name(task_id: str) -> str:
    """The name of the container of a `task`."""
    return observed.container_name(f"web.{task_id}", task_id)
