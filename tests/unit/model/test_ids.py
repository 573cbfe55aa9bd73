"""Ids are made of bytes, always the same from the same."""

import string

from hypothesis import given
from hypothesis import strategies as st

from stackctl.model import ids
from stackctl.model.assignment import mac_address


@given(st.binary(min_size=16, max_size=16))
def test_an_id_is_25_characters_of_base_36(random_bytes: bytes) -> None:
    made = ids.encode_id(random_bytes)
    assert len(made) == ids.ID_LENGTH
    assert set(made) <= set(string.digits + string.ascii_lowercase)
    assert int(made, 36) == int.from_bytes(random_bytes, "big")


@given(st.binary(max_size=40), st.lists(st.text(max_size=5), max_size=3))
def test_a_derived_id_depends_on_the_seed_and_every_part(seed: bytes, parts: list[str]) -> None:
    assert ids.derive_id(seed, *parts) == ids.derive_id(seed, *parts)
    assert ids.derive_id(seed, *parts) != ids.derive_id(seed, *parts, "more")
    assert ids.derive_id(seed, "a", "b") != ids.derive_id(seed, "ab")


def test_tables_show_twelve_characters() -> None:
    assert ids.short_id("0123456789abcdefghijklmno") == "0123456789ab"


def test_an_address_has_one_mac_address() -> None:
    assert mac_address("10.64.0.255") == "02:42:0a:40:00:ff"
