"""One service watched over time: since when it is done, and whether it is beyond hope. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from stackctl.client.progress import ENDED_BADLY, UPDATE_PAUSED, ServiceProgress, measure
from stackctl.client.views import ServiceView, TaskView

FAILURES_MAX = 3
REJECTIONS_MAX = 2

# An ended task that is to be replaced has a successor within milliseconds.
UNREPLACED_SECONDS = 3.0


class Failure(NamedTuple):
    """Why a wait ends without success, in a sentence; `task` is the one whose logs tell more."""

    service_name: str
    reason: str
    task: TaskView | None = None


class ServiceWatch:
    """What is known of one service; `look` is to be called first."""

    def __init__(
        self,
        name: str,
        *,
        ended_before: frozenset[str],
        update_started_before: float | None,
        accepts_rollback: bool,
    ) -> None:
        self.name = name
        self.progress = ServiceProgress(name, 0, 0)
        self.is_ever_done = False
        self.done_since: float | None = None
        self._forgiven = set(ended_before)
        self._update_started_before = update_started_before
        self._accepts_rollback = accepts_rollback
        self._service: ServiceView | None = None
        self._tasks: Sequence[TaskView] = ()
        self._live: frozenset[str] = frozenset()
        self._unreplaced_since: dict[str, float] = {}

    def look(self, service: ServiceView | None, tasks: Sequence[TaskView], now: float) -> None:
        """Take in what is so now; without a service it is gone."""
        self._service = service
        self._tasks = tasks
        if service is None:
            return
        self._unreplaced_since = {
            task["name"]: self._unreplaced_since.get(task["name"], now)
            for task in self._ended_last()
        }
        completed = [task for task in self._ended_last() if task["state"] == "complete"]
        progress = measure(
            service,
            tasks,
            completed=frozenset(task["name"] for task in completed),
            is_final=all(self._is_given_up(task, now) for task in completed),
        )
        self.progress = progress._replace(reason=progress.reason or self._last_mishap(progress))
        live = frozenset(task["id"] for task in tasks if task["is_current"])
        # Another task in place of one that ran is not "stayed so", however quick it was.
        if self.done_since is None or live != self._live:
            self.done_since = now
        if not self.progress.is_done:
            self.done_since = None
        self._live = live
        self.is_ever_done = self.is_ever_done or self.progress.is_done

    def forgive(self) -> None:
        """Failures up to now no longer count: something it may have waited for has come up."""
        self._forgiven.update(task["id"] for task in self._tasks if task["state"] == "failed")

    @property
    def is_on_its_way(self) -> bool:
        """Whether it comes up for the first time, without having failed yet."""
        return self.progress.is_moving and not self.is_ever_done and not self._bad_ends()

    @property
    def was_updated_under_watch(self) -> bool:
        """Whether the manager watched an update of it to its end, within this wait."""
        update = self._service["update"] if self._service else None
        return (
            update is not None
            and update["completed_at"] > 0
            and update["started_at"] != self._update_started_before
        )

    def failure(self, now: float, *, may_wait_for_others: bool) -> Failure | None:
        """Why there is no hope for it, if so."""
        if self._service is None or self._service["removing"]:
            return Failure(self.name, f"{self.name} was removed while it was waited for")
        found = self._update_failure(self._service)
        if found is not None or self.progress.is_done:
            return found
        if self.is_blocked:
            return Failure(self.name, f"{self.name} is {self._service['waiting_for']}")
        for slot, ends in self._bad_ends().items():
            found = self._slot_failure(slot, ends, now, may_wait_for_others=may_wait_for_others)
            if found is not None:
                return found
        return None

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for another service that failed and is not tried again."""
        return self._service is not None and self._service["is_blocked"]

    @property
    def bad_ends(self) -> list[TaskView]:
        """Its tasks that failed or were rejected, in the current revision, the last one first."""
        ends = [task for ends in self._bad_ends().values() for task in ends]
        return sorted(ends, key=lambda task: task["state_at"], reverse=True)

    def wake_times(self) -> Iterator[float]:
        """When time alone may change the judgement."""
        for since in self._unreplaced_since.values():
            yield since + UNREPLACED_SECONDS

    def _update_failure(self, service: ServiceView) -> Failure | None:
        update = service["update"]
        if update is None:
            return None
        is_ours = update["started_at"] != self._update_started_before
        is_undone = (
            update["state"] == "rollback_completed" and is_ours and not self._accepts_rollback
        )
        if update["state"] not in UPDATE_PAUSED and not is_undone:
            return None
        message = update["message"] or f"update {update['state']}"
        culprit = self._culprit(message)
        if is_undone:
            message = "the update failed and was rolled back"
        return Failure(self.name, _with_error(f"{self.name}: {message}", culprit), culprit)

    def _culprit(self, message: str) -> TaskView | None:
        """The task that a message names, or else the last one that ended badly."""
        bad = [task for task in self._tasks if task["state"] in ENDED_BADLY]
        named = [task for task in bad if task["id"] in message]
        ours = [task for task in bad if task["id"] not in self._forgiven]
        return max(named or ours, key=lambda task: task["state_at"], default=None)

    def _slot_failure(
        self, slot: str, ends: Sequence[TaskView], now: float, *, may_wait_for_others: bool
    ) -> Failure | None:
        """`ends` are the slot's failed and rejected tasks, oldest first."""
        if self._is_running(slot):
            return None
        last = ends[-1]
        words = _with_error("", last)
        rejected = [task for task in ends if task["state"] == "rejected"]
        if len(rejected) >= REJECTIONS_MAX and rejected[-1]["error"] == rejected[-2]["error"]:
            return Failure(self.name, f"{slot} was rejected {len(rejected)} times{words}", last)
        if self._is_given_up(last, now):
            verb = "was rejected" if last["state"] == "rejected" else "failed"
            return Failure(self.name, f"{slot} {verb} and is not tried again{words}", last)
        if len(ends) >= FAILURES_MAX and not may_wait_for_others:
            return Failure(self.name, f"{slot} failed {len(ends)} times{words}", last)
        return None

    def _last_mishap(self, progress: ServiceProgress) -> str:
        """Why a service that is on its way is there for another time."""
        slots = self._bad_ends().values()
        if progress.is_done or not slots:
            return ""
        ends = max(slots, key=lambda ends: ends[-1]["created_at"])
        times = f" {len(ends)} times" if len(ends) > 1 else ""
        return _with_error(f"{ends[-1]['name']} {ends[-1]['state']}{times}", ends[-1])

    def _bad_ends(self) -> dict[str, list[TaskView]]:
        """The tasks that ended badly in the current revision and still count, by slot."""
        slots: dict[str, list[TaskView]] = {}
        if self._service is None:
            return slots
        for task in sorted(self._tasks, key=lambda task: task["created_at"]):
            counts = task["state"] in ENDED_BADLY and task["id"] not in self._forgiven
            if counts and task["revision"] == self._service["revision"]:
                slots.setdefault(task["name"], []).append(task)
        return slots

    def _is_running(self, slot: str) -> bool:
        return any(
            task["name"] == slot and task["is_current"] and task["state"] == "running"
            for task in self._tasks
        )

    def _ended_last(self) -> Iterator[TaskView]:
        """Of each slot the newest task, where it has ended by itself and nobody told it to go."""
        revision = self._service["revision"] if self._service else 0
        for task in _newest_of_slots(self._tasks):
            ended = task["state"] == "complete" or task["state"] in ENDED_BADLY
            if ended and task["revision"] == revision and task["desired_state"] != "remove":
                yield task

    def _is_given_up(self, task: TaskView, now: float) -> bool:
        """Whether an ended task has been the last of its slot for too long to be replaced."""
        since = self._unreplaced_since.get(task["name"])
        return since is not None and now - since >= UNREPLACED_SECONDS


def _newest_of_slots(tasks: Iterable[TaskView]) -> list[TaskView]:
    newest: dict[str, TaskView] = {}
    for task in tasks:
        other = newest.get(task["name"])
        # A live task counts as newer than an ended one made in the same instant.
        age = (task["created_at"], task["is_current"])
        if other is None or age > (other["created_at"], other["is_current"]):
            newest[task["name"]] = task
    return list(newest.values())


def _with_error(message: str, task: TaskView | None) -> str:
    error = task["error"] if task else ""
    return f"{message}: {error}" if error and error not in message else message
