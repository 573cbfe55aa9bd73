"""What `service logs` does: find the service or task, ask for its lines, print them."""

import time
from typing import NamedTuple

from stackctl.cli.moments import parse_moment
from stackctl.cli.render.errors import PROGRAM
from stackctl.cli.render.logs import LogStyle, render_log_fault, render_log_line
from stackctl.cli.session import Session
from stackctl.client.api import Client
from stackctl.client.failures import NoSuchName
from stackctl.errors import InputError

__all__ = ["LogOptions", "LogStyle", "print_logs"]


class LogOptions(NamedTuple):
    """The flags of `logs`, times and numbers as they were written."""

    follows: bool = False
    tail: str = "all"
    since: str = ""
    until: str = ""
    style: LogStyle = LogStyle()


def print_logs(session: Session, reference: str, options: LogOptions) -> int:
    """Print the lines of a service's tasks, or of one task; exit code 1 when some are missing.

    Raises NoSuchName, InputError.
    """
    now = time.time()
    tail = _tail(options.tail)
    since = parse_moment(options.since, now=now) if options.since else None
    until = parse_moment(options.until, now=now) if options.until else None
    service_id, task_id = _find(session.client, reference)
    lines = session.client.logs(
        service_id,
        follow=options.follows,
        tail=tail,
        since=since,
        until=until,
        task_id=task_id,
    )
    is_whole = True
    for line in lines:
        if line["error"]:
            is_whole = False
            session.terminal.note(f"{PROGRAM}: {render_log_fault(line)}")
        elif line["source"] == "stderr":
            session.terminal.note(render_log_line(line, options.style))
        else:
            session.terminal.write(render_log_line(line, options.style))
            if options.follows:
                session.terminal.flush()
    return 0 if is_whole else 1


def _find(client: Client, reference: str) -> tuple[str, str]:
    """The id of the service, and of the task when the reference is a task's name or id."""
    try:
        return client.service(reference)["service"]["id"], ""
    except NoSuchName as unknown:
        tasks = sorted(client.tasks(), key=lambda task: task["created_at"], reverse=True)
        named = [task for task in tasks if task["name"] == reference]
        found = named or [task for task in tasks if task["id"].startswith(reference)]
        if not found or (not named and len(found) > 1):
            raise NoSuchName.as_said(
                f"no such service or task: {reference}", unknown.hint
            ) from unknown
        return found[0]["service_id"], found[0]["id"]


def _tail(text: str) -> int | None:
    if text == "all":
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise InputError(f"--tail {text}: neither a number of lines nor all")
