"""What managers ask of each other: `POST /v1/internal/…`."""

from stackctl.errors import Denied
from stackctl.manager import forwarding
from stackctl.manager.calls import Call
from stackctl.manager.consensus import Member
from stackctl.manager.forwarding import Beats
from stackctl.manager.parts import Parts
from stackctl.model.objects import NodeRole
from stackctl.model.structs import StrictModel


async def take_heartbeats(parts: Parts, call: Call) -> None:
    """Heartbeats and acknowledgements of the agents connected to the calling manager."""
    beats: Beats = call.body
    forwarding.take_beats(
        beats,
        manager_id=call.caller.node_id,
        liveness=parts.liveness,
        now=parts.clock.monotonic(),
    )


MEMBERS_PATH = "/v1/internal/members"


class MemberRequest(StrictModel, frozen=True, kw_only=True):
    """Where the calling manager listens for the others."""

    raft_address: str


async def add_member(parts: Parts, call: Call) -> None:
    """Lets the calling manager take part, once it has caught up; harmless when it does already."""
    request: MemberRequest = call.body
    state = await parts.cluster.read()
    node = state.nodes.get(call.caller.node_id)
    if node is None or node.role != NodeRole.MANAGER:
        raise Denied(f"{call.caller.node_id or 'the caller'} is no manager of this cluster")
    await parts.cluster.add_member(Member(node.id, request.raft_address))
