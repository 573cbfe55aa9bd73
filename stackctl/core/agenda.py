"""The agenda: what the next round must look at, and when. A value that the leader's loop carries.

Events add services, rounds take them off and leave times at which they are due again. A new leader
starts with everything.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from stackctl.core.rest import NO_REST, Rest
from stackctl.core.rounds import Round
from stackctl.state.events import Event, Kind

FULL_ROUND_PERIOD_SECONDS = 60.0


class Agenda(msgspec.Struct, frozen=True, kw_only=True):
    """Services to look at now (`everything`: all), later (`wakes`), on acknowledgements
    (`draining`), and whenever something happens to another one (`holding`).
    """

    everything: bool = True
    services: frozenset[str] = frozenset()
    wakes: Mapping[str, float] = {}
    draining: frozenset[str] = frozenset()
    holding: frozenset[str] = frozenset()
    full_round_at: float = 0
    rest: Rest = NO_REST

    def with_events(self, events: Iterable[Event]) -> "Agenda":
        """Adds what the events touch. A node concerns everybody; so does what has no service."""
        services = set(self.services)
        everything = self.everything
        for event in events:
            match event.kind:
                case Kind.TASK | Kind.SERVICE:
                    services.add(event.service_id)
                    services.update(self.holding)
                case (
                    Kind.NODE | Kind.STACK | Kind.NETWORK | Kind.CONFIG | Kind.SECRET | Kind.CLUSTER
                ):
                    everything = True
        return replace(self, services=frozenset(services), everything=everything)

    def acknowledged(self) -> "Agenda":
        """A node confirmed an assignment: tasks that wait to be stopped may be released."""
        return replace(self, services=self.services | self.draining)

    def at(self, now: float) -> "Agenda":
        """Adds what has become due."""
        due = frozenset(key for key, at in self.wakes.items() if at <= now)
        is_full = self.everything or now >= self.full_round_at
        return replace(self, services=self.services | due, everything=is_full)

    @property
    def is_due(self) -> bool:
        """True when a round should run now."""
        return self.everything or bool(self.services)

    @property
    def next_at(self) -> float:
        """When something becomes due though nothing happens."""
        return min((self.full_round_at, *self.wakes.values()))

    def after(self, done: Round, *, now: float) -> "Agenda":
        """The agenda once a round's changes are in the log.

        Called on the very agenda that the round was run for: events that arrive meanwhile, the
        round's own among them, are added afterwards, or what they ask for is lost. After a round
        that was refused, start over with a new agenda.
        """
        wakes = {key: at for key, at in self.wakes.items() if key not in done.looked_at}
        wakes.update(done.wakes)
        return Agenda(
            everything=False,
            services=frozenset() if self.everything else self.services - done.looked_at,
            wakes=wakes,
            draining=(self.draining - done.looked_at) | done.draining,
            holding=(self.holding - done.looked_at) | done.holding,
            full_round_at=now + FULL_ROUND_PERIOD_SECONDS
            if self.everything
            else self.full_round_at,
            rest=done.rest,
        )
