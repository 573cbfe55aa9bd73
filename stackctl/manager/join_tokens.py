"""Making and checking join tokens; what a token looks like is `wire/join_token.py`.

A cluster has two tokens at a time, one admits workers, one managers. Both are compared in constant
time and always both, so that an answer's duration tells nothing about either.
"""

import hmac
import secrets

from stackctl.errors import Denied, InputError
from stackctl.manager import certificates
from stackctl.manager.identity import Role
from stackctl.wire import join_token


def create_join_token(authority_pem: bytes) -> str:
    """A new token for the cluster of that authority, with a fresh secret."""
    return join_token.render_join_token(
        join_token.JoinToken(
            authority_digest=join_token.digest_of_authority(certificates.pem_to_der(authority_pem)),
            secret=secrets.token_bytes(join_token.SECRET_BYTES),
        )
    )


def role_of_token(presented: str, *, worker_token: str, manager_token: str) -> Role:
    """What the presented token admits to. Raises Denied, which never says what was nearly right."""
    try:
        canonical = join_token.render_join_token(join_token.parse_join_token(presented))
    except InputError as error:
        raise Denied(f"the join token was refused: {error.message}", hint=error.hint) from error
    is_worker = hmac.compare_digest(canonical, worker_token)
    is_manager = hmac.compare_digest(canonical, manager_token)
    if is_manager:
        return "manager"
    if is_worker:
        return "worker"
    raise Denied(
        "the join token was refused: it is not a token of this cluster, or it was rotated",
        hint="'stackctl join-token worker' on a manager prints the valid one",
    )
