"""How long things take in a simulated cluster, and what goes wrong on the way.

The plain machinery has fixed small times and no faults, so that scenarios read the same for ever.
The simulation's one draws from a seeded source.
"""

import random


class Machinery:
    """Fixed times, no faults."""

    changes_per_entry = 1000

    def link_seconds(self) -> float:
        """From a node to a manager, or back."""
        return 0.01

    def engine_seconds(self) -> float:
        """One call of a node's engine."""
        return 0.1

    def network_seconds(self) -> float:
        """Until a node has an assignment's network part in force."""
        return 0.02

    def decision_seconds(self) -> float:
        """Between an event and the leader's round."""
        return 0.01

    def commit_seconds(self) -> float:
        """Between a round's decision and its place in the log."""
        return 0.0

    def report_copies(self) -> list[float]:
        """After how many seconds each copy of a report reaches the log; none: it is lost."""
        return [self.link_seconds()]

    def clock_error_seconds(self) -> float:
        """By how much the clock of the manager that stamps a command is wrong."""
        return 0.0

    def loses_the_outcome(self) -> bool:
        """Whether a call to the engine is carried out although its agent was just killed."""
        return False


class FaultyMachinery(Machinery):
    """Times and faults from a seeded source, until `is_calm`."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.is_calm = False
        self.changes_per_entry = source.choice((1, 3, 10, 10, 1000, 1000))
        self._clock_errors = [0.0, source.uniform(-3, 3), source.uniform(-30, 30)]

    def link_seconds(self) -> float:
        return self._draw(0.001, 0.05, rare=2.0)

    def engine_seconds(self) -> float:
        return self._draw(0.02, 0.4, rare=8.0)

    def network_seconds(self) -> float:
        return self._draw(0.005, 0.1, rare=7.0)

    def decision_seconds(self) -> float:
        return self._draw(0.001, 0.05, rare=1.0)

    def commit_seconds(self) -> float:
        return self._draw(0.001, 0.02, rare=1.5)

    def report_copies(self) -> list[float]:
        if self.is_calm:
            return [self.link_seconds()]
        number = self.source.choices((0, 1, 2), weights=(3, 90, 7))[0]
        return [self.link_seconds() for _ in range(number)]

    def clock_error_seconds(self) -> float:
        if self.is_calm:
            return 0.0
        return self.source.choices(self._clock_errors, weights=(80, 15, 5))[0]

    def loses_the_outcome(self) -> bool:
        return self.source.random() < 0.5

    def _draw(self, least: float, most: float, *, rare: float) -> float:
        if not self.is_calm and self.source.random() < 0.03:
            return self.source.uniform(most, rare)
        return self.source.uniform(least, most)
