"""A controller round: the fixed order of loops, from a state to the changes of one log entry.

reap -> orchestrate -> allocate -> schedule -> gateways -> release -> sweep. Each loop sees what the
ones before it decided. Looking again costs nothing when nothing is to be done: a second round on
the resulting state decides nothing.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from stackctl.core import endpoints
from stackctl.core.allocation import allocate
from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import global_mode, reaper, replicated
from stackctl.core.scheduling import schedule
from stackctl.model import objects, specs
from stackctl.state.changes import Change, DropConfig, DropNetwork, DropStack
from stackctl.state.cluster import ClusterState


class Round(msgspec.Struct, frozen=True):
    """What a round decided.

    `wakes` says by service id when it must be looked at again though nothing happens; `draining`
    names the services to look at whenever a node acknowledges an assignment; `looked_at` those
    looked at.
    """

    changes: tuple[Change, ...]
    wakes: Mapping[str, float]
    draining: frozenset[str]
    looked_at: frozenset[str]


def run_round(
    state: ClusterState,
    *,
    now: float,
    new_id: Callable[[], str],
    acknowledged: Mapping[str, int],
    service_ids: Iterable[str] | None = None,
) -> Round:
    """Decides everything that is due for the given services, or for all of them (None).

    `new_id` must return a fresh random id at each call; `acknowledged` is, by node id, the newest
    log index whose network part is in force on that node.
    """
    decisions = Decisions(state, now=now, new_id=new_id, acknowledged=acknowledged)
    draft = decisions.draft
    chosen = sorted(state.services if service_ids is None else service_ids)
    looked_at = [service_id for service_id in chosen if service_id in draft.services]
    for service_id in looked_at:
        reaper.reap(decisions, draft.services[service_id])
    for service_id in looked_at:
        service = draft.services.get(service_id)
        if service is not None and not service.removing:
            _orchestrate(decisions, service)
    present = [draft.services[key] for key in looked_at if key in draft.services]
    allocate.allocate(decisions, present)
    schedule.schedule(decisions)
    allocate.allocate_gateways(decisions)
    endpoints.release_tasks(decisions, present)
    _sweep(decisions)
    return Round(
        changes=tuple(decisions.changes),
        wakes=decisions.wakes,
        draining=frozenset(decisions.draining),
        looked_at=frozenset(chosen),
    )


def _orchestrate(decisions: Decisions, service: objects.Service) -> None:
    if service.spec.mode == specs.Mode.GLOBAL:
        global_mode.reconcile(decisions, service)
    else:
        replicated.reconcile(decisions, service)


def _sweep(decisions: Decisions) -> None:
    """Drops removed networks, contents and stacks that nothing is left of."""
    draft = decisions.draft
    occupied = {
        network_id
        for task in _tasks_on_removed_networks(decisions)
        for network_id in task.addresses
    }
    for network in list(draft.networks.values()):
        if network.removing and network.id not in occupied and not _is_attached(decisions, network):
            decisions.do(DropNetwork(network_id=network.id))
    used = {
        config_id
        for service in draft.services.values()
        for by_name in service.config_ids.values()
        for config_id in by_name.values()
    }
    for config in list(draft.configs.values()):
        is_current = draft.config_ids.get(config.name) == config.id and not config.removing
        if not is_current and config.id not in used:
            decisions.do(DropConfig(config_id=config.id))
    for stack in list(draft.stacks.values()):
        if stack.removing and not _has_anything(decisions, stack.name):
            decisions.do(DropStack(name=stack.name))


def _tasks_on_removed_networks(decisions: Decisions) -> list[objects.Task]:
    draft = decisions.draft
    if not any(network.removing for network in draft.networks.values()):
        return []
    return [task for task in draft.every_task() if not task.has_ended]


def _is_attached(decisions: Decisions, network: objects.Network) -> bool:
    return any(
        attachment.network == network.name
        for service in decisions.draft.services.values()
        for attachment in service.spec.task.networks
    )


def _has_anything(decisions: Decisions, stack_name: str) -> bool:
    draft = decisions.draft
    return (
        any(service.stack_name == stack_name for service in draft.services.values())
        or any(network.stack_name == stack_name for network in draft.networks.values())
        or any(config.stack_name == stack_name for config in draft.configs.values())
    )
