"""Whether services have become what was asked: judged from what managers say, over time. Pure.

Converged: every service has all its slots running in the current revision with no update in
progress, and stayed so for `stable_seconds`; an update that the manager watched to its end needs no
second watch. A job has all its slots complete.

Given up, because waiting longer would tell nothing new:

- tasks of one slot failed three times, or were rejected twice with the same words. Failures before
  another service of the wait first ran do not count, nor are crashes held against a service while
  another one is still on its way: many services crash until their database is there;
- a task ended badly and nothing follows it: its restart policy forbids that;
- an update was paused, or failed and was rolled back;
- a service waits for another one that failed and is not tried again;
- tasks found no node and nothing has moved for `stalled_seconds`, in an update for longer than a
  manager waits before it takes that for a failure;
- `timeout_seconds` are over; whoever states them has decided how long to wait.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from stackctl.client.progress import (
    MISSING,
    OUTDATED,
    UPDATE_MOVING,
    WAITING_STATES,
    ServiceProgress,
)
from stackctl.client.service_watch import Failure, ServiceWatch
from stackctl.client.views import ServiceView, TaskView

# Whatever happens, look again after this long: a missed event must not hang a terminal.
LOOK_SECONDS_MAX = 10.0


class Limits(NamedTuple):
    """How long what may last; no `timeout_seconds` is for ever."""

    stable_seconds: float = 1.0
    stalled_seconds: float = 30.0
    stalled_in_update_seconds: float = 75.0  # managers give a task without a node 60 s
    timeout_seconds: float | None = None
    look_period_seconds: float = 0.1  # a busy cluster changes faster than anybody reads


class Snapshot(NamedTuple):
    """The services waited for, and all their kept tasks."""

    services: Sequence[ServiceView] = ()
    tasks: Sequence[TaskView] = ()


class Baseline(NamedTuple):
    """What was so before the change, and is therefore not its doing."""

    ended_task_ids: frozenset[str] = frozenset()
    updates_started_at: Mapping[str, float] = {}  # by service name


NOTHING_BEFORE = Baseline()
USUAL_LIMITS = Limits()


class Verdict(NamedTuple):
    """What an observation means; look again at `wake_at` even when nothing changes."""

    progress: tuple[ServiceProgress, ...]
    is_converged: bool
    failure: Failure | None
    wake_at: float


def baseline_of(snapshot: Snapshot) -> Baseline:
    """What a change is not to be blamed for; the snapshot is from before it."""
    return Baseline(
        frozenset(task["id"] for task in snapshot.tasks if not task["is_current"]),
        {
            service["name"]: service["update"]["started_at"]
            for service in snapshot.services
            if service["update"]
        },
    )


class Convergence:
    """The wait for some services, by name; `now` is the time of any steady clock."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        now: float,
        baseline: Baseline = NOTHING_BEFORE,
        limits: Limits = USUAL_LIMITS,
        accepts_rollback: Collection[str] = (),
    ) -> None:
        """`accepts_rollback` names the services for which a rollback is what was asked for."""
        self._limits = limits
        self._started_at = now
        self._changed_at = now
        self._progress: tuple[ServiceProgress, ...] = ()
        self._watches = [
            ServiceWatch(
                name,
                ended_before=baseline.ended_task_ids,
                update_started_before=baseline.updates_started_at.get(name),
                accepts_rollback=name in accepts_rollback,
            )
            for name in names
        ]

    def observe(self, snapshot: Snapshot, *, now: float) -> Verdict:
        """Judge what is so now."""
        services = {service["name"]: service for service in snapshot.services}
        tasks: dict[str, list[TaskView]] = {}
        for task in snapshot.tasks:
            tasks.setdefault(task["service"], []).append(task)
        newly_done = []
        for watch in self._watches:
            was_done = watch.is_ever_done
            watch.look(services.get(watch.name), tasks.get(watch.name, ()), now)
            if watch.is_ever_done and not was_done:
                newly_done.append(watch)
        for watch in self._watches:
            if any(other is not watch for other in newly_done):
                watch.forgive()
        progress = tuple(watch.progress for watch in self._watches)
        if progress != self._progress:
            self._progress, self._changed_at = progress, now
        failure = self._failure(now)
        stable_at = [self._stable_at(watch) for watch in self._watches]
        is_stable = all(at is not None and at <= now for at in stable_at)
        return Verdict(progress, is_stable and failure is None, failure, self._wake_at(now))

    def _failure(self, now: float) -> Failure | None:
        for watch in self._watches:
            others = (other for other in self._watches if other is not watch)
            may_wait = any(other.is_on_its_way for other in others)
            found = watch.failure(now, may_wait_for_others=may_wait)
            if found is not None and watch.is_blocked:
                return self._with_culprit(found)
            if found is not None:
                return found
        return self._overdue(now)

    def _with_culprit(self, failure: Failure) -> Failure:
        """The failure with the task of another service that it is about, for its logs."""
        ends = (end for watch in self._watches for end in watch.bad_ends)
        named = [end for end in ends if end["name"] in failure.reason]
        return failure._replace(task=named[0]) if named else failure

    def _overdue(self, now: float) -> Failure | None:
        unfinished = [progress for progress in self._progress if not progress.is_done]
        if not unfinished:
            return None
        limit = self._limits.timeout_seconds
        if limit is not None and now - self._started_at >= limit:
            first = unfinished[0]
            return Failure(
                first.name, f"{first.name} is not complete after {limit:g} s{_because(first)}"
            )
        if limit is not None:
            return None
        stuck = [progress for progress in unfinished if _is_stuck(progress)]
        seconds = self._stalled_seconds()
        if stuck and now - self._changed_at >= seconds:
            first = stuck[0]
            return Failure(
                first.name, f"{first.name} got no further for {seconds:g} s{_because(first)}"
            )
        return None

    def _stalled_seconds(self) -> float:
        is_in_update = any(progress.update in UPDATE_MOVING for progress in self._progress)
        limits = self._limits
        return limits.stalled_in_update_seconds if is_in_update else limits.stalled_seconds

    def _stable_at(self, watch: ServiceWatch) -> float | None:
        if watch.done_since is None or watch.was_updated_under_watch:
            return watch.done_since
        return watch.done_since + self._limits.stable_seconds

    def _wake_at(self, now: float) -> float:
        times = [self._changed_at + self._stalled_seconds()]
        if self._limits.timeout_seconds is not None:
            times.append(self._started_at + self._limits.timeout_seconds)
        for watch in self._watches:
            times.extend(watch.wake_times())
            stable_at = self._stable_at(watch)
            if stable_at is not None:
                times.append(stable_at)
        return min((at for at in times if at > now), default=now + LOOK_SECONDS_MAX)


def _is_stuck(progress: ServiceProgress) -> bool:
    """Whether slots wait for a node (or for a task at all) and none is on its way up. A service
    that waits for another one is not: that one is judged itself.
    """
    if progress.is_held:
        return False
    waiting = progress.count(WAITING_STATES)
    if progress.update not in UPDATE_MOVING:
        waiting += progress.count((MISSING, OUTDATED))
    return waiting > 0 and not progress.is_moving


def _because(progress: ServiceProgress) -> str:
    return f": {progress.reason}" if progress.reason else ""
