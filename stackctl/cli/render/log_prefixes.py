"""Lines of several containers with the container's name in front, each in a colour of its own."""

from typing import NamedTuple

# Cyan, yellow, green, magenta, blue, then the same bold.
_COLOURS = ("36", "33", "32", "35", "34", "1;36", "1;33", "1;32", "1;35", "1;34")


class PrefixStyle(NamedTuple):
    """How lines are shown."""

    has_prefix: bool = True
    has_time: bool = False
    has_colour: bool = False


class Prefixes:
    """Gives names their colours in the order in which they come, and lines their prefixes."""

    def __init__(self, style: PrefixStyle, *, stack_name: str) -> None:
        self._style = style
        self._stack_name = stack_name
        self._colours: dict[str, str] = {}
        self._width = 0

    def add(self, container: str) -> None:
        """A container whose lines will come; the longest name makes the width."""
        name = self.short(container)
        if name not in self._colours:
            self._colours[name] = _COLOURS[len(self._colours) % len(_COLOURS)]
            self._width = max(self._width, len(name) + 1)

    def short(self, container: str) -> str:
        """The container's name without the stack's."""
        return container.removeprefix(f"{self._stack_name}-").removeprefix(f"{self._stack_name}_")

    def line(self, container: str, text: str, *, at: str = "") -> str:
        """`web-1  | text` with a line end."""
        moment = f"{at} " if self._style.has_time and at else ""
        if not self._style.has_prefix:
            return f"{moment}{text}\n"
        self.add(container)
        name = self.short(container)
        prefix = f"{name.ljust(self._width)} |"
        if self._style.has_colour:
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        return f"{prefix} {moment}{text}\n"
