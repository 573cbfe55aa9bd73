"""Lines of tasks' output, with who wrote them in front."""

from datetime import UTC, datetime
from typing import NamedTuple

from stackctl.client.views import LogLine
from stackctl.model.ids import short_id


class LogStyle(NamedTuple):
    """How a log line is shown."""

    is_raw: bool = False  # the text alone
    has_time: bool = False
    is_cut: bool = True  # task ids to twelve characters
    has_task_id: bool = True
    is_resolved: bool = True  # task and node by name


def render_log_line(line: LogLine, style: LogStyle) -> str:
    """`2024-01-01T00:00:00.000000000Z shop_web.1.x7k2…@node2    | text`."""
    time = f"{render_time(line['at'])} " if style.has_time else ""
    if style.is_raw:
        return f"{time}{line['text']}\n"
    return f"{time}{_origin(line, style)}    | {line['text']}\n"


def render_log_fault(line: LogLine) -> str:
    """Why a part of the logs is missing."""
    return f"the logs of {line['task']} on {line['node']} broke off: {line['error']}"


def render_time(at: float) -> str:
    """RFC 3339 in UTC with microseconds, as sortable text."""
    moment = datetime.fromtimestamp(at, tz=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _origin(line: LogLine, style: LogStyle) -> str:
    if not style.is_resolved:
        return line["task_id"]
    if not style.has_task_id:
        return f"{line['task']}@{line['node']}"
    task_id = short_id(line["task_id"]) if style.is_cut else line["task_id"]
    return f"{line['task']}.{task_id}@{line['node']}"
