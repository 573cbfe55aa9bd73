"""Services: list, look, update, scale, roll back, remove."""

import asyncio

from stackctl.errors import InputError
from stackctl.manager.calls import Call
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel
from stackctl.state import commands, queries
from stackctl.wire import api


class StackQuery(StrictModel, frozen=True, kw_only=True):
    """Only what belongs to a stack."""

    stack: str = ""


async def list_services(parts: Parts, call: Call) -> list[api.ServiceView]:
    """All services, or those of a stack."""
    query: StackQuery = call.query
    state = await parts.cluster.read()
    return await asyncio.to_thread(queries.list_services, state, stack=query.stack)


async def get_service(parts: Parts, call: Call) -> api.ServiceDetail:
    """One service whole."""
    state = await parts.cluster.read()
    return queries.service_detail(state, queries.find_service(state, call.path["ref"]))


async def scale_service(parts: Parts, call: Call) -> api.ServiceView:
    """Another number of replicas."""
    request: api.ScaleRequest = call.body
    if request.replicas < 0:
        raise InputError(f"{request.replicas} replicas: the number must not be negative")
    service_id = await _find(parts, call)
    await parts.cluster.propose(
        commands.ScaleService(
            service_id=service_id, replicas=request.replicas, now=parts.clock.now()
        )
    )
    return _view(parts, service_id)


async def update_service(parts: Parts, call: Call) -> api.ServiceView:
    """Another spec, made from the present one."""
    request: api.UpdateRequest = call.body
    service_id = await _find(parts, call)
    await parts.cluster.propose(
        commands.UpdateService(
            service_id=service_id,
            spec=request.spec,
            previous=request.previous,
            now=parts.clock.now(),
        )
    )
    return _view(parts, service_id)


async def roll_back_service(parts: Parts, call: Call) -> api.ServiceView:
    """Back to the previous spec."""
    service_id = await _find(parts, call)
    await parts.cluster.propose(
        commands.RollbackService(service_id=service_id, now=parts.clock.now())
    )
    return _view(parts, service_id)


async def remove_service(parts: Parts, call: Call) -> api.ChangesView:
    """Asks a service to go; it is listed until its last task has ended."""
    service_id = await _find(parts, call)
    result = await parts.cluster.propose(
        commands.RemoveService(service_id=service_id, now=parts.clock.now())
    )
    return api.ChangesView(index=result.index)


async def _find(parts: Parts, call: Call) -> str:
    state = await parts.cluster.read()
    return queries.find_service(state, call.path["ref"]).id


def _view(parts: Parts, service_id: str) -> api.ServiceView:
    state = parts.cluster.state
    return queries.service_view(state, queries.find_service(state, service_id))
