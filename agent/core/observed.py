"""What the agent sees: containers of this node's tasks, as values.

A container is *ours* when it carries the labels that `container_config` writes (cluster, node, task
id and task name) and bears the name made of the two. The name is part of the test because labels
are inherited: an image committed from a task's container hands all its labels on to containers that
a person starts from it, and those must never be stopped by the agent.
"""

from collections.abc import Mapping
from enum import StrEnum

from stackctl.model.structs import Model

LABEL_CLUSTER_ID = "stackctl.cluster.id"
LABEL_NODE_ID = "stackctl.node.id"
LABEL_TASK_ID = "stackctl.task.id"
LABEL_TASK_NAME = "stackctl.task.name"

DEFAULT_GRACE_SECONDS = 10.0


class ContainerState(StrEnum):
    """The engine's words for where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class Health(StrEnum):
    """The engine's verdict on a container that has a health check."""

    NONE = ""  # no health check
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Container(Model, frozen=True, kw_only=True):
    """One container of a task, as last inspected."""

    id: str
    name: str
    task_id: str
    state: ContainerState
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""  # the engine's words when it could not start or stop it
    health: Health = Health.NONE
    health_command: tuple[str, ...] = ()  # the test of spec or image, ready to be executed
    health_timeout_seconds: float = 0
    stop_signal: str = ""  # of spec or image, "" is SIGTERM
    stop_grace_seconds: float = DEFAULT_GRACE_SECONDS
    networks: tuple[str, ...] = ()  # engine names of the networks it is attached to
    tty: bool = False
    stopped_elsewhere: bool = False  # its engine or a person stopped it, or nobody was watching

    @property
    def is_up(self) -> bool:
        """True while it has a process, running or paused."""
        return self.state in (
            ContainerState.RUNNING,
            ContainerState.PAUSED,
            ContainerState.RESTARTING,
        )

    @property
    def has_ended(self) -> bool:
        """True when its process ran and is gone."""
        return self.state in (ContainerState.EXITED, ContainerState.DEAD)


class ContainerSummary(Model, frozen=True, kw_only=True):
    """One line of the engine's list: enough to see whether a closer look is due."""

    id: str
    task_id: str
    state: ContainerState
    health: Health = Health.NONE


def container_name(task_name: str, task_id: str) -> str:
    """The name of a task's container."""
    return f"{task_name}.{task_id}"


def is_task_container(name: str, labels: Mapping[str, str]) -> bool:
    """True for a container that an agent created for a task, false for one that only inherited
    labels.
    """
    task_id = labels.get(LABEL_TASK_ID, "")
    if not task_id:
        return False
    return name == container_name(labels.get(LABEL_TASK_NAME, ""), task_id)
