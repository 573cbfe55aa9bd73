"""What commands about nodes do to a draft.

Replacing. A machine that is set up anew joins as a new node, and nobody will ever see its old one
again. The old one is taken for the same machine when it has the same host name and the same data
address, is a worker as the new one is, and is not heard of while the new one is READY: two that are
up are two machines, whatever their names. The new node takes over its labels and availability, its
tasks are orphaned at once (the machine answers, and does not run them as its own any longer), and
it is forgotten but for its id, by which leftover containers and volumes are still known. This comes
when the new one is first seen, or when the old one is found to be silent after that.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.state.cluster import Draft
from stackctl.state.results import Rejection, conflict, unknown


def put_node(draft: Draft, command: commands.PutNode) -> None:
    """Admits a node, or admits it again with another role or name."""
    held = draft.nodes.get(command.node_id)
    if held is None:
        draft.put_node(
            objects.Node(
                id=command.node_id,
                role=command.role,
                description=objects.NodeDescription(
                    hostname=command.hostname, nano_cpus=0, memory_bytes=0
                ),
                state_at=command.now,
                state_message="admitted, not connected yet",
                created_at=command.now,
                created_version=draft.index,
            )
        )
        return
    description = replace(held.description, hostname=command.hostname)
    draft.put_node(replace(held, role=command.role, description=description))


def see_node(draft: Draft, command: commands.SeeNode) -> None:
    """The node's agent is connected: it is READY."""
    node = _find(draft, command.node_id)
    seen = replace(node, description=command.description, session_manager_id=command.manager_id)
    if node.state != NodeState.READY:
        seen = replace(seen, state=NodeState.READY, state_message="", state_at=command.now)
    if seen != node:
        draft.put_node(seen)
    if seen.state != node.state or seen.description != node.description:
        _replace_former(draft, seen, now=command.now)


def lose_node(draft: Draft, command: commands.LoseNode) -> None:
    """The node is DOWN or UNKNOWN, if the one who says so is still the leader.

    An UNKNOWN node keeps its session's manager: its agent was connected and is expected back.
    """
    if command.term != draft.term:
        raise Rejection("conflict", f"verdict of term {command.term} came in term {draft.term}")
    node = _find(draft, command.node_id)
    if command.state not in (NodeState.DOWN, NodeState.UNKNOWN):
        raise Rejection("input", f"a node is not lost by being {command.state.value}")
    if node.state not in (NodeState.DOWN, command.state):
        is_down = command.state == NodeState.DOWN
        draft.put_node(
            replace(
                node,
                state=command.state,
                state_message=command.message,
                state_at=command.now,
                session_manager_id="" if is_down else node.session_manager_id,
            )
        )
        silent = draft.nodes[node.id]
        heirs = [other for other in draft.nodes.values() if _is_same_machine(other, silent)]
        if heirs:
            newest = max(heirs, key=_age)
            _replace_former(draft, newest, now=command.now)


def change_node(draft: Draft, command: commands.ChangeNode) -> None:
    """Availability and labels; removing a label that is not there is an error, as in Swarm."""
    node = _find(draft, command.node_id)
    labels = dict(node.labels)
    for name in command.label_remove:
        if name not in labels:
            raise conflict(f"node {node.hostname} has no label {name}")
        del labels[name]
    labels.update(command.label_add)
    availability = command.availability or node.availability
    changed = replace(node, labels=labels, availability=availability)
    if changed != node:
        draft.put_node(changed)


def remove_node(draft: Draft, command: commands.RemoveNode) -> None:
    """Forgets a node; its tasks are orphaned, which frees their addresses and replaces them."""
    node = _find(draft, command.node_id)
    if node.role == objects.NodeRole.MANAGER:
        raise conflict(f"node {node.hostname} is a manager", hint="only workers can be removed")
    if node.state != NodeState.DOWN and not command.force:
        raise conflict(
            f"node {node.hostname} is not down",
            hint="drain it and stop its agent first, or use --force: its tasks then stop at once",
        )
    error = "Task belonged to a node that has been deleted"
    _orphan_tasks(draft, node, error=error, now=command.now)
    draft.drop_node(node.id)


def _replace_former(draft: Draft, node: objects.Node, *, now: float) -> None:
    former = [other for other in draft.nodes.values() if _is_same_machine(node, other)]
    for old in sorted(former, key=_age):
        held = draft.nodes[node.id]
        is_as_joined = held.availability == objects.Availability.ACTIVE
        draft.put_node(
            replace(
                held,
                labels={**old.labels, **held.labels},
                availability=old.availability if is_as_joined else held.availability,
                former_ids=(*old.former_ids, old.id, *held.former_ids),
            )
        )
        error = f"node {old.hostname} was set up anew and has joined again"
        _orphan_tasks(draft, old, error=error, now=now)
        draft.drop_node(old.id)


def _is_same_machine(node: objects.Node, former: objects.Node) -> bool:
    """True when `node` is up and is what has become of `former`, which was admitted before."""
    return (
        node.state == NodeState.READY
        and former.state != NodeState.READY
        and _age(former) < _age(node)
        and node.role == former.role == objects.NodeRole.WORKER
        and node.hostname == former.hostname
        and node.description.data_address == former.description.data_address != ""
    )


def _age(node: objects.Node) -> tuple[int, str]:
    return (node.created_version, node.id)


def _orphan_tasks(draft: Draft, node: objects.Node, *, error: str, now: float) -> None:
    status = objects.TaskStatus(state=TaskState.ORPHANED, at=now, message=error, error=error)
    for task in list(draft.tasks_on(node.id).values()):
        if not task.has_ended:
            draft.put_task(replace(task, status=status, ended_version=draft.index))


def find_node_or_heir(nodes: Mapping[str, objects.Node], node_id: str) -> objects.Node | None:
    """The node of that id, or the one that replaced it: the same machine."""
    held = nodes.get(node_id)
    if held is not None or not node_id:
        return held
    return next((node for node in nodes.values() if node_id in node.former_ids), None)


def _find(draft: Draft, node_id: str) -> objects.Node:
    node = draft.nodes.get(node_id)
    if node is None:
        raise unknown("node", node_id)
    return node
