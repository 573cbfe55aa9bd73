"""Whether a task's image is to be fetched before its container is created, by its pull policy.

`missing` fetches it when the engine has refused to create a container for want of it; `always`
once for each task; `refresh` once for each task, too, but only when the engine's image is too old;
`never` leaves everything as it is.
"""

import msgspec

from agent.core.actions import PullImage
from agent.core.task_record import TaskRecord
from stackctl.model.assignment import TaskAssignment
from stackctl.model.specs import PullPolicy


def wanted_pull(task: TaskAssignment, record: TaskRecord) -> PullImage | None:
    """The pull that comes before the task's container, or None."""
    container = task.spec.container
    if container.pull_policy is PullPolicy.NEVER:
        return None
    pull = PullImage(
        task_id=task.id,
        image=container.image,
        platform=container.platform,
        cause="the engine does not have it",
    )
    if record.image_absent:
        return pull
    if record.image_pulled or record.container_id:
        return None
    match container.pull_policy:
        case PullPolicy.ALWAYS:
            return msgspec.structs.replace(pull, cause="its pull policy is always")
        case PullPolicy.REFRESH:
            return msgspec.structs.replace(
                pull,
                refresh_seconds=container.pull_refresh_seconds,
                cause="its pull policy is refresh",
            )
    return None


def is_served(task: TaskAssignment, record: TaskRecord, pull: PullImage) -> bool:
    """Whether a pull is what this task waits for, whoever it was begun for."""
    wanted = wanted_pull(task, record)
    if wanted is None or (wanted.image, wanted.platform) != (pull.image, pull.platform):
        return False
    return pull.refresh_seconds in (None, wanted.refresh_seconds)
