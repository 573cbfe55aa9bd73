"""What can happen to a node: frozen, cut off, without power, shut down, started again.

A *paused* node is frozen and its link is down, as a paused virtual machine answers nothing and
forwards nothing: the kernel of the lab would otherwise go on answering pings and forwarding packets
for it. A *cut* node runs on without a network. *Killing* a node is pulling its plug.
"""

from collections.abc import Callable
from typing import Literal

from stackctl.errors import Conflict
from stackctl.lab import cgroups, cluster, links, nodes, operations, record
from stackctl.lab import plan as planning
from stackctl.lab.plan import LabPlan, NodePlan

Target = Literal["node", "agent", "manager", "engine"]


def pause(node: NodePlan) -> None:
    """Freeze everything on the node and take its link down; a paused node stays as it is."""
    with record.locked(node.directory):
        _require_power(node)
        # The link first: nothing that the node still says while it freezes is heard.
        links.set_link(node, up=False)
        try:
            cgroups.freeze(cgroups.read_hierarchies(), node.cgroup)
        except BaseException:
            links.set_link(node, up=True)
            raise


def resume(node: NodePlan) -> None:
    """Undo `pause`; a node that is not paused stays as it is."""
    hierarchies = cgroups.read_hierarchies()
    with record.locked(node.directory):
        if cgroups.is_frozen(hierarchies, node.cgroup):
            # The link first: the first thing that the node says after its sleep must be heard.
            links.set_link(node, up=True)
            cgroups.thaw(hierarchies, node.cgroup)


def cut(node: NodePlan) -> None:
    """Take the node's link down; everything on it runs on."""
    with record.locked(node.directory):
        _require_power(node)
        links.set_link(node, up=False)


def heal(node: NodePlan) -> None:
    """Bring the node's link up; raises `Conflict` for a paused node, whose link is part of that."""
    with record.locked(node.directory):
        _require_power(node)
        _require_awake(node)
        links.set_link(node, up=True)


def kill(node: NodePlan, target: Target) -> None:
    """End one daemon without asking, or the whole node with all its containers, as if its power
    was lost. Raises `Conflict` when the daemon does not run.
    """
    with record.locked(node.directory):
        if target == "node":
            nodes.power_off(node, cgroups.read_hierarchies())
        else:
            _require_awake(node)
            nodes.kill_daemon(node, target)


def start(plan: LabPlan, node: NodePlan, report: Callable[[str], None]) -> None:
    """Start whatever of the node does not run: its daemons, or all of it after `kill` and `stop`.

    Waits until the cluster calls the node ready, if enough managers are left to say so.
    """
    hierarchies = cgroups.read_hierarchies()
    with record.locked(node.directory):
        _require_awake(node)
        operations.start_nodes(plan, (node,), hierarchies, report)
    if plan.with_engines_only:
        return
    if cluster.can_decide(plan, hierarchies) and links.is_up(node):
        cluster.await_nodes(plan, (node,))
    else:
        report(f"{node.name} has started; no manager can say yet whether it is ready")


def stop(plan: LabPlan, node: NodePlan) -> None:
    """Shut the node down: daemons and containers are asked to end before the power goes."""
    with record.locked(node.directory):
        _require_awake(node)
        nodes.shut_down(plan, node, cgroups.read_hierarchies())


def restart_engine(node: NodePlan) -> None:
    """Stop the node's engine, as an upgrade of its package would, and start it again."""
    hierarchies = cgroups.read_hierarchies()
    with record.locked(node.directory):
        _require_power(node)
        _require_awake(node)
        nodes.stop_daemon(node, "engine")
        nodes.start_engine(node, hierarchies)


def exec_command(node: NodePlan, command: list[str]) -> list[str]:
    """The argument list that runs `command` on the node; raises `Conflict` when it cannot run."""
    _require_power(node)
    _require_awake(node)
    cgroup_file = cgroups.create(cgroups.read_hierarchies(), node.daemons_cgroup)
    return planning.exec_command(node, cgroup_file, command)


def _require_power(node: NodePlan) -> None:
    if not nodes.is_powered(node):
        raise Conflict(f"{node.name} is stopped", hint=f"stackctl lab start {node.name}")


def _require_awake(node: NodePlan) -> None:
    if cgroups.is_frozen(cgroups.read_hierarchies(), node.cgroup):
        raise Conflict(f"{node.name} is paused", hint=f"stackctl lab resume {node.name}")
