"""The progress of services as lines: `shop_web 2/3 starting 1`."""

from collections.abc import Sequence

from stackctl.cli.render.tables import cut_text
from stackctl.cli.render.terminal import Terminal
from stackctl.client.progress import ServiceProgress

_UPDATE_WORDS = {"updating": "updating", "rollback_started": "rolling back"}


def render_progress(progress: ServiceProgress) -> str:
    """One service; what does not run is counted by state, in the order of a task's life."""
    words = [f"{progress.name} {progress.running}/{progress.desired}"]
    if progress.is_job:
        words.append("completed")
    if progress.update in _UPDATE_WORDS:
        words.append(f"({_UPDATE_WORDS[progress.update]})")
    words.extend(f"{state} {count}" for state, count in progress.counts)
    line = " ".join(words)
    return f"{line}: {progress.reason}" if progress.reason else line


def render_block(progress: Sequence[ServiceProgress], *, width: int, height: int) -> list[str]:
    """All services for a terminal of that size; those that are done give way first."""
    # The last row stays free for the cursor.
    room = max(height - 1, 1)
    shown = list(progress)
    if len(shown) > room:
        unfinished = [each for each in shown if not each.is_done]
        shown = unfinished[: room - 1]
    lines = [cut_text(render_progress(each), width - 1) for each in shown]
    hidden = len(progress) - len(shown)
    if hidden:
        done = sum(1 for each in progress if each.is_done)
        lines.append(cut_text(f"… and {hidden} more; {done} of {len(progress)} done", width - 1))
    return lines


class ProgressLines:
    """Shows progress: redrawn in place on a terminal, elsewhere a line for each change."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last: dict[str, str] = {}
        self._drawn: list[str] = []

    def show(self, progress: Sequence[ServiceProgress]) -> None:
        """Show what is so now; what is shown already is not shown again."""
        if self._terminal.is_interactive:
            self._redraw(progress)
            return
        for each in progress:
            line = render_progress(each)
            if self._last.get(each.name) != line:
                self._last[each.name] = line
                self._terminal.note(line)

    def _redraw(self, progress: Sequence[ServiceProgress]) -> None:
        size = self._terminal.progress_size
        lines = render_block(progress, width=size.width, height=size.height)
        if lines != self._drawn:
            self._terminal.redraw(
                [self._painted(line, progress) for line in lines], over=len(self._drawn)
            )
            self._drawn = lines

    def _painted(self, line: str, progress: Sequence[ServiceProgress]) -> str:
        done = {render_progress(each) for each in progress if each.is_done}
        return self._terminal.paint(line, "green") if line in done else line
