"""How a node becomes a member: a key of its own, a join token, and a certificate in return.

The token carries a digest of the cluster's authority. The joiner first looks at the certificates
that the server shows, without trusting any, and picks the one with that digest; then it connects
again, verifying the server against it, and only then tells the token. Whoever merely listens at the
address learns nothing.

On a manager's node the manager writes the same files; its agent waits for them.
"""

import http.client
import json
import logging
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.drivers import disk
from agent.settings import Settings
from stackctl.errors import ClusterUnavailable, Denied, InputError, StackctlError
from stackctl.wire import codec
from stackctl.wire.agent_protocol import JoinRequest, JoinResponse
from stackctl.wire.api import ErrorBody
from stackctl.wire.join_token import JoinToken, parse_join_token

TRY_SECONDS = 5.0
ENROL_SECONDS = 30.0
PAUSE_SECONDS = 0.5
JOIN_PATH = "/v1/join"

_log = logging.getLogger(__name__)


class Unreachable(Exception):
    """This manager cannot enrol us now; the message says why."""


def enrol(settings: Settings) -> None:
    """Become a member with the token and addresses of the settings; writes the identity files.

    Raises InputError for a token that is none, Denied when the cluster refuses, ClusterUnavailable
    when no manager answers in time.
    """
    token = parse_join_token(settings.join_token)
    if not settings.join_addresses:
        raise InputError("a join token needs the address of a manager", hint="--join IP:2477")
    key = ec.generate_private_key(ec.SECP256R1())
    request = JoinRequest(
        token=settings.join_token,
        hostname=settings.hostname,
        certificate_request=_signing_request(key, settings.hostname),
    )
    response = _ask_managers(settings.join_addresses, token, request)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_identity(settings.identity_dir, response, key_pem)
    _log.info("enrolled as node %s of cluster %s", response.node_id, response.cluster_id)


def _signing_request(key: ec.EllipticCurvePrivateKey, hostname: str) -> str:
    # The name is for people who read the request; the authority decides what it certifies.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _ask_managers(
    addresses: tuple[str, ...], token: JoinToken, request: JoinRequest
) -> JoinResponse:
    deadline = time.monotonic() + ENROL_SECONDS
    while True:
        reasons = []
        for address in addresses:
            try:
                return _ask(address, token, request)
            except Unreachable as error:
                reasons.append(f"{address}: {error}")
        if time.monotonic() > deadline:
            raise ClusterUnavailable(
                f"no manager could be asked to join ({'; '.join(reasons)})",
                hint="check the address and that the managers run",
            )
        _log.warning("cannot join yet: %s", "; ".join(reasons))
        time.sleep(PAUSE_SECONDS)


def _ask(address: str, token: JoinToken, request: JoinRequest) -> JoinResponse:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"{address} is no address of a manager", hint="--join IP:2477")
    authority = _fetch_authority(host, int(port), token)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(authority))
    connection = http.client.HTTPSConnection(
        host, int(port), timeout=ENROL_SECONDS, context=context
    )
    try:
        connection.request(
            "POST",
            JOIN_PATH,
            body=codec.to_json(request),
            headers={"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        return _read_answer(address, answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _fetch_authority(host: str, port: int, token: JoinToken) -> bytes:
    """The authority's certificate (DER) among those the server shows. Raises Denied without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Nothing is told on this connection; whom to trust is decided by the token's digest below.
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=TRY_SECONDS) as plain,
            context.wrap_socket(plain) as secure,
        ):
            shown = _shown_certificates(secure)
    except OSError as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    for certificate in shown:
        if token.is_for_authority(certificate):
            return certificate
    raise Denied(
        f"{host}:{port} does not belong to the cluster of this join token",
        hint="the token of the cluster is printed by 'stackctl join-token worker' on a manager",
    )


def _shown_certificates(secure: ssl.SSLSocket) -> list[bytes]:
    read: Any = getattr(secure, "get_unverified_chain", None)
    if read is not None:
        return [bytes(certificate) for certificate in read()]
    # Python before 3.13 has the chain only on the private object beneath; without it a joiner
    # could not see the authority at all.
    inner: Any = secure._sslobj  # type: ignore[attr-defined]  # noqa: SLF001  # see above
    return [
        ssl.PEM_cert_to_DER_cert(certificate.public_bytes())
        for certificate in inner.get_unverified_chain() or ()
    ]


def _read_answer(address: str, status: int, body: bytes) -> JoinResponse:
    try:
        if status < 400:
            return codec.from_json(body, JoinResponse)
        error = codec.from_json(body, ErrorBody)
    except codec.Undecodable as problem:
        raise Unreachable(f"its answer ({status}) is unreadable: {problem}") from problem
    if status >= 500:
        raise Unreachable(error.message)
    if status == 403:
        raise Denied(error.message, hint=error.hint or None)
    raise StackctlError(f"{address} refused to enrol this node: {error.message}")


def _write_identity(folder: Path, response: JoinResponse, key_pem: bytes) -> None:
    """The files, identity.json last: it says that the others are complete."""
    disk.write_whole(folder / "node.key", key_pem, durable=True)
    disk.write_whole(folder / "node.pem", response.certificate.encode("ascii"), durable=True)
    disk.write_whole(folder / "ca.pem", response.authority.encode("ascii"), durable=True)
    identity = {
        "node_id": response.node_id,
        "cluster_id": response.cluster_id,
        "role": response.role.value,
        "managers": list(response.managers),
    }
    content = msgspec.json.format(json.dumps(identity).encode("utf-8"), indent=2)
    disk.write_whole(folder / "identity.json", content, durable=True)
