"""Join tokens: read as written, and a mistake in copying is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import InputError
from stackctl.wire import join_token
from stackctl.wire.join_token import JoinToken

TOKEN = JoinToken(authority_digest=b"\x01" * 32, secret=b"\x02" * 16)


@given(digest=st.binary(min_size=32, max_size=32), secret=st.binary(min_size=16, max_size=16))
def test_a_token_is_read_as_written(digest: bytes, secret: bytes) -> None:
    token = JoinToken(authority_digest=digest, secret=secret)
    assert join_token.parse_join_token(join_token.render_join_token(token)) == token


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _text: "SWMTKN-1-abc-def", "Docker Swarm"),
        (lambda _text: "", "has the form"),
        (lambda text: text.replace("-1-", "-2-"), "version 2"),
        (lambda text: text[:-1], "24 characters instead of 25"),
        (lambda text: text[:-1] + "A", "other than a-z"),
        (lambda text: text[:-25] + "z" * 25, "not one that we made"),
    ],
)
def test_a_mistake_is_named_and_the_secret_is_not(change: object, reason: str) -> None:
    text = join_token.render_join_token(TOKEN)
    assert callable(change)
    with pytest.raises(InputError, match=reason) as caught:
        join_token.parse_join_token(change(text))
    assert text[-20:] not in str(caught.value)


def test_the_representation_keeps_the_secret() -> None:
    assert "02" not in repr(TOKEN)


def test_a_token_knows_its_cluster() -> None:
    token = JoinToken(
        authority_digest=join_token.digest_of_authority(b"certificate"), secret=b"\0" * 16
    )
    assert token.is_for_authority(b"certificate")
    assert not token.is_for_authority(b"another")
