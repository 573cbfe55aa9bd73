"""The assignments of one agent's connection: what it was sent, and what it has in force.

The first message is the whole set, later ones are increments on top of the set sent before. While
nothing of a node's assignment changes, nothing is sent, although the log moves on; the feed then
knows that what the agent has is still the assignment at the newer index, and counts it as
acknowledged: `acknowledged_index` is the newest index of the log whose network part the node has in
force.

Secrets are compared by id and opened for the message alone: no manager keeps them in clear. One
that cannot be opened goes without its content; the tasks that mount it wait, the others do not.
"""

import logging
from collections.abc import Iterable

import msgspec

from stackctl.core import assignments
from stackctl.manager.identity import IdentityUnusable
from stackctl.manager.vault import Vault
from stackctl.model.assignment import AssignmentSet, SecretAssignment
from stackctl.state.cluster import ClusterState
from stackctl.wire import increments
from stackctl.wire.agent_protocol import AssignmentIncrement, AssignmentMessage

_log = logging.getLogger(__name__)


class AssignmentFeed:
    """What one agent was sent over one connection."""

    def __init__(self, node_id: str, *, vault: Vault) -> None:
        self._node_id = node_id
        self._vault = vault
        self._sent: AssignmentSet | None = None
        self._unchanged_until = 0
        self._confirmed = 0

    @property
    def acknowledged_index(self) -> int:
        """Newest log index whose network part is in force on the node."""
        if self._sent is not None and self._confirmed >= self._sent.index:
            return max(self._confirmed, self._unchanged_until)
        return self._confirmed

    def start_over(self) -> None:
        """The agent lost its set: the next message is a whole one."""
        self._sent = None

    def confirm(self, index: int) -> None:
        """The agent has the network part of its assignment at that index in force."""
        self._confirmed = index

    def is_unchanged_at(self, index: int) -> None:
        """The assignment at that index is what was sent last."""
        self._unchanged_until = max(index, self._unchanged_until)

    def next_message(self, state: ClusterState) -> AssignmentMessage | None:
        """What to send so that the agent has the assignment of that state; None when it has."""
        wanted = assignments.assignment_for(state, self._node_id, term=state.term)
        self.is_unchanged_at(state.index)
        held, increment = self._sent, None
        if held is not None and held.former_node_ids == wanted.former_node_ids:
            increment = increments.difference(held, wanted)
            if increment == AssignmentIncrement(base_index=held.index):
                return None
        self._sent = wanted
        if increment is None:
            opened = self._opened(state, wanted.secrets)
            full = msgspec.structs.replace(wanted, secrets=opened)
            return AssignmentMessage(term=wanted.term, index=wanted.index, full=full)
        opened = self._opened(state, increment.put_secrets)
        increment = msgspec.structs.replace(increment, put_secrets=opened)
        return AssignmentMessage(term=wanted.term, index=wanted.index, increment=increment)

    def _opened(
        self, state: ClusterState, wanted: Iterable[SecretAssignment]
    ) -> tuple[SecretAssignment, ...]:
        found: list[SecretAssignment] = []
        for secret in wanted:
            try:
                content = self._vault.open(state.secrets[secret.id])
            except IdentityUnusable as error:
                _log.error("node %s does not get a secret: %s", self._node_id, error)
                content = None
            found.append(msgspec.structs.replace(secret, content=content))
        return tuple(found)
