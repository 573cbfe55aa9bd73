"""Durations, byte sizes and CPU counts as Compose writes them.

Pure text to number; a text that is none raises `ValueError` with a sentence for the user.
"""

import re

from stackctl.model.specs import NANO

INT64_MAX = 2**63 - 1

_UNIT_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)([a-zµμ]+)", re.ASCII)
_DURATION_LENGTH_MAX = 60
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?", re.ASCII | re.IGNORECASE)
_SIZE_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_CPUS = re.compile(r"(\d{0,9})(?:\.(\d{0,9}))?", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds of `1h30m`, `5s`, `1.5s`, `300ms`, `2d`; a unit is required except for `0`."""
    unsigned = text.removeprefix("+")
    if unsigned == "0":
        return 0.0
    if unsigned.startswith("-"):
        raise ValueError("a duration cannot be negative")
    seconds = 0.0
    at = 0
    while at < len(unsigned) <= _DURATION_LENGTH_MAX:
        part = _DURATION_PART.match(unsigned, at)
        if part is None or part[2] not in _UNIT_SECONDS:
            break
        seconds += float(part[1]) * _UNIT_SECONDS[part[2]]
        at = part.end()
    if at == 0 or at < len(unsigned):
        raise ValueError("not a duration such as 30s, 1m30s or 500ms")
    if seconds * NANO > INT64_MAX:
        raise ValueError("a duration cannot be longer than 292 years")
    return round(seconds, 9)


def parse_bytes(text: str) -> int:
    """Bytes of `50M`, `1.5gb`, `512 KiB`, `1024`; every unit is a power of 1024."""
    match = _SIZE.fullmatch(text)
    if match is None or len(text) > 40:
        raise ValueError("not a size in bytes such as 50M, 1.5G or 65536")
    factor = 1024 ** _SIZE_POWERS[match[2].lower()] if match[2] else 1
    number = match[1]
    size = int(number) * factor if number.isdecimal() else int(float(number) * factor)
    if size > INT64_MAX:
        raise ValueError("a size cannot reach 8 EiB")
    return size


def parse_cpus(text: str) -> int:
    """Nano-CPUs of `0.5`, `2`, `.25`: cores, to nine places."""
    match = _CPUS.fullmatch(text)
    if match is None or text in ("", "."):
        raise ValueError("not a number of CPUs such as 0.5 or 2, to nine places")
    return int(match[1] or 0) * NANO + int((match[2] or "").ljust(9, "0"))
