"""Follows a change until it is done: asks the managers, shows progress, says what went wrong.

The judging is `client.convergence`; here are the clock, the long poll, and the patience with
managers that change their leader while somebody waits.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from stackctl.cli.render.logs import LogStyle, render_log_line
from stackctl.cli.render.progress import ProgressLines
from stackctl.cli.render.tasks import ENDED_STATES
from stackctl.cli.session import Session
from stackctl.client.api import Client
from stackctl.client.convergence import (
    USUAL_LIMITS,
    Baseline,
    Convergence,
    Limits,
    Snapshot,
    Verdict,
)
from stackctl.client.failures import NoSuchName
from stackctl.client.progress import COMPLETE
from stackctl.client.service_watch import Failure
from stackctl.client.views import LogLine, TaskView
from stackctl.errors import ClusterUnavailable, NotConverged, StackctlError

LOG_LINES = 10
# A node may know of a task's end before its engine has written the last lines.
LOG_ATTEMPTS = 3
LOG_RETRY_SECONDS = 0.3

_RETRY_PERIOD_SECONDS = 0.5
_UNAVAILABLE_SECONDS_MAX = 30.0
_POLL_SECONDS_MAX = 2.0  # a manager that freezes meanwhile is noticed soon after

T = TypeVar("T")

Read = Callable[[Client], Snapshot]


class Change(NamedTuple):
    """A change to wait for: which services, how to read them, what was so before."""

    service_names: tuple[str, ...]
    read: Read
    baseline: Baseline
    show_command: str  # what shows the state later on
    after_index: int = 0  # a log index that is not after the change
    accepts_rollback: tuple[str, ...] = ()  # services for which a rollback is what was asked for


class WaitOptions(NamedTuple):
    """Flags of commands that wait."""

    is_quiet: bool = False
    timeout_seconds: float | None = None


def read_stack(name: str) -> Read:
    """Reads the services and tasks of a stack, none when there is no such stack."""

    def read(client: Client) -> Snapshot:
        try:
            return Snapshot(client.services(stack=name), client.tasks(stack=name))
        except NoSuchName:
            return Snapshot()

    return read


def read_services(references: Sequence[str]) -> Read:
    """Reads services with their tasks; those that are gone are left out."""

    def read(client: Client) -> Snapshot:
        services, tasks = [], []
        for reference in references:
            try:
                services.append(client.service(reference)["service"])
                tasks.extend(client.tasks(service=reference))
            except NoSuchName:
                continue
        return Snapshot(services, tasks)

    return read


def wait_for_change(session: Session, change: Change, options: WaitOptions) -> None:
    """Return when the change is done. Raises NotConverged; Ctrl-C ends the wait, not the change."""
    convergence = Convergence(
        change.service_names,
        now=time.monotonic(),
        baseline=change.baseline,
        limits=_limits(session)._replace(timeout_seconds=options.timeout_seconds),
        accepts_rollback=change.accepts_rollback,
    )
    try:
        verdict = _follow(session, change, convergence, is_quiet=options.is_quiet)
    except KeyboardInterrupt:
        session.terminal.note(f"The work goes on in the background: {change.show_command}")
        raise
    if verdict.failure is not None:
        _explain(session, verdict.failure)
        raise NotConverged(verdict.failure.reason, hint=_next_command(verdict.failure))
    if not options.is_quiet:
        session.terminal.note(_summary(verdict))


def wait_until_gone(
    session: Session,
    *,
    what: str,
    remaining: Callable[[Client], int | None],
    is_quiet: bool = False,
) -> None:
    """Return when `remaining` says None (gone); until then it says how many tasks still stop."""
    index, shown = 0, -1
    patience = _Patience(session)
    try:
        while True:
            count = patience.ask(remaining)
            if count is None:
                return
            if count != shown and not is_quiet:
                session.terminal.note(f"{what}: {count} {'task' if count == 1 else 'tasks'} left")
                shown = count
            index = patience.changed(index, timeout_seconds=5.0)
    except KeyboardInterrupt:
        session.terminal.note(f"The removal of {what} goes on in the background")
        raise


def watch(session: Session, look: Callable[[Client], T | None], *, if_left: str) -> T:
    """What `look` answers as soon as it is not None; it is asked after every change. `if_left` is
    said when somebody ends the wait by Ctrl-C.
    """
    index = 0
    patience = _Patience(session)
    try:
        while (found := patience.ask(look)) is None:
            index = patience.changed(index, timeout_seconds=_POLL_SECONDS_MAX)
    except KeyboardInterrupt:
        session.terminal.note(if_left)
        raise
    return found


def live_tasks(tasks: Sequence[TaskView]) -> int:
    """How many tasks have not ended yet, as far as anybody can know."""
    return sum(1 for task in tasks if task["state"] not in ENDED_STATES)


def _limits(session: Session) -> Limits:
    return session.limits or USUAL_LIMITS


class _Patience:
    """Asks again while no manager answers: leaders change, and that must not end a wait."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._period_seconds = _limits(session).look_period_seconds
        self._looked_at = float("-inf")

    def ask(self, question: Callable[[Client], T]) -> T:
        """The answer. Raises ClusterUnavailable after half a minute without one."""
        since = time.monotonic()
        is_said = False
        while True:
            try:
                answer = question(self._session.client)
            except ClusterUnavailable as error:
                if time.monotonic() - since > _UNAVAILABLE_SECONDS_MAX:
                    raise
                if not is_said:
                    self._session.terminal.note(f"{error.message}; trying again")
                    is_said = True
                time.sleep(_RETRY_PERIOD_SECONDS)
            else:
                self._looked_at = time.monotonic()
                return answer

    def changed(self, index: int, *, timeout_seconds: float) -> int:
        """The newest index, after a change beyond `index` or when time is up."""
        looked_at = self._looked_at
        timeout_seconds = min(timeout_seconds, _POLL_SECONDS_MAX)
        newest = self.ask(
            lambda client: client.changes(after=index, timeout_seconds=timeout_seconds)["index"]
        )
        pause = looked_at + self._period_seconds - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        return newest


def _follow(
    session: Session, change: Change, convergence: Convergence, *, is_quiet: bool
) -> Verdict:
    lines = ProgressLines(session.terminal)
    patience = _Patience(session)
    index = change.after_index
    while True:
        snapshot = patience.ask(change.read)
        now = time.monotonic()
        verdict = convergence.observe(snapshot, now=now)
        if not is_quiet:
            lines.show(verdict.progress)
        if verdict.is_converged or verdict.failure is not None:
            return verdict
        index = patience.changed(index, timeout_seconds=verdict.wake_at - now)


def _explain(session: Session, failure: Failure) -> None:
    """The last lines that the failed task wrote, if there are any."""
    task = failure.task
    if task is None or task["state"] == "rejected":
        return
    said: list[LogLine] = []
    try:
        for attempt in range(LOG_ATTEMPTS):
            if attempt:
                time.sleep(LOG_RETRY_SECONDS)
            lines = session.client.logs(task["service_id"], tail=LOG_LINES, task_id=task["id"])
            said = [line for line in lines if not line["error"]]
            if said:
                break
    except StackctlError as error:
        session.terminal.note(f"The logs of {task['name']} cannot be read: {error.message}")
        return
    # Nodes and streams answer as they please; what was written last belongs last.
    said.sort(key=lambda line: line["at"])
    if said:
        session.terminal.note(f"The last lines of {task['name']} on {task['node']}:")
    for line in said:
        session.terminal.note("    " + render_log_line(line, LogStyle(is_raw=True)))


def _next_command(failure: Failure) -> str:
    name = failure.service_name
    shows = f"'stackctl service ps --no-trunc {name}' shows its tasks"
    if failure.task is None or failure.task["state"] == "rejected":
        return shows
    return f"{shows}, 'stackctl service logs {name}' what they wrote"


def _summary(verdict: Verdict) -> str:
    services = len(verdict.progress)
    tasks = sum(each.running for each in verdict.progress if not each.is_job)
    complete = sum(
        each.running if each.is_job else each.count((COMPLETE,)) for each in verdict.progress
    )
    return (
        f"Running: {services} {'service' if services == 1 else 'services'}, "
        f"{tasks} {'task' if tasks == 1 else 'tasks'}"
        f"{f', {complete} complete' if complete else ''}"
    )
