"""How much of the node's processors a container gets: the `cpu_…` keys and `cpuset`.

Periods and quotas are microseconds; Compose takes a number of them, or a duration.
"""

import re
from typing import NamedTuple

from stackctl.compose.grammar.quantities import parse_duration
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import integer, text

UNLIMITED = -1

_MICROSECONDS = 1_000_000
_PERIOD_MIN = 1_000
_PERIOD_MAX = 1_000_000
_QUOTA_MIN = 1_000
_SHARES_MIN = 2
_NUMBER = re.compile(r"[-+]?[0-9]+")
_CPUSET = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*")


class Processor(NamedTuple):
    """What the keys say; 0 and "" are nothing said."""

    shares: int
    quota: int
    period: int
    realtime_runtime: int
    realtime_period: int
    cpuset: str


def read_processor(fields: Fields) -> Processor:
    """The keys of a service about processors, but for `cpus`, which is an amount."""
    runtime = fields.get("cpu_rt_runtime")
    found = Processor(
        shares=fields.read("cpu_shares", _shares, 0),
        quota=fields.read("cpu_quota", _quota, 0),
        period=fields.read("cpu_period", _period, 0),
        realtime_runtime=0 if runtime is None else _microseconds()(runtime),
        realtime_period=fields.read("cpu_rt_period", _microseconds(), 0),
        cpuset=fields.read("cpuset", _cpuset, ""),
    )
    if runtime is not None and 0 < found.realtime_period < found.realtime_runtime:
        runtime.problem("must not be above cpu_rt_period")
    return found


def _microseconds(minimum: int = 0) -> Reader[int]:
    def read(value: Value) -> int:
        written = value.written
        if not isinstance(written, str) or _NUMBER.fullmatch(written):
            return integer(minimum=minimum)(value)
        try:
            return round(parse_duration(written) * _MICROSECONDS)
        except ValueError as error:
            value.problem(f"{shown(written)!r}: {error}", "or write a number of microseconds")
            return 0

    return read


def _shares(value: Value) -> int:
    shares = integer()(value)
    if 0 < shares < _SHARES_MIN:
        value.problem(f"must be at least {_SHARES_MIN}, or 0 for the engine's own")
    return shares


def _quota(value: Value) -> int:
    quota = _microseconds(minimum=UNLIMITED)(value)
    if 0 < quota < _QUOTA_MIN:
        value.problem(f"must be at least {_QUOTA_MIN} (1ms), or {UNLIMITED} for no limit")
    return quota


def _period(value: Value) -> int:
    period = _microseconds()(value)
    if period and not _PERIOD_MIN <= period <= _PERIOD_MAX:
        value.problem(f"must be from {_PERIOD_MIN} (1ms) to {_PERIOD_MAX} (1s)")
    return period


def _cpuset(value: Value) -> str:
    written = text(value)
    if not isinstance(value.written, str) or not written:
        return written
    if not _CPUSET.fullmatch(written):
        value.problem(f"{shown(written)!r} is no set of processors such as 0-3 or 0,2")
        return ""
    for part in written.split(","):
        first, dash, last = part.partition("-")
        if dash and int(last) < int(first):
            value.problem(f"the range {part} ends before it begins")
    return written
