"""What BuildKit reports of a build, as lines that people read.

Pure. BuildKit calls a step a vertex, names it by a digest, and reports it whenever something about
it changes; what a step prints comes in pieces. Steps get numbers in the order in which they begin,
and every line begins with its step's, because steps run beside each other. The numbers of fields
are those of `StatusResponse` and its parts in BuildKit's definitions.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from stackctl.local.building.protobuf import Message

LINES_KEPT_MAX = 10

_CANCELLED = ("context canceled", "context cancelled")


class FailedStep(NamedTuple):
    """The step at which a build ended, and the last lines that it printed."""

    name: str
    error: str
    last_lines: tuple[str, ...]


class _Step:
    def __init__(self, number: int, name: str, began: float) -> None:
        self.number = number
        self.name = name
        self.began = began
        self.error = ""
        self.has_ended = False
        self.pending = b""
        self.last_lines = deque[str](maxlen=LINES_KEPT_MAX)
        self.told = set[str]()


class BuildProgress:
    """Takes reports in, in their order."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    def take(self, report: bytes) -> list[str]:
        """The lines that a report adds. Raises ValueError for what is no report."""
        message = Message(report)
        lines: list[str] = []
        for vertex in message.messages(1):
            lines += self._begin(vertex)
        for status in message.messages(2):
            lines += self._status(status)
        for log in message.messages(3):
            lines += self._log(log)
        for vertex in message.messages(1):
            lines += self._end(vertex)
        return lines + [f"warning: {it.text(3)}" for it in message.messages(4)]

    @property
    def failed_step(self) -> FailedStep | None:
        """The step that failed by itself, and not because another one did."""
        for step in self._steps.values():
            if step.error and not step.error.endswith(_CANCELLED):
                return FailedStep(step.name, step.error, tuple(step.last_lines))
        return None

    def _begin(self, vertex: Message) -> Iterator[str]:
        digest = vertex.text(1)
        if digest in self._steps or 5 not in vertex:
            return
        step = _Step(len(self._steps) + 1, vertex.text(3), _seconds(vertex, 5))
        self._steps[digest] = step
        yield f"#{step.number} {step.name}"

    def _end(self, vertex: Message) -> Iterator[str]:
        step = self._steps.get(vertex.text(1))
        error = vertex.text(7)
        if step is None or step.has_ended or (6 not in vertex and not error):
            return
        step.has_ended = True
        step.error = error
        if step.pending:
            yield self._printed(step, step.pending, "")
        if error:
            words = "CANCELED" if error.endswith(_CANCELLED) else f"ERROR: {error}"
            yield f"#{step.number} {words}"
        elif vertex.number(4):
            yield f"#{step.number} CACHED"
        else:
            seconds = max(_seconds(vertex, 6) - _seconds(vertex, 5), 0.0)
            yield f"#{step.number} DONE {seconds:.1f}s"

    def _status(self, status: Message) -> Iterator[str]:
        step = self._steps.get(status.text(2))
        what = status.text(1)
        if step is not None and 8 in status and what not in step.told:
            step.told.add(what)
            yield f"#{step.number} {what} done"

    def _log(self, log: Message) -> Iterator[str]:
        step = self._steps.get(log.text(1))
        if step is None:
            return
        content = (step.pending + log.content(4)).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, step.pending = content.split(b"\n")
        seconds = max(_seconds(log, 2) - step.began, 0.0)
        for line in whole:
            if line.strip():
                yield self._printed(step, line, f"{seconds:.3f} ")

    def _printed(self, step: _Step, line: bytes, prefix: str) -> str:
        text = line.decode("utf-8", "replace")
        step.last_lines.append(text)
        return f"#{step.number} {prefix}{text}"


def _seconds(message: Message, field: int) -> float:
    moment = Message(message.content(field))
    return moment.number(1) + moment.number(2) / 1e9
