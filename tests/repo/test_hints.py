"""Commands that messages advise exist."""

import re
from pathlib import Path

from stackctl.cli.groups import ENTRIES

ROOT = Path(__file__).parents[2]
# 'stackctl node rm', `stackctl join-token worker`: in quotes of any kind, a hint's first words, or
# another choice beside them.
ADVISED = re.compile(r"""(?:['`]|hint=\(?\s*f?"|\bor )stackctl ([a-z][a-z-]+)""")


def test_every_form_of_advice_is_found() -> None:
    code = 'hint="stackctl join TOKEN, or stackctl init"; hint=(f"stackctl up"), \'stackctl ps\''
    assert ADVISED.findall(code) == ["join", "init", "up", "ps"]


def test_a_command_that_is_advised_is_there() -> None:
    """Hints named `join` and `init`, which nobody has built."""
    advised = {
        (path.relative_to(ROOT).as_posix(), verb)
        for folder in ("stackctl", "agent")
        for path in (ROOT / folder).rglob("*.py")
        for verb in ADVISED.findall(path.read_text())
    }
    assert ("stackctl/manager/join_tokens.py", "join-token") in advised
    assert sorted(pair for pair in advised if pair[1] not in ENTRIES) == []
