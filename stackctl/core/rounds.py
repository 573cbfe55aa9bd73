"""A controller round: the fixed order of loops, from a state to the changes of one log entry.

orchestrate -> reap -> move -> allocate -> schedule -> gateways -> release -> sweep. Each loop sees
what the ones before it decided. Looking again changes nothing when nothing is to be done; what one
round makes possible for an earlier loop (a lost task may be told to stop now that its successor
has a node) is left to the next, which the events of this one call for.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from stackctl.core import endpoints, moving
from stackctl.core.allocation import allocate
from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import dependencies, global_mode, jobs, reaper, replicated
from stackctl.core.rest import NO_REST, Rest, after_round, restless
from stackctl.core.scheduling import schedule
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import removal
from stackctl.state.changes import (
    Change,
    DropConfig,
    DropNetwork,
    DropSecret,
    DropStack,
    SetDesired,
)
from stackctl.state.cluster import ClusterState
from stackctl.state.leftovers import is_content_unused, is_network_used, is_stack_empty

Named = TypeVar("Named", objects.Network, objects.Config, objects.Secret, objects.Stack)


class Round(msgspec.Struct, frozen=True):
    """What a round decided.

    `holding` names services that wait for others, to be looked at whenever something happens to any
    service.

    `wakes` says by service id when it must be looked at again though nothing happens; `draining`
    names the services to look at whenever a node acknowledges an assignment; `looked_at` those
    looked at.
    """

    changes: tuple[Change, ...]
    wakes: Mapping[str, float]
    draining: frozenset[str]
    looked_at: frozenset[str]
    holding: frozenset[str] = frozenset()
    rest: Rest = NO_REST


def run_round(
    state: ClusterState,
    *,
    now: float,
    new_id: Callable[[], str],
    acknowledged: Mapping[str, int],
    service_ids: Iterable[str] | None = None,
    rest: Rest = NO_REST,
) -> Round:
    """Decides everything that is due for the given services, or for all of them (None).

    `new_id` must return a fresh random id at each call; `acknowledged` is, by node id, the newest
    log index whose network part is in force on that node. `rest` is what the last round gave back.
    """
    decisions = Decisions(state, now=now, new_id=new_id, acknowledged=acknowledged)
    draft = decisions.draft
    chosen = sorted(restless(state, rest) if service_ids is None else service_ids)
    looked_at = [service_id for service_id in chosen if service_id in draft.services]
    for service_id in looked_at:
        service = draft.services[service_id]
        if not service.removing:
            _orchestrate(decisions, service)
        else:
            _go_on_removing(decisions, service)
        reaper.reap(decisions, draft.services[service_id])
    present = [draft.services[key] for key in looked_at if key in draft.services]
    moving.advance(decisions, present)
    allocate.allocate(decisions, present)
    schedule.schedule(decisions)
    rest = allocate.allocate_gateways(decisions, rest)
    endpoints.release_tasks(decisions, present)
    _sweep(decisions)
    if service_ids is None:
        rest = after_round(decisions, rest, looked_at)
    return Round(
        changes=tuple(decisions.changes),
        wakes=decisions.wakes,
        draining=frozenset(decisions.draining),
        holding=frozenset(decisions.holding),
        looked_at=frozenset(chosen),
        rest=rest,
    )


def _orchestrate(decisions: Decisions, service: objects.Service) -> None:
    service = dependencies.clear(decisions, service)
    match service.spec.mode:
        case specs.Mode.REPLICATED:
            replicated.reconcile(decisions, service)
        case specs.Mode.GLOBAL:
            global_mode.reconcile(decisions, service)
        case specs.Mode.REPLICATED_JOB:
            jobs.reconcile_replicated(decisions, service)
        case specs.Mode.GLOBAL_JOB:
            jobs.reconcile_global(decisions, service)


def _go_on_removing(decisions: Decisions, service: objects.Service) -> None:
    """Ends tasks that another removed service needed until now."""
    for task in removal.ending_tasks(decisions.draft, service):
        cause = "what depends on it has ended"
        decisions.do(SetDesired(task_id=task.id, desired_state=TaskState.REMOVE, cause=cause))
    if any(task.is_wanted for task in decisions.tasks(service.id)):
        decisions.holding.add(service.id)


def _sweep(decisions: Decisions) -> None:
    """Drops removed networks, contents and stacks that nothing is left of."""
    draft = decisions.draft
    for network in _by_name(draft.networks.values()):
        if network.removing and not is_network_used(draft, network):
            decisions.do(DropNetwork(network_id=network.id))
    for config in _by_name(draft.configs.values()):
        if is_content_unused(draft, config):
            decisions.do(DropConfig(config_id=config.id))
    for secret in _by_name(draft.secrets.values()):
        if is_content_unused(draft, secret):
            decisions.do(DropSecret(secret_id=secret.id))
    for stack in _by_name(draft.stacks.values()):
        if stack.removing and is_stack_empty(draft, stack.name):
            decisions.do(DropStack(name=stack.name))


def _by_name(held: Iterable[Named]) -> list[Named]:
    return sorted(held, key=lambda item: item.name)
