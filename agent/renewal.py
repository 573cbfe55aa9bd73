"""A fresh certificate before the old one ends: `python -m agent.renewal FOLDER MANAGER…`.

The agent runs this as a program of its own a few times a day, because what it loads to read a
certificate and to sign a request would otherwise stay in the agent's memory. Connections that are
open keep the old certificate; the session reads the files anew for each connection.

The key stays: only the certificate is replaced, in one step, so there is no moment at which the two
do not fit. On a manager's node the manager renews, and the agent does not.
"""

import http.client
import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.drivers import disk
from stackctl.errors import ClusterUnavailable, Denied
from stackctl.wire import codec

RENEW_AFTER = 2 / 3  # of the time a certificate is valid
ASK_SECONDS = 15.0
PATH = "/v1/certificate"
MANAGER_UNIT = "stackctl-manager"


class RenewedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A manager's answer."""

    certificate: str  # PEM


def is_due(certificate_pem: bytes, *, now: datetime) -> bool:
    """Whether two thirds of the certificate's time are over."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now >= begin + (end - begin) * RENEW_AFTER


def renew(folder: Path, managers: Sequence[str]) -> None:
    """Ask one manager after the other for a certificate and replace the node's.

    Raises ClusterUnavailable when none of them gave one.
    """
    key_pem = (folder / "node.key").read_bytes()
    old = x509.load_pem_x509_certificate((folder / "node.pem").read_bytes())
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Denied(f"{folder}/node.key is not a key of the kind that nodes have")
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(old.subject).sign(key, hashes.SHA256())
    )
    body = {"certificate_request": request.public_bytes(serialization.Encoding.PEM).decode()}
    reasons = []
    for address in managers:
        try:
            answer = _ask(folder, address, codec.to_json(body))
            fresh = x509.load_pem_x509_certificate(answer.certificate.encode())
        except (OSError, http.client.HTTPException, ValueError, Denied) as error:
            reasons.append(f"{address}: {error}")
            continue
        if fresh.public_key() != key.public_key() or _node_id(fresh) != _node_id(old):
            reasons.append(f"{address}: its certificate is for somebody else")
            continue
        disk.write_whole(folder / "node.pem", answer.certificate.encode(), durable=True)
        return
    raise ClusterUnavailable(f"no manager renewed the certificate ({'; '.join(reasons)})")


def _node_id(certificate: x509.Certificate) -> str:
    # Only the name: what the node may do can have changed since.
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _ask(folder: Path, address: str, body: bytes) -> RenewedCertificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "node.pem"), str(folder / "node.key"))
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPSConnection(host, int(port), timeout=ASK_SECONDS, context=context)
    try:
        connection.connect()
        _check_manager(connection.sock)
        connection.request("POST", PATH, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status >= 400:
        raise Denied(f"refused with {response.status}: {content[:200].decode('utf-8', 'replace')}")
    return codec.from_json(content, RenewedCertificate)


def _check_manager(connected: object) -> None:
    shown = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    parts = (shown or {}).get("subject", ())
    if (("organizationalUnitName", MANAGER_UNIT),) not in tuple(parts):
        raise Denied("it is not a manager: its certificate does not say so")


def main(arguments: Sequence[str]) -> int:
    """Renew when it is due; says on standard output what it did."""
    folder, managers = Path(arguments[0]), arguments[1:]
    if not is_due((folder / "node.pem").read_bytes(), now=datetime.now(UTC)):
        return 0
    try:
        renew(folder, managers)
    except (ClusterUnavailable, Denied) as error:
        sys.stdout.write(f"{error.message}\n")
        return error.exit_code
    sys.stdout.write("the node's certificate has been renewed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
