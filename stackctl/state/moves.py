"""Moves: how one running task of the whole cluster is on its way to a better node, in the log.

At most one at a time, so that the cluster remembers it as one value; a new leader goes on with it.
"""

import msgspec
from msgspec.structs import replace

from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft


class _Move(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", omit_defaults=True
):
    """A tagged member of the union of changes."""


class MoveTask(_Move, frozen=True, kw_only=True, tag="move-task"):
    """A new task in the slot of one that runs, meant for a better node. It starts beside the other
    one, or after it when the two cannot run side by side.
    """

    task_id: str
    leaving_id: str  # the task that it shall replace
    node_id: str
    cause: str
    desired_state: TaskState = TaskState.RUNNING


class EndMove(_Move, frozen=True, kw_only=True, tag="end-move"):
    """The task that was on its way has come, or will not."""

    task_id: str
    has_come: bool


class EndRebalancing(_Move, frozen=True, kw_only=True, tag="end-rebalancing"):
    """What the operator asked for is done, or can go no further."""

    failure: str = ""


def apply(draft: Draft, change: MoveTask | EndMove | EndRebalancing, *, now: float) -> None:
    """Applies a change of a move if it still fits the draft."""
    cluster = draft.cluster
    if cluster is None:
        return
    match change:
        case MoveTask():
            if cluster.move is None and _start_move(draft, change, now=now):
                leaving = draft.task(change.leaving_id)
                service_id = leaving.service_id if leaving is not None else ""
                move = objects.Move(task_id=change.task_id, service_id=service_id, started_at=now)
                draft.put_cluster(replace(cluster, move=move))
        case EndMove():
            if cluster.move is not None and cluster.move.task_id == change.task_id:
                run = cluster.rebalancing
                if run is not None and not run.ended_at:
                    moved = run.moved + change.has_come
                    run = replace(run, moves_left=run.moves_left - 1, moved=moved)
                draft.put_cluster(replace(cluster, move=None, rebalancing=run))
        case EndRebalancing():
            run = cluster.rebalancing
            if run is not None and not run.ended_at:
                run = replace(run, ended_at=now, failure=change.failure)
                draft.put_cluster(replace(cluster, rebalancing=run))


def _start_move(draft: Draft, change: MoveTask, *, now: float) -> bool:
    """Makes the new task of a move, unless what it shall replace is on its way out already."""
    leaving = draft.task(change.leaving_id)
    service = draft.services.get(leaving.service_id) if leaving is not None else None
    if (
        leaving is None
        or service is None
        or service.removing
        or service.spec.mode.is_job  # what it has done so far would be lost
        or service.holds(leaving.revision)
        or not leaving.is_wanted
        or leaving.has_ended
        or leaving.revision not in service.task_specs
        or change.node_id not in draft.nodes
        or draft.task(change.task_id) is not None
    ):
        return False
    draft.put_task(
        objects.Task(
            id=change.task_id,
            service_id=leaving.service_id,
            slot=leaving.slot,
            revision=leaving.revision,
            desired_state=change.desired_state,
            desired_at=now,
            desired_version=draft.index,
            status=objects.TaskStatus(at=now, message="created"),
            created_at=now,
            meant_for=change.node_id,
            restarts=leaving.restarts,
            cause=change.cause,
            created_version=draft.index,
        )
    )
    return True
