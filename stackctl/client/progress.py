"""How far one service is: its tasks counted by state. Pure.

A *slot* is a place for a task, known by the task's name (`web.2`; for a global service one per
node). A slot is running when a task of the service's current revision runs in it on a node that is
up, and complete when its last task completed.
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


class ServiceProgress(NamedTuple):
    """One service at one moment."""

    name: str
    running: int  # slots
    desired: int  # slots
    counts: tuple[tuple[str, int], ...] = ()  # slots that do not run, by state, in order
    update: str = ""  # state of its rolling update, "" without one
    reason: str = ""  # what stands in the way, in the manager's or the engine's words
    is_done: bool = False

    def count(self, states: Iterable[str]) -> int:
        """How many slots are in one of these states."""
        wanted = set(states)
        return sum(number for state, number in self.counts if state in wanted)

    @property
    def is_moving(self) -> bool:
        """Whether some task is on its way up, so that waiting makes sense."""
        return self.count(MOVING_STATES) > 0


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
    running = sum(1 for task in best.values() if task["state"] == "running")
    over = len(completed - set(best) - outdated)
    states = Counter(task["state"] for task in best.values() if task["state"] != "running")
    states[OUTDATED] = len(outdated)
    states[COMPLETE] = over
    states[MISSING] = max(service["desired"] - len(best) - len(outdated) - over, 0)
    update = service["update"]["state"] if service["update"] else ""
    return ServiceProgress(
        name=service["name"],
        running=running,
        desired=service["desired"],
        counts=_in_order(states),
        update=update,
        reason=_reason(best.values()),
        is_done=_has_what_it_wants(service, running + over)
        and not any(states[state] for state in states if state != COMPLETE)
        and (is_final or not over)
        and update not in UPDATE_MOVING
        and not service["removing"],
    )


def _has_what_it_wants(service: ServiceView, count: int) -> bool:
    if service["mode"] == "global":
        # A paused node keeps its task, but is not counted among those that must have one.
        return count >= service["desired"]
    return count == service["desired"]


def _in_order(states: Counter[str]) -> tuple[tuple[str, int], ...]:
    order = (MISSING, OUTDATED, *WAITING_STATES, *MOVING_STATES, COMPLETE)
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
