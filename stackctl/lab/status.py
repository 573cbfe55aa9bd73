"""How the lab's nodes are: looked up each time, never remembered."""

from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import msgspec

from stackctl.lab import cgroups, links, nodes, unix_http
from stackctl.lab.cgroups import Hierarchies
from stackctl.lab.plan import DaemonName, LabPlan, NodePlan, Role

State = Literal["running", "paused", "cut", "stopped", "degraded"]


class Observation(msgspec.Struct, frozen=True):
    """What was seen of one node."""

    process_ids: dict[DaemonName, int]  # only of those that run
    is_powered: bool
    is_frozen: bool
    is_link_up: bool
    engine_answers: bool


class NodeStatus(msgspec.Struct, frozen=True):
    """One line of `stackctl lab status`; `detail` says what a degraded node lacks."""

    name: str
    role: Role
    address: str
    state: State
    detail: str
    engine: str
    namespace: str
    pids: dict[DaemonName, int]


def read_status(plan: LabPlan) -> list[NodeStatus]:
    """The status of all nodes, in the plan's order."""
    hierarchies = cgroups.read_hierarchies()
    with ThreadPoolExecutor(len(plan.nodes)) as pool:
        seen = pool.map(lambda node: _observe(plan, node, hierarchies), plan.nodes)
        return [describe(plan, node, one) for node, one in zip(plan.nodes, seen, strict=True)]


def describe(plan: LabPlan, node: NodePlan, seen: Observation) -> NodeStatus:
    """What an observation means for somebody who has one word's room."""
    missing = [daemon for daemon in plan.daemons(node) if daemon not in seen.process_ids]
    state: State = "running"
    detail = ""
    if not seen.is_powered and not seen.process_ids:
        state = "stopped"
    elif seen.is_frozen:
        state = "paused"
    elif missing or not seen.is_powered:
        state = "degraded"
        detail = f"{', '.join(missing)} not running" if missing else "its network is gone"
    elif not seen.engine_answers:
        state, detail = "degraded", "its engine does not answer"
    elif not seen.is_link_up:
        state = "cut"
    if state == "degraded" and seen.is_powered and not seen.is_link_up:
        detail += "; cut"
    return NodeStatus(
        name=node.name,
        role=node.role,
        address=node.address,
        state=state,
        detail=detail,
        engine=f"unix://{node.engine_socket}",
        namespace=node.namespace,
        pids=seen.process_ids,
    )


def table_cells(rows: list[NodeStatus]) -> list[tuple[str, ...]]:
    """The statuses as the cells of a table, headers first."""
    cells: list[tuple[str, ...]] = [("NAME", "ROLE", "ADDRESS", "STATE", "ENGINE")]
    for row in rows:
        state = f"{row.state} ({row.detail})" if row.detail else row.state
        cells.append((row.name, row.role, row.address, state, row.engine))
    return cells


def _observe(plan: LabPlan, node: NodePlan, hierarchies: Hierarchies) -> Observation:
    found = {daemon: nodes.running(node, daemon) for daemon in plan.daemons(node)}
    process_ids = {name: one.process_id for name, one in found.items() if one is not None}
    is_frozen = cgroups.is_frozen(hierarchies, node.cgroup)
    return Observation(
        process_ids=process_ids,
        is_powered=nodes.is_powered(node),
        is_frozen=is_frozen,
        is_link_up=links.is_up(node),
        # A frozen engine accepts the connection and never answers.
        engine_answers="engine" in process_ids
        and not is_frozen
        and unix_http.engine_answers(node.engine_socket),
    )
