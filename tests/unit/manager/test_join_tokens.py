"""Join tokens: made, copied, checked, refused with a reason that tells no secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import Denied, InputError
from stackctl.manager import certificates, join_tokens
from stackctl.wire import join_token
from stackctl.wire.join_token import JoinToken


@pytest.fixture(scope="module")
def authority_pem() -> bytes:
    return certificates.create_cluster_authority().certificate_pem


@given(digest=st.binary(min_size=32, max_size=32), secret=st.binary(min_size=16, max_size=16))
def test_a_token_survives_being_written_down(digest: bytes, secret: bytes) -> None:
    token = JoinToken(authority_digest=digest, secret=secret)
    text = join_token.render_join_token(token)
    assert join_token.parse_join_token(f"  {text}\n") == token
    assert len(text) == len("SCTKN-1-") + 50 + 1 + 25


def test_a_token_names_its_clusters_authority(authority_pem: bytes) -> None:
    token = join_token.parse_join_token(join_tokens.create_join_token(authority_pem))
    assert token.is_for_authority(certificates.pem_to_der(authority_pem))
    other = certificates.create_cluster_authority().certificate_pem
    assert not token.is_for_authority(certificates.pem_to_der(other))


def test_two_tokens_of_a_cluster_differ_in_their_secret_only(authority_pem: bytes) -> None:
    one, other = (
        join_token.parse_join_token(join_tokens.create_join_token(authority_pem)) for _ in range(2)
    )
    assert one.authority_digest == other.authority_digest
    assert one.secret != other.secret


VALID = join_token.render_join_token(JoinToken(authority_digest=bytes(32), secret=bytes(16)))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has the form"),
        ("hello", "has the form"),
        (VALID.rsplit("-", 1)[0], "has the form"),
        (VALID.replace("SCTKN-1", "SCTKN-2"), "version 2"),
        (VALID[:-1], "secret of the join token has 24 characters"),
        (VALID.replace("SCTKN-1-0", "SCTKN-1-"), "digest of the join token has 49 characters"),
        (VALID[:-1] + "A", "other than a-z and 0-9"),
        (VALID[:-25] + "z" * 25, "not one that we made"),
        ("SWMTKN-1-abc-def", "Docker Swarm"),
    ],
)
def test_a_mangled_token_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as refusal:
        join_token.parse_join_token(text)
    assert refusal.value.hint


@given(text=st.text(max_size=100))
def test_any_text_is_a_token_or_an_input_error(text: str) -> None:
    try:
        join_token.parse_join_token(text)
    except InputError:
        return


def test_a_token_admits_to_its_role(authority_pem: bytes) -> None:
    worker, manager = (join_tokens.create_join_token(authority_pem) for _ in range(2))
    for presented, role in ((worker, "worker"), (manager, "manager"), (f" {manager}\n", "manager")):
        assert (
            join_tokens.role_of_token(presented, worker_token=worker, manager_token=manager) == role
        )


def test_an_unknown_token_is_denied_without_saying_what_was_near(authority_pem: bytes) -> None:
    worker, manager, rotated = (join_tokens.create_join_token(authority_pem) for _ in range(3))
    for presented in (rotated, "hello"):
        with pytest.raises(Denied, match="refused") as refusal:
            join_tokens.role_of_token(presented, worker_token=worker, manager_token=manager)
        assert worker not in str(refusal.value)
        assert presented.rsplit("-", 1)[-1] not in str(refusal.value) or presented == "hello"


def test_a_token_never_shows_its_secret() -> None:
    token = JoinToken(authority_digest=bytes(32), secret=b"\xaa" * 16)
    assert "aa" * 4 not in repr(token)
    assert "\\xaa" not in repr(token)
