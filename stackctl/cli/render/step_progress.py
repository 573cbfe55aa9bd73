"""Steps of a plan while they are done: one line a resource on a terminal, lines as they come
elsewhere, JSON for programs, or nothing. What a builder says stays above the lines that move.

Everything goes to stderr. On a terminal, lines are redrawn when something happened, at most ten
times a second, and spinners turn by the same clock.
"""

import json
import threading
import time
from enum import StrEnum
from types import TracebackType
from typing import Self

from stackctl.cli.render.terminal import Terminal
from stackctl.local.progress import Phase, Progress

_PERIOD_SECONDS = 0.1
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {Phase.DONE: ("✔", "green"), Phase.WARNING: ("!", "yellow"), Phase.ERROR: ("✘", "red")}


class ProgressMode(StrEnum):
    """`--progress`."""

    AUTO = "auto"
    TTY = "tty"
    PLAIN = "plain"
    JSON = "json"
    QUIET = "quiet"


class StepProgress:
    """Prints what a plan reports; to be used as a context around its execution."""

    def __init__(self, terminal: Terminal, mode: ProgressMode, *, title: str) -> None:
        if mode is ProgressMode.AUTO:
            mode = ProgressMode.TTY if terminal.is_interactive else ProgressMode.PLAIN
        self._terminal = terminal
        self._mode = mode
        self._title = title
        self._lock = threading.Lock()
        self._known: dict[str, Progress] = {}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._has_failed = False
        self._said: list[str] = []  # output that is not shown yet
        self._drawn = 0
        self._turns = 0
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._mode is ProgressMode.TTY:
            self._thread = threading.Thread(target=self._turn, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finished.set()
        if self._thread is not None:
            self._thread.join()
            with self._lock:
                self._draw()

    def report(self, progress: Progress) -> None:
        """Take a report in, from any thread."""
        with self._lock:
            if self._mode is ProgressMode.TTY:
                if progress.output:
                    self._said.append(progress.output)
                now = time.monotonic()
                self._began.setdefault(progress.id, now)
                if progress.phase is not Phase.WORKING:
                    self._ended[progress.id] = now
                else:
                    self._ended.pop(progress.id, None)
                self._known[progress.id] = progress
            elif self._mode is ProgressMode.PLAIN and not progress.parent:
                self._terminal.note(progress.output or plain_line(self._without_repeats(progress)))
            elif self._mode is ProgressMode.QUIET and progress.phase is Phase.ERROR:
                if self._has_failed:  # the first is what the command ends with
                    self._terminal.note(plain_line(progress))
                self._has_failed = True
            elif self._mode is ProgressMode.JSON:
                self._terminal.note(json_line(progress))

    def warn(self, text: str) -> None:
        """Something to look at that belongs to no step."""
        with self._lock:
            if self._mode is ProgressMode.JSON:
                self._terminal.note(json.dumps({"warning": True, "message": text}))
            elif self._mode is ProgressMode.TTY:
                self._said.append(f"warning: {text}")
            else:
                self._terminal.note(f"warning: {text}")

    def _without_repeats(self, progress: Progress) -> Progress:
        """The first failure is what the command ends with: there it is said, with its hint."""
        if progress.phase is not Phase.ERROR or self._has_failed:
            return progress
        self._has_failed = True
        return progress._replace(details="")

    def _turn(self) -> None:
        while not self._finished.wait(_PERIOD_SECONDS):
            with self._lock:
                self._turns += 1
                self._draw()

    def _draw(self) -> None:
        if not self._known:
            return
        size = self._terminal.progress_size
        lines = self._lines(size.width, max(size.height - 2, 3))
        if self._said:
            # Output stays and moves up; it may be wider than the screen, so all below goes first.
            self._terminal.redraw((), over=self._drawn)
            self._drawn = 0
            for line in self._said:
                self._terminal.note(line)
            self._said.clear()
        self._terminal.redraw(lines, over=self._drawn)
        self._drawn = len(lines)

    def _lines(self, width: int, height: int) -> list[str]:
        whole = [it for it in self._known.values() if not it.parent]
        done = sum(it.phase is not Phase.WORKING for it in whole)
        lines = [self._line(it, width) for it in self._shown(whole, height - 1)]
        if len(lines) < len(whole):
            lines.append(f"   … {len(whole) - len(lines)} more")
        return [f"[+] {self._title} {done}/{len(whole)}", *lines]

    def _shown(self, whole: list[Progress], height: int) -> list[Progress]:
        """What moves is seen when not everything can be."""
        if len(whole) <= height:
            return whole
        moving = [it for it in whole if it.phase is Phase.WORKING][: height - 1]
        rest = [it for it in whole if it.phase is not Phase.WORKING]
        room = height - 1 - len(moving)
        chosen = {it.id for it in (*moving, *rest[len(rest) - room :])}
        return [it for it in whole if it.id in chosen]

    def _line(self, progress: Progress, width: int) -> str:
        mark, colour = _MARKS.get(progress.phase, (_SPINNER[self._turns % len(_SPINNER)], "yellow"))
        seconds = self._ended.get(progress.id, time.monotonic()) - self._began[progress.id]
        name = progress.id.ljust(max((len(key) for key in self._known), default=0))
        details = f"  {self._transferred(progress.id) or progress.details}".rstrip()
        text = f"{name}  {progress.text}{details}"
        time_text = f"{seconds:.1f}s"
        text = text[: max(width - len(time_text) - 5, 10)]
        line = f" {mark} {text}".ljust(width - len(time_text) - 1) + time_text
        return self._terminal.paint(line, colour if progress.phase is not Phase.WORKING else "")

    def _transferred(self, resource: str) -> str:
        layers = [it for it in self._known.values() if it.parent == resource]
        if not layers:
            return ""
        done = sum(it.phase is Phase.DONE for it in layers)
        return f"{done}/{len(layers)} layers"


def plain_line(progress: Progress) -> str:
    """` Container shop-web-1  Created`."""
    details = f"  {progress.details}" if progress.details else ""
    return f" {progress.id}  {progress.text}{details}"


def json_line(progress: Progress) -> str:
    """One object a line, with the keys of `docker compose --progress json`."""
    found: dict[str, object] = {
        "id": progress.id,
        "parent_id": progress.parent,
        "status": progress.phase.value,
        "text": progress.text,
        "details": progress.output or progress.details,
        "current": progress.current,
        "total": progress.total,
        "percent": 100 * progress.current // progress.total if progress.total else 0,
    }
    if progress.phase is Phase.ERROR:
        found["error"] = True
    return json.dumps({key: value for key, value in found.items() if value not in ("", 0)})
