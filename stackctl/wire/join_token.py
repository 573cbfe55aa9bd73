"""Join tokens: `SCTKN-1-<digest of the cluster's authority>-<secret>`, both in base 36.

The digest lets the joiner check that it talks to the right cluster before it tells the secret; the
secret lets the manager check the joiner. Pure, so that agents can read tokens too; creating and
comparing them is `manager/join_tokens.py`.
"""

import hashlib

import msgspec

from stackctl.errors import InputError

DIGEST_BYTES = 32
SECRET_BYTES = 16

_PREFIX = "SCTKN"
_VERSION = "1"
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_DIGEST_CHARACTERS = 50
_SECRET_CHARACTERS = 25
_HINT = "copy the whole token; 'stackctl join-token worker' prints it on a manager"


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `secret` opens the cluster: never log it."""

    authority_digest: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"JoinToken({self.authority_digest.hex()[:12]}…)"

    def is_for_authority(self, certificate_der: bytes) -> bool:
        """Whether this is the cluster that the token was made for."""
        return digest_of_authority(certificate_der) == self.authority_digest


def digest_of_authority(certificate_der: bytes) -> bytes:
    """The digest of a cluster authority's certificate that tokens carry."""
    return hashlib.sha256(certificate_der).digest()


def render_join_token(token: JoinToken) -> str:
    """The token as people copy it."""
    digest = _to_base36(token.authority_digest, _DIGEST_CHARACTERS)
    secret = _to_base36(token.secret, _SECRET_CHARACTERS)
    return f"{_PREFIX}-{_VERSION}-{digest}-{secret}"


def parse_join_token(text: str) -> JoinToken:
    """What a token says. Raises InputError; the message never repeats the secret."""
    parts = text.strip().split("-")
    if parts[0].startswith("SWMTKN"):
        raise InputError("this is a join token of Docker Swarm, not of stackctl", hint=_HINT)
    if parts[0] != _PREFIX or len(parts) != 4:
        raise InputError(
            f"a join token has the form {_PREFIX}-{_VERSION}-DIGEST-SECRET, this one does not",
            hint=_HINT,
        )
    _, version, digest, secret = parts
    if version != _VERSION:
        raise InputError(
            f"join token of version {version}; this stackctl knows version {_VERSION}",
            hint="install the version of stackctl that the managers run",
        )
    return JoinToken(
        authority_digest=_from_base36(digest, _DIGEST_CHARACTERS, DIGEST_BYTES, "digest"),
        secret=_from_base36(secret, _SECRET_CHARACTERS, SECRET_BYTES, "secret"),
    )


def _to_base36(content: bytes, characters: int) -> str:
    number = int.from_bytes(content, "big")
    digits: list[str] = []
    for _ in range(characters):
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _from_base36(text: str, characters: int, length: int, part: str) -> bytes:
    if len(text) != characters:
        raise InputError(
            f"the {part} of the join token has {len(text)} characters instead of {characters}",
            hint=_HINT,
        )
    if not set(text) <= set(_ALPHABET):
        raise InputError(
            f"the {part} of the join token has characters other than a-z and 0-9", hint=_HINT
        )
    number = int(text, 36)
    if number >= 1 << (8 * length):
        raise InputError(f"the {part} of the join token is not one that we made", hint=_HINT)
    return number.to_bytes(length, "big")
