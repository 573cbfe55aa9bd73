"""Enrolment: a token and a signing request in, a certificate out.

The joiner finds the cluster's authority among the certificates that this server shows, checks its
digest against its token, and only then tells the token, over a connection that this authority
vouches for.
"""

import re

from stackctl.errors import Denied, InputError
from stackctl.manager import certificates, clock, cluster_tokens, join_tokens
from stackctl.manager.calls import Call
from stackctl.manager.certificates import Authority, Subject
from stackctl.manager.identity import IdentityDirectory
from stackctl.manager.parts import Parts
from stackctl.model.objects import NodeRole
from stackctl.model.structs import Model, StrictModel
from stackctl.state import commands
from stackctl.wire.agent_protocol import JoinRequest, JoinResponse

_HOSTNAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
TOKENS_LATER = "the cluster is still being founded, try again in a moment"


class RenewRequest(StrictModel, frozen=True, kw_only=True):
    """A node asks for a new certificate for the key in this signing request, PEM."""

    certificate_request: str


class RenewResponse(Model, frozen=True, kw_only=True):
    """The new certificate, PEM."""

    certificate: str


async def join(parts: Parts, call: Call) -> JoinResponse:
    """Admits a node."""
    request: JoinRequest = call.body
    state = await parts.cluster.read()
    if state.cluster is None:
        raise Denied(TOKENS_LATER)
    tokens = cluster_tokens.tokens_of(state.cluster)
    role = join_tokens.role_of_token(
        request.token, worker_token=tokens.worker, manager_token=tokens.manager
    )
    if not _HOSTNAME.fullmatch(request.hostname):
        raise InputError(
            f"{request.hostname[:64]!r} is no host name: letters, digits, hyphens and dots are"
        )
    if role == "manager" and not request.raft_address:
        raise InputError("a manager token was given, but no address for the other managers")
    node_id = clock.new_id()
    directory = IdentityDirectory(parts.settings.identity_dir)
    authority = _authority(directory)
    data_key = ""
    if directory.data_key_path.exists():
        data_key = directory.read(directory.data_key_path).decode()
    certificate = certificates.sign_request(
        request.certificate_request.encode(),
        authority=authority,
        subject=Subject(node_id=node_id, role=role, cluster_id=parts.identity.cluster_id),
    )
    await parts.cluster.propose(
        commands.PutNode(
            node_id=node_id,
            role=NodeRole(role),
            hostname=request.hostname,
            now=parts.clock.now(),
        )
    )
    is_manager = role == "manager"
    return JoinResponse(
        node_id=node_id,
        cluster_id=parts.identity.cluster_id,
        role=NodeRole(role),
        certificate=certificate.decode(),
        authority=authority.certificate_pem.decode(),
        authority_key=authority.key_pem.decode() if is_manager else "",
        data_key=data_key if is_manager else "",
        managers=tuple(parts.cluster.api_addresses().values()),
        members=_members(parts) if is_manager else (),
    )


async def renew(parts: Parts, call: Call) -> RenewResponse:
    """A fresh certificate for a node that still has a valid one."""
    request: RenewRequest = call.body
    state = await parts.cluster.read()
    node = state.nodes.get(call.caller.node_id)
    if node is None:
        raise Denied(f"{call.caller.node_id or 'the caller'} is no node of this cluster")
    certificate = certificates.sign_request(
        request.certificate_request.encode(),
        authority=_authority(IdentityDirectory(parts.settings.identity_dir)),
        subject=Subject(
            node_id=node.id, role=node.role.value, cluster_id=parts.identity.cluster_id
        ),
    )
    return RenewResponse(certificate=certificate.decode())


def _authority(directory: IdentityDirectory) -> Authority:
    return Authority(
        certificate_pem=directory.read(directory.ca_path),
        key_pem=directory.read(directory.ca_key_path),
    )


def _members(parts: Parts) -> tuple[tuple[str, str], ...]:
    return tuple((member.node_id, member.address) for member in parts.cluster.consensus.members())
