"""Restarts: whether an ended task is replaced, and when.

Swarm's counting of attempts is kept: `attempts_max` N allows N restarts per slot and revision, so
N+1 runs, within `window_seconds` before the end of the last task. Unlike Swarm, which waits 5 s by
default, a policy without a delay restarts at once the first time and backs off while the task keeps
failing; and only tasks that ended by themselves count, never those lost with their node.
"""

from collections.abc import Sequence

import msgspec

from stackctl.core.orchestration.slots import Slot, ended_by_itself
from stackctl.model import objects, specs
from stackctl.model.specs import RestartCondition
from stackctl.model.task_state import TaskState

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 5.0
HEALTHY_RUN_SECONDS = 10.0  # a task that ran this long does not count as "keeps failing"


class Restart(msgspec.Struct, frozen=True):
    """A new task may be created at `create_at` and start at `at`; `cause` says why it is made.

    The two differ by the delay, in which the new task is prepared. A task that was rejected while
    it prepared itself ahead of its time is not followed before that time: without this, tasks with
    a missing image would follow each other as fast as engines refuse them.
    """

    create_at: float
    at: float
    cause: str


class Spent(msgspec.Struct, frozen=True):
    """No task follows; `reason` says which rule forbids it."""

    reason: str


def policy_of(spec: specs.ServiceSpec) -> specs.RestartPolicy:
    """The policy in force: tasks of a job that completed are never restarted."""
    policy = spec.task.restart
    if spec.mode.is_job and policy.condition == RestartCondition.ANY:
        return msgspec.structs.replace(policy, condition=RestartCondition.ON_FAILURE)
    return policy


def goes_on_after_success(spec: specs.ServiceSpec) -> bool:
    """True when a task that ends with success is to be followed: the service never completes."""
    return policy_of(spec).condition == RestartCondition.ANY


def decide_restart(
    slot: Slot, policy: specs.RestartPolicy, *, last: objects.Task, now: float
) -> Restart | Spent:
    """What follows the slot's task `last`, which ended by itself.

    The manager that stamped its end may have a faster clock than the one that decides: nothing has
    ended later than now.
    """
    ended_at = min(last.status.at, now)
    if policy.condition == RestartCondition.NONE:
        return Spent("restart condition is none")
    if policy.condition == RestartCondition.ON_FAILURE and last.status.state == TaskState.COMPLETE:
        return Spent("completed, and restart condition is on-failure")
    ended = [
        task for task in slot.tasks if task.revision == last.revision and ended_by_itself(task)
    ]
    restarts = ended[1:]
    if policy.window_seconds:
        restarts = [task for task in restarts if task.created_at > ended_at - policy.window_seconds]
    if policy.attempts_max and len(restarts) >= policy.attempts_max:
        return Spent(f"restarted {len(restarts)} times, the maximum")
    delay = policy.delay_seconds
    if delay is None:
        delay = backoff_seconds(_failures_in_a_row(ended))
    create_at = max(ended_at, last.start_after)
    return Restart(
        create_at=create_at, at=create_at + delay, cause=f"{describe_end(last)}; restart"
    )


def retry_at(failed: Sequence[objects.Task], *, now: float) -> float:
    """When a task that shall take over from another may be tried again after these. The policy has
    no say: it is about tasks that end, not about one that is to move and still runs.
    """
    if not failed:
        return now
    return min(failed[-1].status.at, now) + backoff_seconds(len(failed))


def backoff_seconds(failures_in_a_row: int) -> float:
    """0 after the first failure, then 0.5, 1, 2, 4, 5, 5 …"""
    if failures_in_a_row <= 1:
        return 0.0
    return min(BACKOFF_FIRST_SECONDS * 2.0 ** (failures_in_a_row - 2), BACKOFF_MAX_SECONDS)


def describe_end(task: objects.Task) -> str:
    """How the task ended, in words."""
    status = task.status
    return f"{status.state.name.lower()}: {status.error or status.message or 'no reason given'}"


def _failures_in_a_row(ended: list[objects.Task]) -> int:
    count = 0
    for task in reversed(ended):
        if task.running_at and task.status.at - task.running_at >= HEALTHY_RUN_SECONDS:
            break
        count += 1
    return max(count, 1)
