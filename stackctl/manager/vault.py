"""Sealing secrets: what enters the log, the journal and snapshots can be opened by managers only.

Every manager has the cluster's data key, 32 bytes beside the authority's key. Two keys are derived
from it: one seals (AES-256-GCM with a random nonce), one makes digests (HMAC-SHA256). The digest
depends on name and content alone, on whichever manager: that is how an unchanged secret is
recognised, although sealing it twice gives different bytes. A sealed content opens only for the
stack, name and digest that it was sealed for, so that contents cannot be exchanged in the state.

A sealed content is: version of this format (1 byte), check of the key (4), nonce (12), ciphertext.
The check tells a foreign key from damaged bytes.
"""

import functools
import hashlib
import hmac
import secrets
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stackctl.errors import InputError
from stackctl.manager.identity import IdentityDirectory, IdentityUnusable
from stackctl.model import objects, specs

KEY_BYTES = 32
SECRET_BYTES_MAX = 500 << 10  # as Swarm; larger ones would also make the log's entries too large
FORMAT_VERSION = 1

_CHECK_BYTES = 4
_NONCE_BYTES = 12
_HEAD_BYTES = 1 + _CHECK_BYTES + _NONCE_BYTES


def new_data_key() -> bytes:
    """The data key of a new cluster."""
    return secrets.token_bytes(KEY_BYTES)


def read_data_key(directory: IdentityDirectory) -> bytes:
    """The data key that this manager holds. Raises IdentityUnusable."""
    path = directory.data_key_path
    if not path.exists():
        raise IdentityUnusable(
            f"{path} is missing: this manager can neither seal nor open secrets",
            hint="copy it from another manager; a cluster founded before there were secrets has"
            " none: write the output of 'openssl rand -hex 32' there on every manager",
        )
    try:
        data_key = bytes.fromhex(directory.read(path).decode("ascii"))
    except ValueError as error:
        raise IdentityUnusable(f"{path} is damaged: no hexadecimal number") from error
    if len(data_key) != KEY_BYTES:
        raise IdentityUnusable(f"{path} is damaged: {len(data_key)} bytes, not {KEY_BYTES}")
    return data_key


class Vault:
    """Seals and opens the cluster's secrets."""

    def __init__(
        self,
        data_key: Callable[[], bytes],
        *,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`data_key` is asked when there is the first secret; it may raise IdentityUnusable.

        `random_bytes` makes nonces: the same one twice would give the sealing key away.
        """
        self._data_key = data_key
        self._random_bytes = random_bytes

    def seal_stack(
        self, spec: specs.StackSpec
    ) -> tuple[specs.StackSpec, tuple[objects.SealedContent, ...]]:
        """The stack without the contents of its secrets, and those sealed.

        Raises InputError for a content that is too large, IdentityUnusable without a data key.
        """
        sealed = tuple(self._seal(secret, stack_name=spec.name) for secret in spec.secrets)
        bare = tuple(msgspec.structs.replace(secret, content=b"") for secret in spec.secrets)
        return msgspec.structs.replace(spec, secrets=bare), sealed

    def open(self, secret: objects.Secret) -> bytes:
        """The content of a secret. Raises IdentityUnusable when this data key does not open it."""
        content, keys = secret.content, self._keys
        sealed = content.sealed
        if sealed[:1] != bytes([FORMAT_VERSION]) or len(sealed) < _HEAD_BYTES:
            raise IdentityUnusable(
                f"secret {secret.name} is sealed in a form that this version does not know"
            )
        if sealed[1 : 1 + _CHECK_BYTES] != keys.check:
            raise IdentityUnusable(
                f"secret {secret.name} was sealed with another data key than this manager's",
                hint="copy data.key from another manager of the cluster",
            )
        bound = _bound_to(stack_name=secret.stack_name, name=secret.name, digest=content.digest)
        try:
            return AESGCM(keys.sealing).decrypt(
                sealed[1 + _CHECK_BYTES : _HEAD_BYTES], sealed[_HEAD_BYTES:], bound
            )
        except InvalidTag as error:
            raise IdentityUnusable(
                f"secret {secret.name} of stack {secret.stack_name} is damaged"
            ) from error

    def _seal(self, secret: specs.SecretSpec, *, stack_name: str) -> objects.SealedContent:
        if len(secret.content) > SECRET_BYTES_MAX:
            raise InputError(
                f"secret {secret.name} has {len(secret.content)} bytes,"
                f" the most is {SECRET_BYTES_MAX}",
                hint="keep large files in a volume",
            )
        keys = self._keys
        named = msgspec.msgpack.encode((secret.name, secret.content))
        digest = hmac.digest(keys.digesting, named, "sha256").hex()
        nonce = self._random_bytes(_NONCE_BYTES)
        bound = _bound_to(stack_name=stack_name, name=secret.name, digest=digest)
        ciphertext = AESGCM(keys.sealing).encrypt(nonce, secret.content, bound)
        return objects.SealedContent(
            name=secret.name,
            sealed=bytes([FORMAT_VERSION]) + keys.check + nonce + ciphertext,
            digest=digest,
        )

    @functools.cached_property
    def _keys(self) -> "_Keys":
        return _Keys(self._data_key())


class _Keys:
    """What follows from the data key."""

    def __init__(self, data_key: bytes) -> None:
        self.sealing = hmac.digest(data_key, b"stackctl: sealing of secrets", "sha256")
        self.digesting = hmac.digest(data_key, b"stackctl: digests of secrets", "sha256")
        self.check = hashlib.sha256(self.sealing).digest()[:_CHECK_BYTES]


def _bound_to(*, stack_name: str, name: str, digest: str) -> bytes:
    return msgspec.msgpack.encode((stack_name, name, digest))
