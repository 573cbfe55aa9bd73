"""What commands about nodes do to a draft."""

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
        raise conflict(f"node {node.hostname} is not down", hint="stop it first, or use --force")
    for task in list(draft.tasks_on(node.id).values()):
        if not task.has_ended:
            error = "Task belonged to a node that has been deleted"
            status = objects.TaskStatus(
                state=TaskState.ORPHANED, at=command.now, message=error, error=error
            )
            draft.put_task(replace(task, status=status, ended_version=draft.index))
    draft.drop_node(node.id)


def _find(draft: Draft, node_id: str) -> objects.Node:
    node = draft.nodes.get(node_id)
    if node is None:
        raise unknown("node", node_id)
    return node
