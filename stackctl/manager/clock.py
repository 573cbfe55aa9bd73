"""Time and randomness of the manager: the only places where either is fetched.

Everything that decides gets both as arguments. `now` is what commands carry; `monotonic` is for
durations that must survive a change of the system's clock, such as how long a node was silent.
"""

import secrets
import time
from typing import Protocol

from stackctl.model import ids

SEED_BYTES = 16


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()


def new_id() -> str:
    """A fresh random id of an object."""
    return ids.encode_id(secrets.token_bytes(ids.RANDOM_BYTES_PER_ID))


def new_seed() -> bytes:
    """A fresh random seed, from which those who apply a command derive the ids it needs."""
    return secrets.token_bytes(SEED_BYTES)


def new_key() -> str:
    """A fresh idempotency key of a proposal."""
    return secrets.token_hex(16)
