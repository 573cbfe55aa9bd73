"""Stacks: list, plan, deploy, roll back, remove."""

import asyncio

from stackctl.core import deploy_plan
from stackctl.errors import InputError
from stackctl.manager import clock
from stackctl.manager.calls import Call
from stackctl.manager.parts import Parts
from stackctl.model import specs
from stackctl.model.structs import StrictModel
from stackctl.state import admission, commands, queries
from stackctl.state.cluster import ClusterState
from stackctl.wire import api


class DeployQuery(StrictModel, frozen=True, kw_only=True):
    """`prune` also removes services of the stack that the body lacks; `rerun` lets its jobs run
    again though nothing has changed.
    """

    prune: bool = False
    rerun: bool = False


async def list_stacks(parts: Parts, _call: Call) -> list[api.StackView]:
    """All stacks."""
    return queries.list_stacks(await parts.cluster.read())


async def deploy_stack(parts: Parts, call: Call) -> api.DeployResult:
    """Makes the stack what the body says, as one entry of the log."""
    _, command = await _put_command(parts, call)
    result = await parts.cluster.propose(command)
    return api.DeployResult(
        name=command.spec.name,
        revision=result.revision,
        index=result.index,
        changes=result.changes,
    )


async def plan_stack(parts: Parts, call: Call) -> api.PlanView:
    """What a deploy of the body would change and lead to; nothing is changed."""
    state, command = await _put_command(parts, call)
    return await asyncio.to_thread(deploy_plan.plan_deploy, state, command)


async def _put_command(parts: Parts, call: Call) -> tuple[ClusterState, commands.PutStack]:
    """The command that makes the stack what the body says, and the state it was checked against."""
    spec: specs.StackSpec = call.body
    query: DeployQuery = call.query
    name = call.path["name"]
    if spec.name != name:
        raise InputError(f"the body is stack {spec.name!r}, the path says {name!r}")
    state = await parts.cluster.read()
    admission.check_stack(state, spec, prune=query.prune)
    # From here on there is no secret in clear: what is proposed gets into every manager's log.
    spec, sealed = parts.vault.seal_stack(spec)
    return state, commands.PutStack(
        spec=spec,
        sealed=sealed,
        seed=clock.new_seed(),
        prune=query.prune,
        rerun=query.rerun,
        now=parts.clock.now(),
    )


async def list_revisions(parts: Parts, call: Call) -> list[api.StackRevisionView]:
    """What the stack was after its last deploys."""
    state = await parts.cluster.read()
    return queries.list_revisions(queries.find_stack(state, call.path["name"]))


async def roll_back_stack(parts: Parts, call: Call) -> api.DeployResult:
    """Makes the stack what it was at a revision."""
    request: api.StackRollbackRequest = call.body
    state = await parts.cluster.read()
    name = queries.find_stack(state, call.path["name"]).name
    result = await parts.cluster.propose(
        commands.RollBackStack(
            name=name,
            revision=request.revision,
            seed=clock.new_seed(),
            now=parts.clock.now(),
        )
    )
    return api.DeployResult(
        name=name, revision=result.revision, index=result.index, changes=result.changes
    )


async def remove_stack(parts: Parts, call: Call) -> api.ChangesView:
    """Asks a stack to go; it is listed until the last of it has ended."""
    state = await parts.cluster.read()
    stack = queries.find_stack(state, call.path["name"])
    result = await parts.cluster.propose(
        commands.RemoveStack(name=stack.name, now=parts.clock.now())
    )
    return api.ChangesView(index=result.index)
