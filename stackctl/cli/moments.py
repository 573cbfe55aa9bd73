"""Points in time as people type them: how long ago, or when."""

import re
from datetime import UTC, datetime

from stackctl.errors import InputError

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_AGE = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


def parse_moment(text: str, *, now: float) -> float:
    """Seconds since the epoch for `1h30m` (ago), `2026-01-02T13:23:37Z`, a date, or a number.

    A time without zone is UTC, as the times that logs show are. Raises InputError.
    """
    if _AGE.fullmatch(text):
        ago = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        return now - ago
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
