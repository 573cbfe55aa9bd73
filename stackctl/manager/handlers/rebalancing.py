"""Rebalancing: what would move, begin, how far it has come, stop."""

import asyncio

from stackctl.core.scheduling import rebalance
from stackctl.errors import InputError
from stackctl.manager.calls import Call
from stackctl.manager.parts import Parts
from stackctl.state import commands, queries
from stackctl.state.cluster import ClusterState
from stackctl.wire import api


async def plan(parts: Parts, call: Call) -> api.RebalanceView:
    """The moves that would follow each other if each went well."""
    request: api.RebalanceRequest = call.body
    state = await parts.cluster.read()
    wish = rebalance.Wish(
        service_ids=frozenset(_service_ids(state, request)) or None,
        allows_stateful=request.allows_stateful,
        moves_max=_moves_max(request),
    )
    found = await asyncio.to_thread(rebalance.plan_for, state, wish, now=parts.clock.now())
    moves = []
    for choice in found.choices:
        name, source, target = rebalance.describe(state, choice)
        moves.append(
            api.TaskMove(
                task_id=choice.task.id,
                name=name,
                source=source,
                target=target,
                reason=choice.reason,
            )
        )
    return _view(state, moves=tuple(moves), staying=found.staying)


async def begin(parts: Parts, call: Call) -> api.RebalanceView:
    """Lets the leader move one task after the other."""
    request: api.RebalanceRequest = call.body
    state = await parts.cluster.read()
    await parts.cluster.propose(
        commands.Rebalance(
            service_ids=tuple(_service_ids(state, request)),
            allows_stateful=request.allows_stateful,
            moves_max=_moves_max(request),
            now=parts.clock.now(),
        )
    )
    return _view(parts.cluster.state)


async def look(parts: Parts, _call: Call) -> api.RebalanceView:
    """How far the one under way has come."""
    return _view(await parts.cluster.read())


async def stop(parts: Parts, _call: Call) -> api.RebalanceView:
    """No further move; one under way arrives."""
    await parts.cluster.propose(commands.StopRebalance(now=parts.clock.now()))
    return _view(parts.cluster.state)


def _service_ids(state: ClusterState, request: api.RebalanceRequest) -> list[str]:
    return sorted({queries.find_service(state, name).id for name in request.services})


def _moves_max(request: api.RebalanceRequest) -> int:
    if request.moves_max < 0:
        raise InputError(f"{request.moves_max} moves: the number must not be negative")
    return request.moves_max or rebalance.PLANNED_MOVES_MAX


def _view(
    state: ClusterState,
    *,
    moves: tuple[api.TaskMove, ...] = (),
    staying: dict[str, str] | None = None,
) -> api.RebalanceView:
    cluster = state.cluster
    run = cluster.rebalancing if cluster is not None else None
    moving = ""
    if cluster is not None and cluster.move is not None:
        task = state.tasks.get(cluster.move.task_id)
        service = state.services.get(cluster.move.service_id)
        if task is not None and service is not None:
            moving = queries.task_name(service, task)
    return api.RebalanceView(
        moves=moves,
        staying=staying or {},
        is_running=run is not None and not run.ended_at,
        moved=run.moved if run is not None else 0,
        failure=run.failure if run is not None else "",
        moving=moving,
        index=state.index,
    )
