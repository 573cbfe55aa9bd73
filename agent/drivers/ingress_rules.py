"""The published ports of the node: our table in the node's own namespace, and what it implies."""

import logging
from collections.abc import Iterable
from contextlib import ExitStack

from agent.core import nft_rules, stale_connections
from agent.core.stale_connections import Connection, Offers
from agent.drivers import conntrack, netns, nft
from agent.drivers.sweeper import Sweeper
from stackctl.errors import TemporaryFailure
from stackctl.model.assignment import AssignmentSet

_log = logging.getLogger(__name__)


class IngressRules:
    """Keeps the table. Not for several threads at a time; raises `TemporaryFailure`."""

    def __init__(self, sweeper: Sweeper) -> None:
        self._sweeper = sweeper
        self._text = ""
        self._generation = -1
        self._may_end_soon = True
        self._offers: Offers | None = None
        # What a look through the connections judges by: it runs beside changes of the rules, and
        # takes long enough for backends to join and leave meanwhile.
        self._view: tuple[Offers, frozenset[str]] = (Offers(), frozenset())

    def apply(self, assignment: AssignmentSet, alive: frozenset[str]) -> None:
        """The table is that of the assignment, and soon no published connection leads to a backend
        that is gone; `alive` are the addresses that can still answer."""
        text = nft_rules.render_ingress(assignment)
        current = stale_connections.ingress_offers(assignment)
        known, known_alive = self._view
        self._view = stale_connections.while_changing(known, current), known_alive | alive
        netns.run_on_own_thread(lambda stack: self._apply_text(text, stack))
        offers, is_due = stale_connections.follow(self._offers, current, alive=alive)
        self._offers = offers
        self._view = offers, alive
        if is_due:
            self._sweeper.request("ingress", lambda: netns.run_on_own_thread(self._sweep))

    def remove(self) -> None:
        """No table of ours is left."""
        nft.apply(nft_rules.render_removal() + nft_rules.render_ends_removal())
        self._text = ""

    def _sweep(self, stack: ExitStack) -> None:
        conntrack.forget_stale(self._stale, stack, mark=nft_rules.INGRESS_MARK)

    def _stale(self, found: Iterable[Connection]) -> tuple[Connection, ...]:
        """By what is offered now, after the connections were read: no rule had chosen a backend
        that is not in there.
        """
        offers, alive = self._view
        return stale_connections.stale_ingress(found, offers, alive=alive)

    def _apply_text(self, text: str, stack: ExitStack) -> None:
        # The engine's own changes count here, too: then the text is applied again, for a
        # millisecond, rather than read back and compared.
        if text != self._text or self._generation != nft.generation_here(stack):
            if text == nft_rules.render_removal():
                nft.apply_here(nft_rules.render_ends_removal(), stack)
            else:
                self._let_connections_end_soon(stack)
            self._generation = nft.apply_here(text, stack)
            self._text = text

    def _let_connections_end_soon(self, stack: ExitStack) -> None:
        """A kernel that cannot do it costs a connection now and then, and no more than that."""
        if not self._may_end_soon:
            return
        try:
            nft.apply_here(nft_rules.render_ends(), stack)
        except TemporaryFailure as failure:
            self._may_end_soon = False
            _log.warning(
                "connections that are over stay tracked for as long as the kernel likes: %s",
                failure.reason,
            )
