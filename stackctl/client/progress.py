"""How far one service is: its tasks counted by state. Pure.

A *slot* is a place for a task, known by the task's name (`web.2`; for a global service one per
node). A slot is running when a task of the service's current revision runs in it on a node that is
up, and complete when its last task completed. A job is done when its slots are complete; those that
have not begun, because only so many may run at a time, are queued.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from stackctl.client.views import ServiceView, TaskView

# In the order in which a task passes through them; these are shown, in this order.
WAITING_STATES = ("new", "pending")
MOVING_STATES = ("assigned", "accepted", "preparing", "ready", "starting")
ENDED_BADLY = frozenset({"failed", "rejected"})

UPDATE_MOVING = frozenset({"updating", "rollback_started"})
UPDATE_PAUSED = frozenset({"paused", "rollback_paused"})

OUTDATED = "outdated"
MISSING = "missing"
COMPLETE = "complete"
QUEUED = "queued"
RUNNING = "running"


class ServiceProgress(NamedTuple):
    """One service at one moment."""

    name: str
    running: int  # slots; of a job: those that are complete
    desired: int  # slots
    counts: tuple[tuple[str, int], ...] = ()  # the other slots by state, in order
    update: str = ""  # state of its rolling update, "" without one
    reason: str = ""  # what stands in the way, in the manager's or the engine's words
    is_done: bool = False
    is_job: bool = False
    is_held: bool = False  # it waits for another service before it starts

    def count(self, states: Iterable[str]) -> int:
        """How many slots are in one of these states."""
        wanted = set(states)
        return sum(number for state, number in self.counts if state in wanted)

    @property
    def is_moving(self) -> bool:
        """Whether some task is on its way up, so that waiting makes sense."""
        running = self.count((RUNNING,)) if self.is_job else 0
        return not self.is_held and self.count(MOVING_STATES) + running > 0


def measure(
    service: ServiceView,
    tasks: Sequence[TaskView],
    *,
    completed: frozenset[str] = frozenset(),
    is_final: bool = True,
) -> ServiceProgress:
    """The progress of a service.

    `completed` names the slots whose last task completed; `is_final` says that these will get no
    other one, and so have what they should.
    """
    current = [task for task in tasks if task["is_current"] and task["node_state"] != "down"]
    best: dict[str, TaskView] = {}
    for task in current:
        if task["revision"] == service["revision"]:
            other = best.get(task["name"])
            if other is None or _rank(task["state"]) > _rank(other["state"]):
                best[task["name"]] = task
    outdated = {task["name"] for task in current} - set(best)
    over = len(completed - set(best) - outdated)
    states = Counter(task["state"] for task in best.values())
    is_job = service["mode"].endswith("-job")
    desired = service["completions"] if is_job else service["desired"]
    absent = max(desired - len(best) - len(outdated) - over, 0)
    states[OUTDATED] = len(outdated)
    states[QUEUED if is_job and best else MISSING] = absent
    if is_job:
        running = over
    else:
        running = states.pop(RUNNING, 0)
        states[COMPLETE] = over
    update = service["update"]["state"] if service["update"] else ""
    return ServiceProgress(
        name=service["name"],
        running=running,
        desired=desired,
        counts=_in_order(states),
        update=update,
        reason=_reason(best.values()) or service["waiting_for"],
        is_done=_has_what_it_wants(service, desired, running + states[COMPLETE])
        and not any(states[state] for state in states if state != COMPLETE)
        and (is_final or is_job or not over)
        and update not in UPDATE_MOVING
        and not service["removing"],
        is_job=is_job,
        is_held=bool(service["waiting_for"]),
    )


def _has_what_it_wants(service: ServiceView, desired: int, count: int) -> bool:
    if service["mode"].startswith("global"):
        # A paused node keeps its task, but is not counted among those that must have one.
        return count >= desired
    return count == desired


def _in_order(states: Counter[str]) -> tuple[tuple[str, int], ...]:
    order = (MISSING, QUEUED, OUTDATED, *WAITING_STATES, *MOVING_STATES, RUNNING, COMPLETE)
    return tuple((state, states[state]) for state in order if states[state])


def _rank(state: str) -> int:
    order = (*WAITING_STATES, *MOVING_STATES, "running")
    return order.index(state) if state in order else -1


def _reason(tasks: Iterable[TaskView]) -> str:
    """The first error of a task that does not run; tasks in the order of their names."""
    for task in sorted(tasks, key=lambda task: task["name"]):
        if task["error"] and task["state"] != "running":
            return task["error"]
    return ""
