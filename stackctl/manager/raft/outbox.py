"""What the core sends, with the one rule of durability: nothing is acknowledged before its sync.

Acknowledgements are held until the end of a batch of received messages; then one fdatasync covers
all of them. Votes need no holding: the ballot is durable before the core sends them.
"""

from typing import Any

from stackctl.manager.raft.journal import Journal
from stackctl.manager.raft.links import Links


class Outbox:
    """The core's way out. Owned by the consensus thread."""

    def __init__(self, links: Links, journal: Journal) -> None:
        self._links = links
        self._journal = journal
        self._held: list[tuple[str, dict[str, Any]]] = []

    def send(self, node_id: str, message: dict[str, Any]) -> bool:
        """Send one of the core's messages, an acknowledgement only with the next `flush`."""
        if message["type"] != "next_node_idx":
            return self._links.send(node_id, message)
        if self._held and _replaces(message, node_id, self._held[-1]):
            self._held[-1] = (node_id, message)
        else:
            self._held.append((node_id, message))
        return True

    def flush(self) -> None:
        """Sync the journal, then send the acknowledgements. Raises OSError."""
        if not self._held:
            return
        self._journal.sync()
        held, self._held = self._held, []
        for node_id, message in held:
            self._links.send(node_id, message)

    def set_peer(self, node_id: str, address: str) -> None:
        """A member was added."""
        self._links.set_peer(node_id, address)

    def drop_peer(self, node_id: str) -> None:
        """Nothing yet: the removal may be rolled back, and the last word needs the link.

        `member` removes the link when the removal is committed.
        """


def _replaces(message: dict[str, Any], node_id: str, held: tuple[str, dict[str, Any]]) -> bool:
    """Successes are cumulative: the newest says it all."""
    held_id, held_message = held
    both = (message, held_message)
    return held_id == node_id and all(each["success"] and not each["reset"] for each in both)
