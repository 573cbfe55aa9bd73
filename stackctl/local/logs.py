"""What containers wrote, line by line, in the order of time.

The engine has a time for every line. What was written already is merged by these times exactly;
what is being written is held back for a moment, so that lines of several containers that are on
their way at once come out in the right order.
"""

import calendar
import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from stackctl.errors import StackctlError
from stackctl.local.engine.client import Engine
from stackctl.local.engine.frames import STDERR, STDOUT, frames
from stackctl.local.failures import EngineRefusal
from stackctl.local.observed import Container
from stackctl.local.observing import inspect


class LogLine(NamedTuple):
    """One line; `at` is RFC 3339 with nine digits, so that texts compare as times do."""

    at: str
    container: str  # its name
    text: str
    is_error: bool = False


class LogRange(NamedTuple):
    """Which lines: the last `tail`, those since and until a time in seconds since the epoch."""

    tail: str = "all"
    since: str = ""
    until: str = ""

    def query(self, *, follows: bool = False) -> dict[str, object]:
        """What the engine is asked for."""
        return {
            "stdout": True,
            "stderr": True,
            "timestamps": True,
            "follow": follows,
            "tail": self.tail,
            "since": self.since or None,
            "until": self.until or None,
        }


def merged_logs(
    engine: Engine, containers: Sequence[Container], wanted: LogRange
) -> Iterator[LogLine]:
    """What the containers wrote up to now, in the order of time. Raises EngineRefusal."""
    streams = [lines_of(engine, it, wanted) for it in containers]
    return heapq.merge(*streams, key=lambda line: line.at)


def lines_of(engine: Engine, container: Container, wanted: LogRange) -> Iterator[LogLine]:
    """The lines of one container. Raises EngineRefusal."""
    tty = bool(inspect(engine, container.id)["Config"]["Tty"])
    path = f"/containers/{container.id}/logs"
    try:
        with engine.stream("GET", path, wanted.query()) as answer:
            yield from parse_lines(answer.pieces(), container.name, tty=tty)
    except EngineRefusal as refusal:
        if not is_unreadable(refusal):
            raise


def is_unreadable(error: StackctlError) -> bool:
    """True when a container's log driver keeps nothing that could be read: it has no lines."""
    return "does not support reading" in error.message


def parse_lines(pieces: Iterable[bytes], container: str, *, tty: bool) -> Iterator[LogLine]:
    """The lines in a body that has a time in front of each.

    A line of more than 16 KiB comes in several frames, each with a time of its own.
    """
    if tty:
        yield from _terminal_lines(pieces, container)
        return
    open_lines: Mapping[int, list[bytes]] = {STDOUT: [], STDERR: []}
    times: dict[int, bytes] = {}
    for frame in frames(pieces, tty=False):
        held = open_lines.get(frame.stream)
        if held is None:
            continue
        moment, _, text = frame.content.partition(b" ")
        if not held:
            times[frame.stream] = moment
        held.append(text)
        if text.endswith(b"\n"):
            yield _line(times[frame.stream], b"".join(held), container, frame.stream)
            held.clear()
    for stream, held in open_lines.items():
        if held:
            yield _line(times[stream], b"".join(held), container, stream)


def _terminal_lines(pieces: Iterable[bytes], container: str) -> Iterator[LogLine]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            moment, _, text = line.partition(b" ")
            yield _line(moment, text, container, STDOUT)
    if rest:
        moment, _, text = rest.partition(b" ")
        yield _line(moment, text, container, STDOUT)


def _line(moment: bytes, text: bytes, container: str, stream: int) -> LogLine:
    words = text.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    return LogLine(moment.decode("latin-1"), container, words, stream == STDERR)


def engine_time(at: str) -> str:
    """The time of a line as the engine wants to be asked: seconds and nanoseconds."""
    whole, _, fraction = at.removesuffix("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return f"{seconds}.{fraction.ljust(9, '0')}"
