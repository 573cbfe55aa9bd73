"""Times as people say them, in Swarm's words: `5 minutes ago`, `About an hour ago`."""

from collections.abc import Sequence

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

# (below this many seconds, seconds per unit, word); the first that fits is used.
_STEPS: Sequence[tuple[float, int, str]] = (
    (_MINUTE, 1, "seconds"),
    (_HOUR, _MINUTE, "minutes"),
    (2 * _DAY, _HOUR, "hours"),
    (14 * _DAY, _DAY, "days"),
    (60 * _DAY, 7 * _DAY, "weeks"),
    (730 * _DAY, 30 * _DAY, "months"),
)


def render_duration(seconds: float) -> str:
    """A length of time with one unit; a negative one (clocks differ) counts as none."""
    if seconds < 1:
        return "Less than a second"
    if seconds < 2:
        return "1 second"
    if _MINUTE <= seconds < 2 * _MINUTE:
        return "About a minute"
    if _HOUR <= seconds < 1.5 * _HOUR:
        return "About an hour"
    for limit, unit, word in _STEPS:
        if seconds < limit:
            # Hours are rounded, all else is cut: so Swarm does.
            count = round(seconds / unit) if unit == _HOUR else int(seconds // unit)
            return f"{count} {word}"
    return f"{int(seconds // (365 * _DAY))} years"


def render_age(at: float, *, now: float) -> str:
    """How long ago something was, in lower case, as it stands behind a task's state."""
    return f"{render_duration(now - at).lower()} ago"
