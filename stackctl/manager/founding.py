"""Founding: a node that begins a cluster makes its keys, its own certificate, and the ids.

Interrupted founding starts over: identity.json is written last, and only its presence counts.
"""

import logging

from stackctl.manager import certificates, clock, cluster_tokens, vault
from stackctl.manager.certificates import Subject
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.identity import IdentityDirectory
from stackctl.manager.node_identity import InitialMember, NodeIdentity, write_identity
from stackctl.manager.settings import Settings
from stackctl.model.objects import NodeRole
from stackctl.state import commands

_log = logging.getLogger(__name__)


def create_identity(settings: Settings) -> NodeIdentity:
    """The identity of the first manager of a new cluster. Raises OSError."""
    node_id, cluster_id = clock.new_id(), clock.new_id()
    authority = certificates.create_cluster_authority()
    key_pem = certificates.create_key()
    certificate_pem = certificates.issue_for_key(
        key_pem,
        authority=authority,
        subject=Subject(node_id=node_id, role="manager", cluster_id=cluster_id),
    )
    directory = IdentityDirectory(settings.identity_dir)
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=authority.key_pem)
    directory.write_data_key(vault.new_data_key())
    directory.write_node(certificate_pem=certificate_pem, key_pem=key_pem)
    identity = NodeIdentity(
        node_id=node_id,
        cluster_id=cluster_id,
        role="manager",
        managers=(settings.api_address,),
        members=(InitialMember(node_id=node_id, address=settings.raft_address),),
    )
    write_identity(settings.identity_dir, identity)
    _log.info("founded cluster %s with this node as %s", cluster_id, node_id)
    return identity


async def write_first_entries(
    cluster: ReplicatedCluster, *, identity: NodeIdentity, settings: Settings, now: float
) -> None:
    """The cluster and its first node enter the log, unless they are there already.

    Raises ClusterUnavailable.
    """
    state = await cluster.read()
    if state.cluster is None:
        directory = IdentityDirectory(settings.identity_dir)
        await cluster.propose(
            cluster_tokens.init_command(
                cluster_id=identity.cluster_id,
                authority_pem=directory.read(directory.ca_path),
                now=now,
            )
        )
    if identity.node_id not in state.nodes:
        await cluster.propose(
            commands.PutNode(
                node_id=identity.node_id,
                role=NodeRole.MANAGER,
                hostname=settings.hostname,
                now=now,
            )
        )
