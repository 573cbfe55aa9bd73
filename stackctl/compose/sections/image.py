"""Which image a service runs and when it is fetched: `image`, `platform`, `pull_policy`."""

import re
from typing import NamedTuple

from stackctl.compose.grammar.image_reference import image_complaint
from stackctl.compose.grammar.quantities import parse_duration
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import duration, text
from stackctl.model.specs import PullPolicy

DAY_SECONDS = 86_400.0
WORDS = ("always", "never", "missing", "if_not_present", "build", "refresh", "daily", "weekly")

_EVERY = re.compile(r"every_((?:[0-9]+[wdhms])+)")
_PLATFORM = re.compile(r"[a-z0-9_.-]+(?:/[a-z0-9_.-]+){0,2}", re.IGNORECASE)
_PERIODS = {"daily": DAY_SECONDS, "weekly": 7 * DAY_SECONDS}


class Pulling(NamedTuple):
    """When an image is fetched; `builds` says that it is built on this host instead."""

    policy: PullPolicy = PullPolicy.MISSING
    refresh_seconds: float = 0
    builds: bool = False


def read_image(fields: Fields, service: Value) -> str:
    """The image, or "" where something else says where it comes from."""
    image = fields.get("image")
    if image is None:
        if service.is_mapping() and "build" not in fields and "provider" not in fields:
            service.key_problem("no image is given", "add image: with a name that can be pulled")
        return ""
    written = text(image)
    complaint = image_complaint(written) if isinstance(image.written, str) else None
    if complaint:
        image.problem(f"invalid image reference {shown(written)!r}: {complaint}")
    return written


def read_platform(value: Value) -> str:
    """`OS[/ARCH[/VARIANT]]`."""
    written = text(value)
    if written and not _PLATFORM.fullmatch(written):
        value.problem(f"{shown(written)!r} is no platform such as linux/arm64")
    return written


def read_pulling(fields: Fields) -> Pulling:
    """`pull_policy` and `pull_refresh_after`."""
    policy = fields.get("pull_policy")
    after = fields.get("pull_refresh_after")
    pulling = Pulling() if policy is None else _pulling(policy)
    if after is None:
        return pulling
    seconds = duration(after)
    if policy is None or policy.written != "refresh":
        after.key_problem("has no effect without pull_policy: refresh", "add it, or remove this")
    return Pulling(PullPolicy.REFRESH, seconds)


def _pulling(value: Value) -> Pulling:
    written = value.written
    every = _EVERY.fullmatch(written) if isinstance(written, str) else None
    if every:
        return Pulling(PullPolicy.REFRESH, _period(value, every[1]))
    match written:
        case "always":
            return Pulling(PullPolicy.ALWAYS)
        case "never":
            return Pulling(PullPolicy.NEVER)
        case "missing" | "if_not_present":
            return Pulling()
        case "build":
            return Pulling(builds=True)
        case "refresh":
            return Pulling(PullPolicy.REFRESH)
        case "daily" | "weekly":
            return Pulling(PullPolicy.REFRESH, _PERIODS[written])
    hint = value.reading.log.near(written, WORDS) if isinstance(written, str) else None
    value.expected(f"{', '.join(WORDS)} or every_TIME such as every_12h", hint)
    return Pulling()


def _period(value: Value, written: str) -> float:
    try:
        return parse_duration(written)
    except ValueError as error:
        value.problem(f"{shown(written)!r}: {error}")
        return 0
