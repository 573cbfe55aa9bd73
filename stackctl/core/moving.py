"""Moving: rebalancing as it happens, one task of the whole cluster at a time.

A move is a new task in the slot, meant for the better node (`orchestration.tending` lets it take
over like any other); the next one begins when it has run for its service's monitor time and the
one that it replaced has ended: until then that one keeps its room. One that does not come ends a
rebalancing that an operator asked for; a service that moves by itself (`rebalance: auto`) does not
try that node again for as long as failures count.

A node that has just come back proves itself for half a minute before anything moves to it by
itself; an operator who asks for it need not wait.
"""

from collections.abc import Collection

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import handover
from stackctl.core.scheduling import rebalance
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.moves import EndMove, EndRebalancing, MoveTask
from stackctl.state.queries import task_name

SETTLING_SECONDS = 30.0


def advance(decisions: Decisions, looked_at: Collection[objects.Service]) -> None:
    """Ends the move that is over and begins the next one."""
    cluster = decisions.draft.cluster
    if cluster is None:
        return
    has_ended = False
    if cluster.move is not None:
        has_come = _outcome(decisions, cluster.move)
        if has_come is None:
            return
        decisions.do(EndMove(task_id=cluster.move.task_id, has_come=has_come))
        has_ended = True
        if not has_come and cluster.rebalancing is not None:
            decisions.do(EndRebalancing(failure=_describe_failure(decisions, cluster.move)))
    run = decisions.draft.cluster.rebalancing if decisions.draft.cluster is not None else None
    if run is not None and not run.ended_at:
        _continue(decisions, run)
        return
    among = decisions.draft.services.values() if has_ended else looked_at
    movers = frozenset(service.id for service in among if _moves_by_itself(service))
    if movers:
        if not has_ended:
            movers = _all_movers(decisions)
        _begin(
            decisions,
            rebalance.Wish(
                service_ids=movers,
                moves_max=1,
                settled_before=decisions.now - SETTLING_SECONDS,
            ),
        )


def _continue(decisions: Decisions, run: objects.Rebalancing) -> None:
    wish = rebalance.Wish(
        service_ids=frozenset(run.service_ids) or None,
        allows_stateful=run.allows_stateful,
        moves_max=min(run.moves_left, 1),
        moved_since=run.started_at,
    )
    if run.moves_left <= 0 or not _begin(decisions, wish):
        decisions.do(EndRebalancing())


def _begin(decisions: Decisions, wish: rebalance.Wish) -> bool:
    """Begins one move; False when there is none now and none to wait for."""
    plan = rebalance.plan_moves(decisions.draft, wish, now=decisions.now)
    for choice in plan.choices:
        service = decisions.draft.services[choice.task.service_id]
        wish_state = TaskState.RUNNING
        if not rebalance.starts_first(service):
            wish_state = handover.first_wish(decisions, [choice.task])
        decisions.do(
            MoveTask(
                task_id=decisions.new_id(),
                leaving_id=choice.task.id,
                node_id=choice.node.id,
                cause=f"rebalanced: {choice.reason}",
                desired_state=wish_state,
            )
        )
        return True
    if plan.ready_at > decisions.now:
        waiting = sorted(decisions.draft.services if wish.service_ids is None else wish.service_ids)
        decisions.wake(waiting[0], plan.ready_at)
        return True
    return False


def _outcome(decisions: Decisions, move: objects.Move) -> bool | None:
    """Whether the moving task has come, or None while that is open."""
    task = decisions.draft.task(move.task_id)
    service = decisions.draft.services.get(move.service_id)
    if task is None or service is None or not task.is_wanted or task.has_ended:
        return False
    if task.status.state != TaskState.RUNNING:
        return None
    done_at = task.running_at + service.spec.update.monitor_seconds
    if done_at > decisions.now:
        decisions.wake(service.id, done_at)
        return None
    return None if _predecessor_stops(decisions, service, task) else True


def _predecessor_stops(decisions: Decisions, service: objects.Service, task: objects.Task) -> bool:
    """True while a task of the slot is on its way out; one that hangs is not waited for."""
    waits_until = max(
        (
            other.desired_at + handover.PREDECESSOR_WAIT_SECONDS
            for other in decisions.tasks(service.id)
            if other.slot == task.slot
            and not other.is_wanted
            and handover.still_runs(decisions, other)
        ),
        default=0.0,
    )
    if waits_until <= decisions.now:
        return False
    decisions.wake(service.id, waits_until)
    return True


def _describe_failure(decisions: Decisions, move: objects.Move) -> str:
    task = decisions.draft.task(move.task_id)
    service = decisions.draft.services.get(move.service_id)
    if task is None or service is None:
        return "its task is gone"
    node = decisions.draft.nodes.get(task.meant_for)
    where = f" on {node.hostname}" if node is not None else ""
    why = task.status.error or task.end_cause or "no reason given"
    return f"{task_name(service, task)} did not come up{where}: {why}"


def _moves_by_itself(service: objects.Service) -> bool:
    return service.spec.task.placement.rebalance == specs.Rebalance.AUTO


def _all_movers(decisions: Decisions) -> frozenset[str]:
    return frozenset(
        service.id for service in decisions.draft.services.values() if _moves_by_itself(service)
    )
