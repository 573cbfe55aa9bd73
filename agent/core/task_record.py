"""What the agent keeps of one task beside what the engine shows; it survives the agent on disk."""

from collections.abc import Mapping

from stackctl.model.objects import TaskStatus
from stackctl.model.structs import Model


class TaskRecord(Model, frozen=True, kw_only=True):
    """What the agent knows of one task beyond what the engine shows. Times are epoch seconds."""

    task_id: str
    status: TaskStatus
    container_id: str = ""  # the container that was created for it, "" when none was
    image_absent: bool = False  # the engine refused to create for want of the image
    image_pulled: bool = False
    probes_failed: int = 0
    probe_at: float = 0  # when to run the health test next
    signalled_at: float = 0  # when the stop signal went out, 0 when it did not
    killed_at: float = 0
    unhealthy: bool = False  # it is being stopped because its health check failed
    retry_at: float = 0  # do nothing to it before this time
    told: Mapping[str, str] = {}  # the contents its process was told of last; `told_contents`
