"""What a command does in the fake engine, recognised by its words as far as tests need it.

sleep N            runs N seconds; as the first process of a container it ignores SIGTERM
true, false, test  end at once with 0 or 1 (nothing that is tested for exists)
sh -c "A; B; …"    echo TEXT, echo TEXT >&2, exit N, sleep N, trap 'exit N' TERM, test -e PATH,
                   while true; do …; done
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Program:
    """What a container's first process does: print, run for a while, end."""

    lines: list[tuple[str, bytes]] = field(default_factory=list)
    runs_seconds: float = 0
    exit_code: int = 0
    exit_code_on_term: int | None = None  # None ignores the signal, as a first process does


def program_of(words: Iterable[str]) -> Program:
    """What a command line does, as far as tests need it."""
    words = list(words)
    if not words:
        return Program()
    if words[0] == "sleep":
        return Program(runs_seconds=float(words[1]))
    if words[0] in ("false", "test"):
        return Program(exit_code=1)
    if words[0] in ("sh", "/bin/sh"):
        return _script(words[2])
    return Program()


def _script(text: str) -> Program:
    program = Program()
    for statement in re.split(r";|&&", text):
        words = statement.split()
        if words[:1] == ["echo"]:
            source = "stderr" if words[-1] == ">&2" else "stdout"
            kept = words[1:-1] if words[-1] == ">&2" else words[1:]
            program.lines.append((source, " ".join(kept).encode()))
        elif words[:1] == ["exit"]:
            program.exit_code = int(words[1])
        elif words[:1] == ["sleep"]:
            program.runs_seconds += float(words[1])
        elif words[:2] == ["while", "true"]:
            program.runs_seconds = float("inf")
        elif words[:2] == ["test", "-e"]:
            program.exit_code = 1
        elif words[:1] == ["trap"]:
            match = re.search(r"exit (\d+)", statement)
            program.exit_code_on_term = int(match.group(1)) if match else 0
    return program
