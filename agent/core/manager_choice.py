"""Which manager to try next and how long to wait before: exponential, with jitter."""

import msgspec

PAUSE_MIN_SECONDS = 0.1
PAUSE_MAX_SECONDS = 2.0
CONNECT_MIN_SECONDS = 1.0
CONNECT_MAX_SECONDS = 5.0


class ManagerChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The managers in the order of trying, and how often trying failed since the last success."""

    managers: tuple[str, ...]  # "address:port"
    failures: int = 0

    @property
    def current(self) -> str:
        """The manager to try now; "" when none is known."""
        return self.managers[0] if self.managers else ""

    @property
    def connect_seconds(self) -> float:
        """How long to wait for a connection: short, so that a dead manager costs little, and longer
        after a whole round of failures, so that slow managers are reached as well.
        """
        rounds = self.failures // max(1, len(self.managers))
        return min(CONNECT_MAX_SECONDS, CONNECT_MIN_SECONDS * (1 << min(rounds, 8)))

    def pause_seconds(self, random_number: float) -> float:
        """How long to wait before the next try; `random_number` is between 0 and 1."""
        if not self.failures:
            return 0.0
        full = min(PAUSE_MAX_SECONDS, PAUSE_MIN_SECONDS * (1 << min(self.failures - 1, 10)))
        return full * (0.5 + random_number / 2)

    def after_failure(self) -> "ManagerChoice":
        """The current manager could not be reached, or is of no use: the next one's turn."""
        return msgspec.structs.replace(
            self, managers=(*self.managers[1:], *self.managers[:1]), failures=self.failures + 1
        )

    def after_success(self) -> "ManagerChoice":
        """The current manager welcomed us."""
        return msgspec.structs.replace(self, failures=0)

    def after_suspicion(self) -> "ManagerChoice":
        """The connection is of no use though the manager welcomed us: the next one, at once."""
        return msgspec.structs.replace(
            self, managers=(*self.managers[1:], *self.managers[:1]), failures=0
        )

    def with_managers(self, managers: tuple[str, ...]) -> "ManagerChoice":
        """The managers that there are now; those known keep their order, the new ones come last."""
        if not managers:
            return self
        kept = tuple(address for address in self.managers if address in managers)
        new = tuple(address for address in managers if address not in kept)
        return msgspec.structs.replace(self, managers=kept + new)
