"""Which output is wanted: the words shared by handlers, log sources and managers."""

from stackctl.model.structs import StrictModel


class LogRange(StrictModel, frozen=True, kw_only=True):
    """Which part of each task's output. Times are seconds since the epoch, 0 is open."""

    follow: bool = False
    tail: int | None = None  # last lines per task; None is all
    since: float = 0
    until: float = 0


class TaskLogRequest(StrictModel, frozen=True, kw_only=True):
    """Output of some tasks of one node."""

    node_id: str
    task_ids: tuple[str, ...]
    range: LogRange = LogRange()
