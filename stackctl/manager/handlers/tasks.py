"""Tasks and networks: reading only, both follow from services."""

import asyncio

from stackctl.core.scheduling.explain import explain
from stackctl.errors import Denied
from stackctl.manager import calls
from stackctl.manager.calls import Call
from stackctl.manager.handlers.services import StackQuery
from stackctl.manager.parts import Parts
from stackctl.model.structs import StrictModel
from stackctl.state import queries
from stackctl.wire import api


class TaskQuery(StrictModel, frozen=True, kw_only=True):
    """Only the tasks of a service, a stack or a node."""

    service: str = ""
    stack: str = ""
    node: str = ""


async def list_tasks(parts: Parts, call: Call) -> list[api.TaskView]:
    """Tasks, history included; newest first within a name."""
    query: TaskQuery = call.query
    state = await parts.cluster.read()
    node_id = ""
    if query.node:
        reference = query.node
        if reference == "self":
            reference = call.caller.node_id or parts.identity.node_id
        node_id = queries.find_node(state, reference).id
        calls.check_about_itself(call.caller, node_id)
    elif call.caller.kind == "worker":
        raise Denied("a worker may only list its own tasks", hint="add ?node=self")
    service_id = queries.find_service(state, query.service).id if query.service else ""
    if query.stack:
        queries.find_stack(state, query.stack)
    # Off the event loop: a hundred thousand tasks take a while, heartbeats do not wait.
    tasks = await asyncio.to_thread(
        queries.list_tasks, state, service=service_id, stack=query.stack, node=node_id
    )
    return [task for task in tasks if not node_id or task.node_id == node_id]


async def explain_task(parts: Parts, call: Call) -> api.TaskExplanation:
    """Why a task is where it is, or nowhere."""
    state = await parts.cluster.read()
    task = queries.find_task(state, call.path["ref"])
    return await asyncio.to_thread(explain, state, task, now=parts.clock.now())


async def list_networks(parts: Parts, call: Call) -> list[api.NetworkView]:
    """All networks, or those of a stack."""
    query: StackQuery = call.query
    return queries.list_networks(await parts.cluster.read(), stack=query.stack)
