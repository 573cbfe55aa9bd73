"""The wire form of protocol buffers: what is written is read, and what is cut off is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.local.building.protobuf import Message, encode


def test_a_known_message_has_its_known_bytes() -> None:
    assert encode((1, 150), (2, "testing"), (3, encode((1, 1)))) == bytes.fromhex(
        "089601 120774657374696e67 1a020801"
    )


@given(st.integers(0, 2**64 - 1), st.binary(), st.text())
def test_what_is_written_is_read(number: int, content: bytes, text: str) -> None:
    found = Message(encode((1, number), (2, content), (300, text)))
    assert (found.number(1), found.content(2), found.text(300)) == (number, content, text)


def test_what_is_missing_is_empty_and_the_last_value_counts() -> None:
    found = Message(encode((1, 1), (1, 2), (2, encode((1, 3))), (2, encode((1, 4)))))
    assert (found.number(1), found.number(9), found.text(9)) == (2, 0, "")
    assert [it.number(1) for it in found.messages(2)] == [3, 4]
    assert 2 in found
    assert 9 not in found


def test_fixed_fields_are_read_over() -> None:
    content = b"\x09" + bytes(8) + b"\x15" + (7).to_bytes(4, "little") + encode((3, 5))
    assert (Message(content).number(2), Message(content).number(3)) == (7, 5)


@pytest.mark.parametrize("content", [b"\x08", b"\x12\x05ab", b"\x0b", b"\xff" * 11, b"\x09\0"])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|kind"):
        Message(content)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        Message(content)
