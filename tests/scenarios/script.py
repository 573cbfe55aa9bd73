"""The form of a scenario script: blocks of a command, more input lines, `----`, expected text.

    # a comment, kept where it stands
    deploy shop
    web image=app:1 replicas=2
    ----
    create network shop_default
    create service shop_web

A blank line ends a block, so no output has one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

DIVIDER = "----"


@dataclass
class Block:
    """One command with what it should print. Comments are blocks without a command."""

    comments: list[str] = field(default_factory=list)
    command: str = ""
    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    line_number: int = 0

    def render(self, output: list[str]) -> str:
        """The block as it stands in a file, with this output."""
        if not self.command:
            return "\n".join(self.comments)
        return "\n".join([*self.comments, self.command, *self.lines, DIVIDER, *output])


def parse(text: str) -> list[Block]:
    """The blocks of a script. Raises ValueError for one without a divider."""
    blocks: list[Block] = []
    current = Block()
    in_output = False
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if not line.strip():
            if current.command and not in_output:
                raise ValueError(f"line {number}: {current.command!r} has no {DIVIDER}")
            if current.command or current.comments:
                blocks.append(current)
            current, in_output = Block(), False
        elif line.startswith("#") and not current.command:
            current.comments.append(line)
        elif line == DIVIDER:
            in_output = True
        elif in_output:
            current.expected.append(line)
        elif current.command:
            current.lines.append(line)
        else:
            current.command, current.line_number = line, number
    return blocks


def run(
    blocks: list[Block], perform: Callable[[str, list[str]], list[str]]
) -> tuple[str, list[str]]:
    """Performs every block; returns the script as it would read now, and what differs."""
    rendered: list[str] = []
    differences: list[str] = []
    for block in blocks:
        output = perform(block.command, block.lines) if block.command else []
        rendered.append(block.render(output))
        if output != block.expected:
            differences.append(_difference(block, output))
    return "\n\n".join(rendered) + "\n", differences


def _difference(block: Block, output: list[str]) -> str:
    expected = "\n".join(f"    {line}" for line in block.expected)
    actual = "\n".join(f"    {line}" for line in output)
    return f"line {block.line_number}: {block.command}\n  expected\n{expected}\n  printed\n{actual}"
