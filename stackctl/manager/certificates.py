"""The cluster's certificate authority: the home of `cryptography`, with `vault`.

P-256 throughout. A node's certificate says who it is (common name: the node id), what it may do
(organizational unit: `stackctl-manager` or `stackctl-worker`) and of which cluster it is
(organization: the cluster id). Its alternative name is the node id as well: peers verify a node,
not an address, so nodes may move.

Every certificate begins an hour in the past, because the clocks of small clusters differ.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stackctl.errors import Denied
from stackctl.manager.identity import (
    IdentityDirectory,
    IdentityUnusable,
    Role,
    unit_of_role,
)

AUTHORITY_NAME = "stackctl-ca"
AUTHORITY_VALIDITY = timedelta(days=20 * 365)
NODE_VALIDITY = timedelta(days=90)
BACKDATED = timedelta(hours=1)


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate authority; the key stays on managers."""

    certificate_pem: bytes
    key_pem: bytes

    def __repr__(self) -> str:
        return "Authority(…)"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Who a certificate is for."""

    node_id: str
    role: Role
    cluster_id: str


def create_cluster_authority(*, now: datetime | None = None) -> Authority:
    """A new authority, valid for twenty years."""
    start = _start(now)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    return Authority(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=_private_pem(key),
    )


def load_authority(directory: IdentityDirectory) -> Authority:
    """The authority that this manager holds. Raises IdentityUnusable."""
    certificate_pem = directory.read(directory.ca_path)
    key_pem = directory.read(directory.ca_key_path)
    try:
        fits = is_key_of(key_pem, certificate_pem)
    except ValueError as error:
        raise IdentityUnusable(
            f"{directory.ca_path} or {directory.ca_key_path} is damaged: {error}"
        ) from error
    if not fits:
        raise IdentityUnusable(
            f"{directory.ca_path} and {directory.ca_key_path} do not belong together",
            hint="copy both from another manager of the cluster",
        )
    return Authority(certificate_pem=certificate_pem, key_pem=key_pem)


def create_key() -> bytes:
    """A new private key, PEM."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def create_request(key_pem: bytes, *, node_id: str) -> bytes:
    """A signing request for that key, PEM; the authority decides everything but the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node_id)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(_private_key(key_pem), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def sign_request(
    request_pem: bytes, *, authority: Authority, subject: Subject, now: datetime | None = None
) -> bytes:
    """The certificate, PEM, for the key in a signing request; its subject is ours to decide.

    Raises Denied when the request is unreadable, not signed by its own key, or not for P-256.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        is_genuine = request.is_signature_valid
        public_key = request.public_key()
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise Denied(f"the certificate request of {subject.node_id} is unreadable") from error
    if not is_genuine:
        raise Denied(f"the certificate request of {subject.node_id} is not signed by its own key")
    is_p256 = isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(
        public_key.curve, ec.SECP256R1
    )
    if not is_p256:
        raise Denied(f"the certificate request of {subject.node_id} is not for a P-256 key")
    return issue_certificate(public_key, authority=authority, subject=subject, now=now)


def issue_certificate(
    public_key: object, *, authority: Authority, subject: Subject, now: datetime | None = None
) -> bytes:
    """A node's certificate, PEM, valid for ninety days but never longer than the authority."""
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise TypeError("node certificates are for elliptic-curve keys")
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    start = _start(now)
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, subject.node_id),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit_of_role(subject.role)),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.cluster_id),
    ]
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(issuer.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(min(start + NODE_VALIDITY, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(_both_sides(), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject.node_id)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(_private_key(authority.key_pem), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def issue_for_key(
    key_pem: bytes, *, authority: Authority, subject: Subject, now: datetime | None = None
) -> bytes:
    """As `issue_certificate`, for a private key that we hold ourselves."""
    public_key = _private_key(key_pem).public_key()
    return issue_certificate(public_key, authority=authority, subject=subject, now=now)


def pem_to_der(certificate_pem: bytes) -> bytes:
    """The binary form of a certificate. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return certificate.public_bytes(serialization.Encoding.DER)


def validity(certificate_pem: bytes) -> tuple[datetime, datetime]:
    """From when and until when a certificate counts. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def is_key_of(key_pem: bytes, certificate_pem: bytes) -> bool:
    """Whether a private key and a certificate belong together. Raises ValueError."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    encoding = serialization.Encoding.DER
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    ours = _private_key(key_pem).public_key().public_bytes(encoding, form)
    return ours == certificate.public_key().public_bytes(encoding, form)


def subject_of_der(certificate_der: bytes) -> dict[str, str]:
    """The subject of a certificate under the names that `ssl` uses. Raises ValueError."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    names = {
        "commonName": NameOID.COMMON_NAME,
        "organizationalUnitName": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "organizationName": NameOID.ORGANIZATION_NAME,
    }
    return {
        name: str(attribute.value)
        for name, oid in names.items()
        for attribute in certificate.subject.get_attributes_for_oid(oid)
    }


def _start(now: datetime | None) -> datetime:
    return (now or datetime.now(UTC)).replace(microsecond=0) - BACKDATED


def _private_key(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve key")  # noqa: TRY004 - callers catch ValueError only
    return key


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _both_sides() -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
