"""The published ports of the node: our table in the node's own namespace, and what it implies."""

from agent.core import nft_rules, stale_connections
from agent.drivers import conntrack, nft
from stackctl.model.assignment import AssignmentSet


class IngressRules:
    """Keeps the table. Not for several threads at a time; raises `TemporaryFailure`."""

    def __init__(self) -> None:
        self._text = ""
        self._generation = -1
        self._alive: frozenset[str] = frozenset()

    def apply(self, assignment: AssignmentSet, alive: frozenset[str]) -> None:
        """The table is that of the assignment, and no published connection leads to a backend that
        is gone; `alive` are the addresses that can still answer."""
        text = nft_rules.render_ingress(assignment)
        is_changed = text != self._text
        # The engine's own changes count here, too: then the text is applied again, for a
        # millisecond, rather than read back and compared.
        if is_changed or self._generation != nft.generation_here():
            self._generation = nft.apply(text)
            self._text = text
        if is_changed or not self._alive <= alive:
            conntrack.forget_stale(
                lambda connections: stale_connections.stale_ingress(
                    connections, assignment, alive=alive
                ),
                mark=nft_rules.INGRESS_MARK,
            )
        self._alive = alive

    def remove(self) -> None:
        """No table of ours is left."""
        nft.apply(nft_rules.render_removal())
        self._text = ""
