"""The join tokens of this cluster, rendered from what the replicated state keeps of them."""

import secrets
from typing import NamedTuple

from stackctl.manager import certificates
from stackctl.model import objects
from stackctl.state.commands import InitCluster
from stackctl.wire import join_token


class ClusterTokens(NamedTuple):
    """What people paste into the command that joins a node."""

    worker: str
    manager: str


def tokens_of(cluster: objects.Cluster) -> ClusterTokens:
    """The valid tokens of a cluster."""
    digest = bytes.fromhex(cluster.authority_digest)
    return ClusterTokens(
        worker=_render(digest, cluster.worker_secret),
        manager=_render(digest, cluster.manager_secret),
    )


def init_command(*, cluster_id: str, authority_pem: bytes, now: float) -> InitCluster:
    """The first command of a new cluster, with fresh secrets for its tokens."""
    digest = join_token.digest_of_authority(certificates.pem_to_der(authority_pem))
    return InitCluster(
        cluster_id=cluster_id,
        worker_secret=secrets.token_hex(join_token.SECRET_BYTES),
        manager_secret=secrets.token_hex(join_token.SECRET_BYTES),
        authority_digest=digest.hex(),
        now=now,
    )


def _render(digest: bytes, secret: str) -> str:
    return join_token.render_join_token(
        join_token.JoinToken(authority_digest=digest, secret=bytes.fromhex(secret))
    )
