"""`healthcheck`: how the engine finds out that a container works. A zero inherits."""

from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, duration, integer, text
from stackctl.model.specs import Healthcheck

NONE = ("NONE",)
RETRIES_MAX = 1_000_000

_KINDS = ("CMD", "CMD-SHELL", "NONE")
_SHORTEST_SECONDS = 0.001  # the engine refuses less


def read_healthcheck(value: Value) -> Healthcheck:
    """A health check; `disable: true` switches off the image's, and that of an earlier file.
    `test: null` is the image's own again, as Compose clears what an earlier file said.
    """
    fields = Fields(value)
    test = fields.get("test")
    disable = fields.get("disable")
    start_period = fields.read("start_period", _interval, 0.0)
    start_interval = fields.get("start_interval")
    check = Healthcheck(
        test=() if test is None or test.is_null else _test(test),
        interval_seconds=fields.read("interval", _interval, 0.0),
        timeout_seconds=fields.read("timeout", _interval, 0.0),
        retries=fields.read("retries", integer(maximum=RETRIES_MAX), 0),
        start_period_seconds=start_period,
        start_interval_seconds=0.0 if start_interval is None else _interval(start_interval),
    )
    fields.finish()
    if start_interval is not None and not start_period:
        start_interval.problem("has no effect without start_period", "add start_period:")
    if disable is None or not boolean(disable):
        return check
    if test is not None and not test.is_null and check.test != NONE:
        test.note("is not used, because disable is true")
    return Healthcheck(test=NONE)


def _test(value: Value) -> tuple[str, ...]:
    written = value.written
    if isinstance(written, str):
        if not written:
            value.problem("is empty", "write a command, or disable: true")
        return ("CMD-SHELL", written)
    items = value.items("a command or a list that begins with CMD, CMD-SHELL or NONE")
    words = tuple(text(item) for item in items)
    if not words:
        return ()
    if words[0] not in _KINDS:
        items[0].problem("must be CMD, CMD-SHELL or NONE", 'as in ["CMD", "curl", "-f", "URL"]')
    elif words[0] == "NONE" and len(words) > 1:
        items[1].problem("nothing can follow NONE")
    elif words[0] == "CMD-SHELL" and len(words) != 2:
        value.problem("CMD-SHELL takes one text, the command of the shell")
    elif words[0] == "CMD" and len(words) == 1:
        value.problem("CMD needs a program to run")
    return words


def _interval(value: Value) -> float:
    seconds = duration(value)
    if 0 < seconds < _SHORTEST_SECONDS:
        value.problem("must be at least 1ms, or 0s to inherit")
    return seconds
