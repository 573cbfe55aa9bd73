"""Whether the connection to a manager is worth keeping, and when the next heartbeat is due.

A node counts as down after three seconds of silence, so an agent whose manager vanished must be
with another one before that: with more than one manager it leaves when the answer to its last
heartbeat is most of a period late. With a single one, leaving gains nothing, and it waits longer.

Looks come several times in a period. One that comes far too late means that this node was suspended
(a paused virtual machine, a frozen container): the manager has given the connection up, whatever
the socket says. A busy machine delays looks too, but rarely a single one for so long.
"""

import msgspec

SILENT_PERIODS_MAX = 1.8
SILENT_PERIODS_MAX_ALONE = 3.0
LEADERLESS_PERIODS_MAX = 3.0
GAP_PERIODS_MAX = 2.0


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one connection. Times are of a clock that never goes back."""

    period_seconds: float
    looked_at: float
    answered_at: float
    beat_at: float  # when the next heartbeat is due
    leaderless_since: float | None = None
    has_alternatives: bool = True

    def after_answer(self, *, now: float, has_leader: bool) -> "Pulse":
        """The manager answered a heartbeat."""
        since = None
        if not has_leader:
            since = now if self.leaderless_since is None else self.leaderless_since
        return msgspec.structs.replace(self, answered_at=now, leaderless_since=since)

    def after_look(self, *, now: float) -> "Pulse":
        """The connection was judged."""
        return msgspec.structs.replace(self, looked_at=now)

    def after_beat(self, *, now: float) -> "Pulse":
        """A heartbeat was sent. Delays do not add up: the next one is due a period after this one
        was, or half a period from now where this one was very late.
        """
        period = self.period_seconds
        beat_at = max(self.beat_at + period, now + period / 2)
        return msgspec.structs.replace(self, beat_at=beat_at)

    def stood_still(self, *, now: float) -> bool:
        """Whether this node was suspended since the last look."""
        return now - self.looked_at > GAP_PERIODS_MAX * self.period_seconds

    def fault(self, *, now: float) -> str:
        """Why to leave this manager, in words; "" to stay."""
        period = self.period_seconds
        silent = now - self.answered_at
        silent_max = SILENT_PERIODS_MAX if self.has_alternatives else SILENT_PERIODS_MAX_ALONE
        if silent > silent_max * period:
            return f"no answer for {silent:.1f} s"
        if self.leaderless_since is not None and self.has_alternatives:
            leaderless = now - self.leaderless_since
            if leaderless >= LEADERLESS_PERIODS_MAX * period:
                return f"it has known no leader for {leaderless:.1f} s"
        return ""
