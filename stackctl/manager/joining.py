"""Joining: a node that becomes a manager of an existing cluster.

In this order: find the cluster's authority by the digest in the token, tell the token over a
connection that this authority vouches for, keep what comes back, start the replicated log with the
members that were named, and ask them to be let in. Only the first two steps need the token; a
manager that is interrupted later goes on from what it has kept.
"""

import http.client
import logging
import socket
import ssl
import time
from typing import Any

from stackctl.errors import ClusterUnavailable, Denied, StackctlError
from stackctl.manager import certificates, identity
from stackctl.manager.identity import IdentityDirectory
from stackctl.manager.node_identity import InitialMember, NodeIdentity, write_identity
from stackctl.manager.raft.addresses import split_address
from stackctl.manager.settings import Settings
from stackctl.model.objects import NodeRole
from stackctl.wire import api, codec
from stackctl.wire.agent_protocol import JoinRequest, JoinResponse
from stackctl.wire.join_token import JoinToken, parse_join_token

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
ENROL_SECONDS = 60.0
PAUSE_SECONDS = 0.5

_log = logging.getLogger(__name__)


def enrol(settings: Settings) -> NodeIdentity:
    """Becomes a member with the token of the settings. Blocks; raises StackctlError."""
    token = parse_join_token(settings.join_token)
    key_pem = certificates.create_key()
    request = JoinRequest(
        token=settings.join_token,
        hostname=settings.hostname,
        certificate_request=certificates.create_request(
            key_pem, node_id=settings.hostname
        ).decode(),
        raft_address=settings.raft_address,
    )
    response = _ask_any(settings.join, token, request)
    if response.role != NodeRole.MANAGER:
        raise Denied(
            "this is a token for workers, a manager needs the one for managers",
            hint="'stackctl join-token manager' prints it on a manager",
        )
    return _keep(settings, response, key_pem)


def _keep(settings: Settings, response: JoinResponse, key_pem: bytes) -> NodeIdentity:
    directory = IdentityDirectory(settings.identity_dir)
    directory.write_authority(
        certificate_pem=response.authority.encode(), key_pem=response.authority_key.encode()
    )
    if response.data_key:  # a cluster that was founded by an older version may have none
        directory.write_data_key(bytes.fromhex(response.data_key))
    directory.write_node(certificate_pem=response.certificate.encode(), key_pem=key_pem)
    members = [InitialMember(node_id=key, address=address) for key, address in response.members]
    members.append(InitialMember(node_id=response.node_id, address=settings.raft_address))
    joined = NodeIdentity(
        node_id=response.node_id,
        cluster_id=response.cluster_id,
        role="manager",
        managers=(settings.api_address, *response.managers),
        members=tuple(members),
    )
    write_identity(settings.identity_dir, joined)
    _log.info("enrolled as manager %s of cluster %s", joined.node_id, joined.cluster_id)
    return joined


def _ask_any(addresses: tuple[str, ...], token: JoinToken, request: JoinRequest) -> JoinResponse:
    deadline = time.monotonic() + ENROL_SECONDS
    while True:
        reasons: list[str] = []
        for address in addresses:
            try:
                return _ask(address, token, request)
            except ClusterUnavailable as error:
                reasons.append(f"{address}: {error}")
        if time.monotonic() > deadline:
            raise ClusterUnavailable(
                f"no manager could be asked to join ({'; '.join(reasons)})",
                hint="check the address, and that the managers run",
            )
        _log.warning("cannot join yet: %s", "; ".join(reasons))
        time.sleep(PAUSE_SECONDS)


def _ask(address: str, token: JoinToken, request: JoinRequest) -> JoinResponse:
    host, port = split_address(address)
    authority = _find_authority(host, port, token)
    context = _client_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(authority))
    connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS, context=context)
    try:
        connection.connect()
        _check_is_manager(connection.sock, address)
        connection.request(
            "POST",
            "/v1/join",
            body=codec.to_json(request),
            headers={"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        return _read_answer(address, answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise ClusterUnavailable(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _find_authority(host: str, port: int, token: JoinToken) -> bytes:
    """The certificate (DER) of the cluster that the token is for, among those the server shows."""
    context = _client_context()
    # Nothing is told on this connection; whom to trust is settled by the token's digest.
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=CONNECT_SECONDS) as plain,
            context.wrap_socket(plain) as secure,
        ):
            shown = _shown_certificates(secure)
    except OSError as error:
        raise ClusterUnavailable(str(error) or type(error).__name__) from error
    for certificate in shown:
        if token.is_for_authority(certificate):
            return certificate
    raise Denied(
        f"{host}:{port} is not of the cluster that this join token is for",
        hint="'stackctl join-token manager' on a manager prints the cluster's token",
    )


def _shown_certificates(secure: ssl.SSLSocket) -> list[bytes]:
    public: Any = getattr(secure, "get_unverified_chain", None)
    if public is not None:
        return [bytes(certificate) for certificate in public()]
    # Before Python 3.13 only the object beneath the socket has the chain.
    beneath: Any = secure._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    chain = beneath.get_unverified_chain() or ()
    return [ssl.PEM_cert_to_DER_cert(certificate.public_bytes()) for certificate in chain]


def _check_is_manager(secure: Any, address: str) -> None:
    if identity.peer_identity(secure.getpeercert()).role != "manager":
        raise Denied(f"{address} is not a manager: its certificate does not say so")


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _read_answer(address: str, status: int, body: bytes) -> JoinResponse:
    try:
        if status < 400:
            return codec.from_json(body, JoinResponse)
        error = codec.from_json(body, api.ErrorBody)
    except codec.Undecodable as problem:
        raise ClusterUnavailable(f"unreadable answer ({status}): {problem}") from problem
    if status >= 500:
        raise ClusterUnavailable(error.message, hint=error.hint or None)
    if status == 403:
        raise Denied(error.message, hint=error.hint or None)
    raise StackctlError(f"{address} refused to enrol this node: {error.message}")
