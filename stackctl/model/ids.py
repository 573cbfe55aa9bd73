"""Identifiers: 25 characters of lower-case base 36, as Swarm prints them (cut to 12 in tables).

Ids are made at the edge from random bytes and travel inside commands; nothing pure invents one.
"""

import hashlib

ID_LENGTH = 25
SHORT_ID_LENGTH = 12
RANDOM_BYTES_PER_ID = 16

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def encode_id(random_bytes: bytes) -> str:
    """The id for 16 random bytes; the same bytes always give the same id."""
    number = int.from_bytes(random_bytes, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits)).rjust(ID_LENGTH, "0")[-ID_LENGTH:]


def short_id(object_id: str) -> str:
    """The first twelve characters, which is what tables show."""
    return object_id[:SHORT_ID_LENGTH]


def derive_id(seed: bytes, *parts: str) -> str:
    """An id that depends on nothing but the seed and the parts.

    A command carries one random seed; whoever applies it derives the same ids from it.
    """
    digest = hashlib.sha256(seed)
    for part in parts:
        digest.update(b"\0" + part.encode())
    return encode_id(digest.digest()[:RANDOM_BYTES_PER_ID])
