"""Relevance: whose assignment a change of state may have altered. Pure; errs on the side of all.

Most changes are steps of one task (preparing, ready, starting …) that concern only its own node;
what others see of a task is where it lives and whether connections may be led to it. Everything
else that changes (nodes, networks, services, contents) is rare, and concerns everybody.
"""

from typing import NamedTuple

from stackctl.core import endpoints
from stackctl.manager.machine import Publication
from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import ClusterState
from stackctl.state.events import Kind

_WITHOUT_EFFECT = {Kind.CLUSTER, Kind.STACK}


class Affected(NamedTuple):
    """Nodes whose assignment may differ now; `all_nodes` means every one."""

    node_ids: frozenset[str]
    all_nodes: bool


EVERYBODY = Affected(frozenset(), all_nodes=True)


def affected_by(publication: Publication) -> Affected:
    """The nodes whose assignments a publication may have altered."""
    if publication.everything:
        return EVERYBODY
    node_ids: set[str] = set()
    for event in publication.events:
        if event.kind in _WITHOUT_EFFECT:
            continue
        if event.kind != Kind.TASK:
            return EVERYBODY
        for reached in _reached(publication, event.object_id):
            if reached is None:
                return EVERYBODY
            node_ids.add(reached)
    return Affected(frozenset(node_ids), all_nodes=False)


def _reached(publication: Publication, task_id: str) -> set[str | None]:
    """Nodes that see a difference in one task; None among them stands for all nodes."""
    before = publication.before.tasks.get(task_id)
    after = publication.state.tasks.get(task_id)
    reached: set[str | None] = set()
    if _as_own(before) != _as_own(after):
        reached.update(task.node_id for task in (before, after) if task is not None)
    if _as_foreign(publication.before, before) != _as_foreign(publication.state, after):
        for task in (before, after):
            if task is not None:
                reached |= _observers(publication.state, task)
    reached.discard("")
    return reached


def _as_own(task: objects.Task | None) -> object:
    """What the task's own node is told of it."""
    if task is None or task.status.state < TaskState.ASSIGNED:
        return None
    return (
        task.node_id,
        task.revision,
        task.desired_state,
        task.released,
        task.start_after,
        task.addresses,
        task.host_ports,
        task.has_ended,
    )


def _as_foreign(state: ClusterState, task: objects.Task | None) -> object:
    """What other nodes are told of the task."""
    if task is None or task.has_ended or task.status.state < TaskState.ASSIGNED:
        return None
    return (task.node_id, task.slot, task.addresses, endpoints.is_backend(state, task))


def _observers(state: ClusterState, task: objects.Task) -> set[str | None]:
    service = state.services.get(task.service_id)
    if service is None or endpoints.ingress_network_id(state, service):
        return {None}
    found: set[str | None] = set()
    for network_id in task.addresses:
        network = state.networks.get(network_id)
        if network is None:
            return {None}
        found.update(network.gateways)
    return found
