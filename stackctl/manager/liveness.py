"""Liveness: when each node was last heard of, and which assignment it has in force.

Kept in memory only, by every manager for the agents connected to it, and by the leader for all: the
others forward theirs. Times are monotonic and given by the caller.

Grace: a manager that was itself frozen, or has just become leader, knows nothing of how long nodes
were silent; it starts counting anew. A node whose manager has stopped forwarding gets
`MESSENGER_GRACE_SECONDS` more: the messenger may be dead, and the agent needs a moment to find
another.
"""

from collections.abc import Callable, Iterable

import msgspec

from stackctl.model import objects
from stackctl.model.objects import NodeState

MESSENGER_SILENT_SECONDS = 1.0
MESSENGER_GRACE_SECONDS = 2.0


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A node that was not heard of, for how long."""

    node: objects.Node
    seconds: float


class Liveness:
    """What was heard of nodes. `self_id` is the node of this manager."""

    def __init__(self, *, self_id: str) -> None:
        self._self_id = self_id
        self._heard: dict[str, float] = {}
        self._messengers: dict[str, float] = {}
        self._acknowledged: dict[str, int] = {}
        self._on_acknowledged: list[Callable[[], None]] = []

    @property
    def acknowledged(self) -> dict[str, int]:
        """Newest log index whose network part is in force, by node id; a copy."""
        return dict(self._acknowledged)

    def subscribe_acknowledged(self, on_acknowledged: Callable[[], None]) -> None:
        """Calls `on_acknowledged` whenever a node has a newer assignment in force."""
        self._on_acknowledged.append(on_acknowledged)

    def hear(self, node_id: str, *, at: float) -> None:
        """The node was heard of at that time."""
        self._heard[node_id] = max(at, self._heard.get(node_id, at))

    def hear_messenger(self, manager_id: str, *, at: float) -> None:
        """Another manager forwarded what it heard."""
        self._messengers[manager_id] = at

    def acknowledge(self, node_id: str, index: int) -> None:
        """The node's network part is in force as of that index of the log."""
        before = self._acknowledged.get(node_id)
        self._acknowledged[node_id] = index
        if before is None or index > before:
            for on_acknowledged in self._on_acknowledged:
                on_acknowledged()

    def forget(self, node_ids: Iterable[str]) -> None:
        """Drops what is known of nodes that are no longer members."""
        for node_id in node_ids:
            self._heard.pop(node_id, None)
            self._acknowledged.pop(node_id, None)
            self._messengers.pop(node_id, None)

    def grant_grace(self, node_ids: Iterable[str], *, at: float) -> None:
        """Counts the silence of these nodes from that time on."""
        for node_id in node_ids:
            self.hear(node_id, at=at)

    def silences(
        self, nodes: Iterable[objects.Node], *, now: float, down_seconds: float
    ) -> list[Silence]:
        """Nodes that have been silent for too long: READY ones, and UNKNOWN ones that are waited
        for.
        """
        return [
            Silence(node=node, seconds=now - self._heard[node.id])
            for node in nodes
            if _is_judged(node) and now >= self._deadline(node, now=now, down_seconds=down_seconds)
        ]

    def next_deadline(
        self, nodes: Iterable[objects.Node], *, now: float, down_seconds: float
    ) -> float | None:
        """The earliest time at which some READY node would be too silent."""
        deadlines = (
            self._deadline(node, now=now, down_seconds=down_seconds)
            for node in nodes
            if node.state == NodeState.READY
        )
        return min(deadlines, default=None)

    def silence_seconds(self, node_id: str, *, now: float) -> float:
        """How long ago the node was last heard of."""
        return now - self._heard.get(node_id, now)

    def _deadline(self, node: objects.Node, *, now: float, down_seconds: float) -> float:
        heard = self._heard.setdefault(node.id, now)
        messenger_id = node.session_manager_id
        if messenger_id in {"", self._self_id, node.id}:
            return heard + down_seconds
        forwarded = self._messengers.get(messenger_id, 0.0)
        if now - forwarded <= MESSENGER_SILENT_SECONDS:
            return heard + down_seconds
        return heard + down_seconds + MESSENGER_GRACE_SECONDS


def _is_judged(node: objects.Node) -> bool:
    is_waited_for = node.state == NodeState.UNKNOWN and node.session_manager_id != ""
    return node.state == NodeState.READY or is_waited_for
