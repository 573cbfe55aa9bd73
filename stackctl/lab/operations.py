"""Putting a lab up from whatever state it is in: what the plan says is made true, and what is
already so is not touched.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from stackctl.errors import Conflict, InputError, UnknownName
from stackctl.lab import (
    cgroups,
    cluster,
    contexts_file,
    links,
    machine,
    nodes,
    record,
)
from stackctl.lab import plan as planning
from stackctl.lab.cgroups import Hierarchies
from stackctl.lab.plan import LabPlan, NodePlan
from stackctl.lab.record import LabRecord

Report = Callable[[str], None]

_MACHINE_LOCK = Path("/run")


class Wishes(msgspec.Struct, frozen=True):
    """What somebody wants of a lab; None leaves it as it is, or at its default."""

    node_count: int | None = None
    manager_count: int | None = None
    subnet: str | None = None
    with_engines_only: bool = False


def up(name: str, directory: Path, wishes: Wishes, report: Report) -> LabPlan:
    """Bring up the lab `name` in `directory`, or repair and extend the one that is there.

    Raises `UnfitMachine`, `InputError`, `Conflict` or `LabFailure`; what was made by then stays
    for the next try, and `down` removes it.
    """
    machine.require_fit()
    hierarchies = cgroups.read_hierarchies()
    with record.locked(directory):
        with record.locked(_MACHINE_LOCK):  # two labs must not choose the same subnet
            remembered = _claim(name, directory, wishes)
        plan = remembered.plan
        _heal_faults(plan, hierarchies)
        start_nodes(plan, plan.nodes, hierarchies, report)
        if not plan.with_engines_only:
            cluster.await_nodes(plan, plan.nodes)
            _enter_context(remembered, report)
    report(f"lab {name} is up: {', '.join(node.name for node in plan.nodes)}")
    return plan


def start_nodes(
    plan: LabPlan, starting: tuple[NodePlan, ...], hierarchies: Hierarchies, report: Report
) -> None:
    """Power on `starting` and start what belongs on them and does not run.

    Engines take longest: they start at the same time, and managers beside them.
    """
    for node in starting:
        nodes.power_on(plan, node, hierarchies)
    with ThreadPoolExecutor(len(starting)) as pool:
        engines = {
            node.name: pool.submit(nodes.start_engine, node, hierarchies) for node in starting
        }
        if not plan.with_engines_only:
            cluster.start_managers(plan, starting, hierarchies)
        for node in starting:
            engines[node.name].result()
            report(f"{node.name}: engine at unix://{node.engine_socket}")
            if not plan.with_engines_only:
                cluster.start_agent(plan, node, hierarchies)


def find(directory: Path) -> LabPlan:
    """The plan of the lab in `directory`; raises `InputError` where there is none."""
    remembered = record.read_lab(directory)
    if remembered is None:
        raise InputError(f"there is no lab in {directory}", hint="stackctl lab up")
    return remembered.plan


def find_node(plan: LabPlan, name: str) -> NodePlan:
    """The node of the lab with this name; raises `UnknownName`."""
    for node in plan.nodes:
        if node.name == name:
            return node
    raise UnknownName("node", name, known=[node.name for node in plan.nodes])


def _claim(name: str, directory: Path, wishes: Wishes) -> LabRecord:
    """Settle the plan, remember it, and create the bridge, which makes its subnet ours."""
    remembered = record.read_lab(directory)
    bridge = planning.bridge_name(name)
    busy = links.busy_subnets(but_not_of=bridge)
    if remembered is None:
        plan = planning.plan_lab(
            name=name,
            directory=directory,
            subnet=wishes.subnet or planning.free_subnet(busy),
            node_count=3 if wishes.node_count is None else wishes.node_count,
            manager_count=1 if wishes.manager_count is None else wishes.manager_count,
            with_engines_only=wishes.with_engines_only,
        )
        remembered = LabRecord(plan)
    else:
        plan = _extend(remembered.plan, name, wishes)
        remembered = msgspec.structs.replace(remembered, plan=plan)
    collisions = planning.overlapping(plan.subnet, busy)
    if collisions:
        raise InputError(
            f"the lab's subnet {plan.subnet} overlaps this machine's route to {collisions[0]}",
            hint="name another subnet with --subnet",
        )
    record.write_lab(remembered)
    links.ensure_bridge(plan)
    if links.open_way_out(plan):
        remembered = msgspec.structs.replace(remembered, machine_did_not_forward=True)
        record.write_lab(remembered)
    return remembered


def _extend(plan: LabPlan, name: str, wishes: Wishes) -> LabPlan:
    """The plan of a lab that exists, with more nodes if more are wished for."""
    if plan.name != name:
        raise Conflict(
            f"the lab in {plan.directory} is called {plan.name}", hint=f"add --name {plan.name}"
        )
    manager_count = len(plan.managers)
    for what, wished, has in (
        ("managers", wishes.manager_count, manager_count),
        ("subnet", wishes.subnet, plan.subnet),
    ):
        if wished not in (None, has):
            raise Conflict(
                f"the {what} of a lab cannot change: {has}, not {wished}",
                hint="stackctl lab down, then up again",
            )
    return planning.plan_lab(
        name=name,
        directory=plan.directory,
        subnet=plan.subnet,
        node_count=max(len(plan.nodes), wishes.node_count or 0),
        manager_count=manager_count,
        with_engines_only=plan.with_engines_only and wishes.with_engines_only,
    )


def _heal_faults(plan: LabPlan, hierarchies: Hierarchies) -> None:
    for node in plan.nodes:
        cgroups.thaw(hierarchies, node.cgroup)
        if links.has_link(node):
            links.set_link(node, up=True)


def _enter_context(remembered: LabRecord, report: Report) -> None:
    plan = remembered.plan
    path = contexts_file.contexts_file()
    before = contexts_file.enter(path, plan.name, cluster.manager_endpoints(plan))
    if before is not None:
        record.write_lab(msgspec.structs.replace(remembered, previous_context=before))
    report(f"stackctl now talks to the lab (context {plan.name})")
