"""Times as people type them: how long, how long ago, or when."""

import math
import re
from datetime import UTC, datetime

from stackctl.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_AGE = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


def parse_duration(text: str) -> float:
    """Seconds of `90`, `1.5`, `15s`, `1h30m`. Raises InputError."""
    if _AGE.fullmatch(text):
        return _seconds(text)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise InputError(f"{text!r} is not a duration", hint="write 90, 90s or 1m30s")
    return seconds


def parse_moment(text: str, *, now: float) -> float:
    """Seconds since the epoch for `1h30m` (ago), `2026-01-02T13:23:37Z`, a date, or a number.

    A time without zone is UTC, as the times that logs show are. Raises InputError.
    """
    if _AGE.fullmatch(text):
        return now - _seconds(text)
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a time", hint="write 42m, 2026-01-02T13:23:37Z, or epoch seconds"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _seconds(age: str) -> float:
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(age))
