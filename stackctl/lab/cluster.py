"""stackctl's own daemons on the lab's nodes: founding, joining, and waiting until all are ready.

The first manager founds the cluster and shows its join tokens to whoever may open its unix socket.
The other managers join one after the other (each changes the group that has to agree), the agents
all at once. Who has joined once finds everything in its state directory and needs no token.
"""

import functools
import time
from collections.abc import Iterable
from typing import Any

from stackctl.lab import cgroups, links, nodes, processes, record, unix_http
from stackctl.lab import plan as planning
from stackctl.lab.cgroups import Hierarchies
from stackctl.lab.plan import API_PORT, Invitation, LabPlan, NodePlan
from stackctl.lab.tools import LabFailure

_MANAGER_READY_SECONDS = 30
_NODES_READY_SECONDS = 45
_PERIOD_SECONDS = 0.05


def start_managers(plan: LabPlan, starting: Iterable[NodePlan], hierarchies: Hierarchies) -> None:
    """Start the managers of those nodes that have one and on which it does not run.

    Waits only where something new is founded or joined: managers that come back find each
    other by themselves, and may need one that is started later. Raises `LabFailure`.
    """
    first = plan.managers[0]
    newcomers = []
    for node in starting:
        if node.role != "manager" or nodes.running(node, "manager") is not None:
            continue
        if node == first or record.read_daemon(node, "manager").has_joined:
            command = planning.manager_command(plan, node, invitation=None)
            nodes.launch(node, "manager", command, hierarchies)
        else:
            newcomers.append(node)
    if not record.read_daemon(first, "manager").has_joined:
        _await_cluster(plan)
        record.remember_joined(first, "manager")
    for node in newcomers:
        invitation = _invite(plan, "manager_join_token")
        command = planning.manager_command(plan, node, invitation=invitation)
        nodes.launch(node, "manager", command, hierarchies)
        nodes.wait_for(
            node,
            "manager",
            functools.partial(_knows_leader, node),
            timeout_seconds=_MANAGER_READY_SECONDS,
        )
        record.remember_joined(node, "manager")


def start_agent(plan: LabPlan, node: NodePlan, hierarchies: Hierarchies) -> None:
    """Start the agent of `node` if it does not run; its engine should."""
    if nodes.running(node, "agent") is not None:
        return
    is_new = node.role == "worker" and not record.read_daemon(node, "agent").has_joined
    invitation = _invite(plan, "worker_join_token") if is_new else None
    command = planning.agent_command(node, invitation=invitation)
    nodes.launch(node, "agent", command, hierarchies)


def can_decide(plan: LabPlan, hierarchies: Hierarchies) -> bool:
    """Whether enough managers run and hear each other for a leader to be there soon."""
    able = [
        node
        for node in plan.managers
        if nodes.running(node, "manager") is not None
        and links.is_up(node)
        and not cgroups.is_frozen(hierarchies, node.cgroup)
    ]
    return len(able) > len(plan.managers) // 2


def await_nodes(plan: LabPlan, awaited: Iterable[NodePlan]) -> None:
    """Wait until the cluster calls all `awaited` nodes ready and their agents are connected.

    The cluster's word alone may be about the time before a node was killed. Raises `LabFailure`
    with the names of those that are not, and the end of the first one's log.
    """
    missing = {node.name: node for node in awaited}
    deadline = time.monotonic() + _NODES_READY_SECONDS
    while True:
        ready = _ready_names(plan)
        for name in ready & missing.keys():
            if _is_agent_connected(missing[name]):
                record.remember_joined(missing.pop(name), "agent")
        if not missing:
            return
        first = next(iter(missing.values()))
        if time.monotonic() > deadline:
            raise LabFailure(
                f"not ready after {_NODES_READY_SECONDS} s: {', '.join(missing)}; the log of "
                f"{first.name}'s agent ends:{processes.last_lines(first.log_file('agent'))}",
                hint=f"read {first.log_file('agent')}",
            )
        time.sleep(_PERIOD_SECONDS)


def manager_endpoints(plan: LabPlan) -> tuple[str, ...]:
    """Where the lab's managers answer this machine's tools, the first one first."""
    return tuple(f"unix://{node.manager_socket}" for node in plan.managers)


def _await_cluster(plan: LabPlan) -> dict[str, Any]:
    """The cluster as the first manager that knows a leader describes it."""
    found: list[dict[str, Any]] = []

    def is_described() -> bool:
        answers = [_read_cluster(node) for node in plan.managers]
        found[:] = [answer for answer in answers if answer is not None]
        return bool(found)

    running = [node for node in plan.managers if nodes.running(node, "manager") is not None]
    waited_for = running[0] if running else plan.managers[0]
    nodes.wait_for(waited_for, "manager", is_described, timeout_seconds=_MANAGER_READY_SECONDS)
    return found[0]


def _read_cluster(node: NodePlan) -> dict[str, Any] | None:
    """The cluster as the manager of `node` sees it; None until it knows a leader."""
    answer = unix_http.fetch_json(node.manager_socket, "/v1/cluster", timeout_seconds=1)
    return answer if isinstance(answer, dict) and answer.get("leader") else None


def _knows_leader(node: NodePlan) -> bool:
    return _read_cluster(node) is not None


def _ready_names(plan: LabPlan) -> set[str]:
    for node in plan.managers:
        answer = unix_http.fetch_json(node.manager_socket, "/v1/nodes", timeout_seconds=1)
        if isinstance(answer, list):
            return {str(n["hostname"]) for n in answer if n["state"] == "ready"}
    return set()


def _is_agent_connected(node: NodePlan) -> bool:
    agent = nodes.running(node, "agent")
    return agent is not None and processes.is_connected(agent, API_PORT)


def _invite(plan: LabPlan, kind_of_token: str) -> Invitation:
    cluster = _await_cluster(plan)
    answering = [node for node in plan.managers if _knows_leader(node)]
    addresses = tuple(f"{node.address}:{API_PORT}" for node in answering)
    return Invitation(cluster[kind_of_token], addresses)
