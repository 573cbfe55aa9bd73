"""Applying an entry: total and deterministic. What it cannot accept it rejects; it never raises.

The same entry applied to the same state gives the same state and result on every manager, now and
when the log is read again after a restart. A rejected entry still moves the index.
"""

import msgspec
from msgspec.structs import replace

from stackctl.model import objects
from stackctl.model.task_state import TaskState, is_terminal
from stackctl.state import commands, deploy, enacting, nodes, rebalancing, removal
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.events import Event
from stackctl.state.results import Rejection, Result, conflict
from stackctl.wire import api
from stackctl.wire.agent_protocol import TaskReport


class Applied(msgspec.Struct, frozen=True):
    """The state after an entry, the proposer's result, and what changed."""

    state: ClusterState
    result: Result
    events: tuple[Event, ...]


def apply(state: ClusterState, entry: bytes, *, index: int, term: int) -> Applied:
    """Applies the entry at `index` of the log, appended in `term`."""
    draft = Draft(state, index=index, term=term)
    try:
        result = _perform(draft, commands.decode_command(entry))
    except commands.UnknownEntry as error:
        return _rejected(state, index, term, api.ErrorBody(kind="input", message=str(error)))
    except Rejection as rejection:
        return _rejected(state, index, term, rejection.error)
    return Applied(draft.finish(), result, tuple(draft.events))


def _rejected(state: ClusterState, index: int, term: int, error: api.ErrorBody) -> Applied:
    moved = msgspec.structs.replace(state, index=index, term=max(term, state.term))
    return Applied(moved, Result(index=index, error=error), ())


def _perform(draft: Draft, command: commands.Command) -> Result:
    match command:
        case commands.PutStack():
            revision, done = deploy.put_stack(draft, command)
            return Result(index=draft.index, revision=revision, changes=done)
        case commands.RollBackStack():
            revision, done = deploy.roll_back_stack(draft, command)
            return Result(index=draft.index, revision=revision, changes=done)
        case commands.RemoveStack():
            deploy.remove_stack(draft, command)
        case commands.ScaleService():
            deploy.scale_service(draft, command)
        case commands.UpdateService():
            revision, done = deploy.update_service(draft, command)
            return Result(index=draft.index, revision=revision, changes=done)
        case commands.RollbackService():
            deploy.rollback_service(draft, command)
        case commands.RemoveService():
            service = deploy.find_service(draft, command.service_id)
            removal.mark_removed(draft, [service], now=command.now, cause="service removed")
        case commands.Rebalance():
            rebalancing.begin(draft, command)
        case commands.StopRebalance():
            rebalancing.stop(draft, now=command.now)
        case commands.ReportTasks():
            for report in command.reports:
                _report(draft, command.node_id, report, now=command.now)
        case commands.ApplyRound():
            if command.term != draft.term:
                raise conflict(f"round of term {command.term} came in term {draft.term}")
            enacting.apply_changes(draft, command.changes, now=command.now)
        case commands.InitCluster():
            _init(draft, command)
        case commands.PutNode():
            nodes.put_node(draft, command)
        case commands.SeeNode():
            nodes.see_node(draft, command)
        case commands.LoseNode():
            nodes.lose_node(draft, command)
        case commands.ChangeNode():
            nodes.change_node(draft, command)
        case commands.RemoveNode():
            nodes.remove_node(draft, command)
    return Result(index=draft.index)


def _init(draft: Draft, command: commands.InitCluster) -> None:
    if draft.cluster is not None:
        raise conflict("the cluster already exists")
    draft.put_cluster(
        objects.Cluster(
            id=command.cluster_id,
            worker_secret=command.worker_secret,
            manager_secret=command.manager_secret,
            authority_digest=command.authority_digest,
            created_at=command.now,
        )
    )


def _report(draft: Draft, node_id: str, report: TaskReport, *, now: float) -> None:
    """An observed state only grows; a report of the same state may bring a better message.

    Times become the manager's: nodes' clocks differ, and delays and monitor windows are counted
    from them. A task that has ended stays as it ended, and an agent has a say only between
    ACCEPTED and REJECTED, on tasks that were assigned to it.
    """
    task = draft.task(report.task_id)
    if task is None or task.node_id != node_id or task.status.state < TaskState.ASSIGNED:
        return
    held, observed = task.status, report.status.state
    if observed < held.state or not TaskState.ACCEPTED <= observed <= TaskState.REJECTED:
        return
    grown = observed > held.state
    if grown and task.has_ended:
        return
    status = replace(report.status, at=now if grown else held.at)
    running_at = task.running_at
    if not running_at and status.state == TaskState.RUNNING:
        running_at = now
    if status != held or running_at != task.running_at:
        has_ended = is_terminal(status.state) and not task.has_ended
        draft.put_task(
            replace(
                task,
                status=status,
                running_at=running_at,
                ended_version=draft.index if has_ended else task.ended_version,
            )
        )
