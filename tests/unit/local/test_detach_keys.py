"""The keys that leave a container."""

import pytest

from stackctl.errors import InputError
from stackctl.local.streams.detach_keys import Typed, parse_detach_keys


def test_the_sequence_detaches_and_is_not_passed_on() -> None:
    keys = parse_detach_keys("ctrl-p,ctrl-q")
    assert keys.feed(b"ab\x10") == Typed(b"ab", detaches=False)
    assert keys.feed(b"\x11cd") == Typed(b"", detaches=True)


def test_keys_held_back_are_passed_on_when_it_was_not_the_sequence() -> None:
    keys = parse_detach_keys("ctrl-p,ctrl-q")
    assert keys.feed(b"\x10") == Typed(b"", detaches=False)
    assert keys.feed(b"x") == Typed(b"\x10x", detaches=False)
    assert keys.feed(b"\x10\x10\x11") == Typed(b"\x10", detaches=True)


def test_without_keys_everything_passes() -> None:
    assert parse_detach_keys("").feed(b"\x10\x11") == Typed(b"\x10\x11", detaches=False)


@pytest.mark.parametrize(
    ("text", "typed"), [("a,b", b"ab"), ("ctrl-@", b"\0"), ("ctrl-]", b"\x1d")]
)
def test_letters_and_signs_are_keys(text: str, typed: bytes) -> None:
    assert parse_detach_keys(text).feed(typed).detaches


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ab", "a,,b", "strg-p"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="are no keys to detach with"):
        parse_detach_keys(text)
