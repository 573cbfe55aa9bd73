"""Rest: what a round has found in order, so that the next one need not look at it again.

A round over everything comes with every change of a node, and once a minute. Nearly all services
are then as they were. A service is at rest when a round decided nothing for it, all its tasks run
or have ended, and nothing about it is due later; it stays so as long as the values that the round
looked at are the very same ones. They are immutable, so being the same is being identical, which
costs nothing to compare. Forgetting a rest only costs time: a new leader has none.

What depends on other services, or on time alone, never rests: services that wait for others, that
are in an update, or that move by themselves.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec
from immutables import Map

from stackctl.core.decisions import Decisions
from stackctl.core.endpoints import ingress_network_id
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import ClusterState
from stackctl.state.revisions import MOVING_STATES

Tasks = Map[str, objects.Task]


class Rest(msgspec.Struct, frozen=True, gc=False):
    """What was in order, beside the values that it was found in.

    `basis` is what every service depends on; `others` are the services that do not rest while
    `services` and `tasks` are the whole maps of the state.
    """

    basis: tuple[object, ...] = ()
    services: object = None
    tasks: object = None
    others: tuple[str, ...] = ()
    found: Mapping[str, tuple[objects.Service, Tasks]] = {}
    networks_on: Mapping[str, tuple[Tasks, frozenset[str]]] = {}  # by node id
    ingress: tuple[object, object, frozenset[str]] | None = None


NO_REST = Rest()


def restless(state: ClusterState, rest: Rest) -> Collection[str]:
    """Ids of the services that a round over everything must look at."""
    if rest.basis != _basis_or_none(state, rest):
        return list(state.services)
    if rest.services is state.services and rest.tasks is state.tasks_by_service:
        return rest.others
    found = rest.found
    return [
        service_id
        for service_id, service in state.services.items()
        if (held := found.get(service_id)) is None
        or held[0] is not service
        or held[1] is not state.tasks_of(service_id)
    ]


def after_round(decisions: Decisions, rest: Rest, looked_at: Iterable[str]) -> Rest:
    """What is at rest after a round over everything; what it did not look at is as before."""
    state, draft = decisions.base, decisions.draft
    found = dict(rest.found) if rest.basis == _basis_or_none(state, rest) else {}
    for service_id in looked_at:
        found.pop(service_id, None)
        service = draft.services.get(service_id)
        tasks = draft.tasks_of(service_id)
        if (
            service is not None
            and service is state.services.get(service_id)
            and tasks is state.tasks_of(service_id)
            and _is_quiet(decisions, service, tasks)
        ):
            found[service_id] = (service, tasks)
    is_whole = not decisions.changes
    return Rest(
        basis=_basis(state),
        services=state.services if is_whole else None,
        tasks=state.tasks_by_service if is_whole else None,
        others=tuple(key for key in state.services if key not in found) if is_whole else (),
        found=found,
        networks_on=rest.networks_on,
        ingress=rest.ingress,
    )


def networks_needed(decisions: Decisions, rest: Rest) -> tuple[dict[str, set[str]], Rest]:
    """By network the nodes that need it, and the rest with what was found out."""
    draft = decisions.draft
    ingress = rest.ingress
    if ingress is None or ingress[0] is not draft.services or ingress[1] is not draft.networks:
        ids = frozenset(
            network_id
            for service in draft.services.values()
            if not service.removing and (network_id := ingress_network_id(draft, service))
        )
        ingress = (draft.services, draft.networks, ids)
    everywhere = set(draft.nodes)
    needed = {network_id: set(everywhere) for network_id in ingress[2]}
    networks_on: dict[str, tuple[Tasks, frozenset[str]]] = {}
    for node_id in everywhere:
        tasks = draft.tasks_on(node_id)
        held = rest.networks_on.get(node_id)
        if held is None or held[0] is not tasks:
            held = (
                tasks,
                frozenset(
                    network_id
                    for task in tasks.values()
                    if not task.has_ended
                    for network_id in task.addresses
                ),
            )
        networks_on[node_id] = held
        for network_id in held[1]:
            needed.setdefault(network_id, set()).add(node_id)
    return needed, msgspec.structs.replace(rest, ingress=ingress, networks_on=networks_on)


def _basis(state: ClusterState) -> tuple[object, ...]:
    return (
        Same(state.nodes),
        Same(state.networks),
        Same(state.configs),
        Same(state.secrets),
        Same(state.stacks),
        Same(state.cluster),
    )


def _basis_or_none(state: ClusterState, rest: Rest) -> tuple[object, ...] | None:
    """The state's basis; None while the rest has none."""
    return _basis(state) if rest.basis else None


class Same:
    """A value that equals itself alone."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


def _is_quiet(decisions: Decisions, service: objects.Service, tasks: Tasks) -> bool:
    status = service.update_status
    return (
        not service.removing
        and not service.is_held
        and service.spec.task.placement.rebalance == specs.Rebalance.NEVER
        and (status is None or status.state not in MOVING_STATES)
        and service.id not in decisions.wakes
        and service.id not in decisions.draining
        and service.id not in decisions.holding
        and all(
            task.has_ended
            or (
                task.is_wanted
                and task.status.state == TaskState.RUNNING
                and task.revision == service.revision
            )
            for task in tasks.values()
        )
    )
