"""Waiting in tests: poll a check until it holds, and say what was last seen when it never does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    check: Callable[[], T], *, timeout_seconds: float, period_seconds: float = 0.05
) -> T:
    """Returns the first truthy value of `check`; an AssertionError inside counts as "not yet"."""
    deadline = time.monotonic() + timeout_seconds
    last_seen: object = "nothing"
    while True:
        try:
            value = check()
            if value:
                return value
            last_seen = value
        except AssertionError as error:
            last_seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds} s; last seen: {last_seen!r}")
        time.sleep(period_seconds)
