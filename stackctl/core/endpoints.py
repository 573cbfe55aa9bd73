"""Endpoints: which tasks a service's name leads to, and when a leaving task may be stopped.

A task is a backend while it is RUNNING (healthy), wanted, and on a node that is not DOWN. It stops
being one the moment somebody wants it to end, and its agent may stop it when every node that might
balance to it has the newer rules in force: then no new connection can reach it.
"""

from collections.abc import Iterable

from stackctl.core.decisions import Decisions
from stackctl.model import objects, specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.changes import ReleaseTask
from stackctl.state.cluster import ClusterState, Draft

RELEASE_WAIT_SECONDS = 5.0  # a node that does not confirm within this time is not waited for


def is_backend(state: ClusterState | Draft, task: objects.Task) -> bool:
    """True when connections to the task's service may be led to it."""
    if task.status.state != TaskState.RUNNING or not task.is_wanted:
        return False
    node = state.nodes.get(task.node_id)
    return node is not None and node.state != NodeState.DOWN


def ingress_network_id(state: ClusterState | Draft, service: objects.Service) -> str:
    """The network of the service's ingress traffic: the first it is attached to, or ""."""
    if not any(port.mode == specs.PortMode.INGRESS for port in service.spec.ports):
        return ""
    for attachment in service.spec.task.networks:
        network_id = state.network_ids.get(attachment.network)
        if network_id is not None and not state.networks[network_id].spec.internal:
            return network_id
    return ""


def release_tasks(decisions: Decisions, services: Iterable[objects.Service]) -> None:
    """Lets agents stop the tasks that nobody balances to any longer."""
    for service in services:
        for task in decisions.tasks(service.id):
            if task.is_wanted or task.has_ended or task.released:
                continue
            if task.status.state < TaskState.ASSIGNED:
                continue
            if _is_released(decisions, task):
                decisions.do(ReleaseTask(task_id=task.id))
            else:
                decisions.draining.add(service.id)
                decisions.wake(service.id, task.desired_at + RELEASE_WAIT_SECONDS)


def _is_released(decisions: Decisions, task: objects.Task) -> bool:
    if not task.running_at:
        return True
    if decisions.now >= task.desired_at + RELEASE_WAIT_SECONDS:
        return True
    return all(
        decisions.acknowledged.get(node.id, 0) >= task.desired_version
        for node in decisions.draft.nodes.values()
        if node.state == NodeState.READY
    )
