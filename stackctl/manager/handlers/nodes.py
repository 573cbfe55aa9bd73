"""Nodes: list, look, change, remove."""

from stackctl.manager import calls
from stackctl.manager.calls import Call
from stackctl.manager.parts import Parts
from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.model.structs import StrictModel
from stackctl.state import commands, queries
from stackctl.state.cluster import ClusterState
from stackctl.wire import api


class RemoveNodeQuery(StrictModel, frozen=True, kw_only=True):
    """`force` also removes a node that is not down."""

    force: bool = False


async def list_nodes(parts: Parts, _call: Call) -> list[api.NodeView]:
    """All nodes."""
    state = await parts.cluster.read()
    return queries.list_nodes(
        state, manager_status=manager_status(parts, state), self_id=parts.identity.node_id
    )


async def get_node(parts: Parts, call: Call) -> api.NodeView:
    """One node."""
    state = await parts.cluster.read()
    node = queries.find_node(state, call.reference(parts.identity.node_id))
    calls.check_about_itself(call.caller, node.id)
    return _view(parts, state, node)


async def change_node(parts: Parts, call: Call) -> api.NodeView:
    """Availability and labels."""
    update: api.NodeUpdate = call.body
    state = await parts.cluster.read()
    node = queries.find_node(state, call.reference(parts.identity.node_id))
    await parts.cluster.propose(
        commands.ChangeNode(
            node_id=node.id,
            availability=update.availability,
            label_add=update.label_add,
            label_remove=update.label_remove,
            now=parts.clock.now(),
        )
    )
    state = parts.cluster.state
    return _view(parts, state, queries.find_node(state, node.id))


async def remove_node(parts: Parts, call: Call) -> None:
    """Takes a node out of the cluster."""
    query: RemoveNodeQuery = call.query
    state = await parts.cluster.read()
    node = queries.find_node(state, call.reference(parts.identity.node_id))
    await parts.cluster.propose(
        commands.RemoveNode(node_id=node.id, force=query.force, now=parts.clock.now())
    )


def manager_status(parts: Parts, state: ClusterState) -> dict[str, str]:
    """What `node ls` says of managers: leader, reachable or unreachable, by node id."""
    leader_id = parts.cluster.leadership.leader_id
    found: dict[str, str] = {}
    for node_id in parts.cluster.api_addresses():
        node = state.nodes.get(node_id)
        if node_id == leader_id:
            found[node_id] = "leader"
        elif node is not None and node.state == NodeState.DOWN:
            found[node_id] = "unreachable"
        else:
            found[node_id] = "reachable"
    return found


def _view(parts: Parts, state: ClusterState, node: objects.Node) -> api.NodeView:
    return queries.node_view(
        state,
        node,
        manager_status=manager_status(parts, state),
        self_id=parts.identity.node_id,
    )
