"""Certificates, the identity directory, TLS contexts: who is who, and who is refused."""

import socket
import ssl
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from stackctl.errors import Denied
from stackctl.manager import certificates, identity
from stackctl.manager.certificates import Authority, Subject
from stackctl.manager.identity import (
    IdentityDirectory,
    IdentityUnusable,
    PeerIdentity,
    RenewedCertificates,
)

NOW = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)
SUBJECT = Subject(node_id="node1", role="worker", cluster_id="cluster1")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return certificates.create_cluster_authority()


def make_directory(path: Path, authority: Authority, subject: Subject) -> IdentityDirectory:
    directory = IdentityDirectory(path)
    key_pem = certificates.create_key()
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=None)
    directory.write_node(
        certificate_pem=certificates.issue_for_key(key_pem, authority=authority, subject=subject),
        key_pem=key_pem,
    )
    return directory


def names(certificate_pem: bytes) -> dict[str, str]:
    return certificates.subject_of_der(certificates.pem_to_der(certificate_pem))


def test_an_authority_is_valid_for_twenty_years_from_an_hour_ago() -> None:
    authority = certificates.create_cluster_authority(now=NOW)
    begins, ends = certificates.validity(authority.certificate_pem)
    assert begins == NOW - timedelta(hours=1)
    assert ends - begins == timedelta(days=20 * 365)
    assert names(authority.certificate_pem) == {"commonName": "stackctl-ca"}


def test_a_certificate_says_who_what_and_where(authority: Authority) -> None:
    issued = certificates.issue_for_key(
        certificates.create_key(), authority=authority, subject=SUBJECT
    )
    assert names(issued) == {
        "commonName": "node1",
        "organizationalUnitName": "stackctl-worker",
        "organizationName": "cluster1",
    }
    certificate = x509.load_pem_x509_certificate(issued)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert alternative.value.get_values_for_type(x509.DNSName) == ["node1"]


def test_a_certificate_is_valid_for_ninety_days_from_an_hour_ago() -> None:
    authority = certificates.create_cluster_authority(now=NOW)
    issued = certificates.issue_for_key(
        certificates.create_key(), authority=authority, subject=SUBJECT, now=NOW
    )
    begins, ends = certificates.validity(issued)
    assert (begins, ends - begins) == (NOW - timedelta(hours=1), timedelta(days=90))


def test_a_certificate_never_outlives_its_authority() -> None:
    authority = certificates.create_cluster_authority(now=NOW)
    late = NOW + timedelta(days=20 * 365 - 3)
    issued = certificates.issue_for_key(
        certificates.create_key(), authority=authority, subject=SUBJECT, now=late
    )
    assert certificates.validity(issued)[1] == certificates.validity(authority.certificate_pem)[1]


def test_certificates_satisfy_a_strict_verifier(authority: Authority) -> None:
    """Later Python versions verify strictly by default; so do other programs."""
    issued = certificates.issue_for_key(
        certificates.create_key(), authority=authority, subject=SUBJECT
    )
    store = Store([x509.load_pem_x509_certificate(authority.certificate_pem)])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("node1"))
    assert len(verifier.verify(x509.load_pem_x509_certificate(issued), [])) == 2


def test_a_request_gets_our_subject_not_its_own(authority: Authority) -> None:
    key_pem = certificates.create_key()
    request = certificates.create_request(key_pem, node_id="someone-else")
    signed = certificates.sign_request(request, authority=authority, subject=SUBJECT)
    assert names(signed)["commonName"] == "node1"
    assert certificates.is_key_of(key_pem, signed)
    assert not certificates.is_key_of(certificates.create_key(), signed)


def forged_request() -> bytes:
    """A request whose signature is not that of its key."""
    request = certificates.create_request(certificates.create_key(), node_id="node1")
    content = bytearray(x509.load_pem_x509_csr(request).public_bytes(serialization.Encoding.DER))
    content[-1] ^= 1
    return x509.load_der_x509_csr(bytes(content)).public_bytes(serialization.Encoding.PEM)


def request_of(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node1")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("make_request", "why"),
    [
        (lambda: b"not a request", "unreadable"),
        (forged_request, "not signed by its own key|unreadable"),
        (lambda: request_of(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (lambda: request_of(rsa.generate_private_key(65537, 2048)), "P-256"),
    ],
    ids=["garbage", "forged", "other curve", "rsa"],
)
def test_a_bad_request_is_denied_with_the_reason(
    authority: Authority, make_request: Callable[[], bytes], why: str
) -> None:
    with pytest.raises(Denied, match=why):
        certificates.sign_request(make_request(), authority=authority, subject=SUBJECT)


def test_an_authority_never_shows_its_key(authority: Authority) -> None:
    assert "PRIVATE" not in repr(authority)


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path, authority: Authority) -> None:
    directory = make_directory(tmp_path / "identity", authority, SUBJECT)
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=authority.key_pem)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in directory.path.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "node.pem": 0o644, "node.key": 0o600}
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert directory.exists()


def test_a_key_left_readable_by_a_crash_is_not_reused(tmp_path: Path, authority: Authority) -> None:
    directory = IdentityDirectory(tmp_path)
    (tmp_path / "ca.key.new").write_bytes(b"old")
    (tmp_path / "ca.key.new").chmod(0o644)
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=authority.key_pem)
    assert stat.S_IMODE(directory.ca_key_path.stat().st_mode) == 0o600


def test_an_authority_is_read_back_after_a_restart(tmp_path: Path, authority: Authority) -> None:
    IdentityDirectory(tmp_path).write_authority(
        certificate_pem=authority.certificate_pem, key_pem=authority.key_pem
    )
    assert certificates.load_authority(IdentityDirectory(tmp_path)) == authority


def test_a_demoted_manager_forgets_the_authoritys_key(tmp_path: Path, authority: Authority) -> None:
    directory = IdentityDirectory(tmp_path)
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=authority.key_pem)
    directory.forget_manager_keys()
    directory.forget_manager_keys()
    with pytest.raises(IdentityUnusable, match=r"ca\.key is missing"):
        certificates.load_authority(directory)
    assert directory.ca_path.exists()


def test_an_authority_with_anothers_key_is_refused(tmp_path: Path, authority: Authority) -> None:
    other = certificates.create_cluster_authority()
    directory = IdentityDirectory(tmp_path)
    directory.write_authority(certificate_pem=authority.certificate_pem, key_pem=other.key_pem)
    with pytest.raises(IdentityUnusable, match="do not belong together"):
        certificates.load_authority(directory)


def test_a_missing_identity_names_the_file_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(IdentityUnusable, match=r"ca\.pem is missing") as refusal:
        identity.client_ssl_context(IdentityDirectory(tmp_path).tls_files())
    assert "stackctl join-token manager" in str(refusal.value.hint)


@pytest.mark.parametrize("name", ["ca.pem", "node.pem", "node.key"])
def test_a_damaged_file_is_named(tmp_path: Path, authority: Authority, name: str) -> None:
    directory = make_directory(tmp_path, authority, SUBJECT)
    (tmp_path / name).write_bytes(b"-----BEGIN NOTHING-----\n")
    with pytest.raises(IdentityUnusable, match=name.replace(".", r"\.")):
        identity.server_ssl_context(directory.tls_files())


def test_a_certificate_with_anothers_key_is_refused(tmp_path: Path, authority: Authority) -> None:
    directory = make_directory(tmp_path, authority, SUBJECT)
    directory.key_path.write_bytes(certificates.create_key())
    with pytest.raises(IdentityUnusable, match="not a certificate and its key"):
        identity.client_ssl_context(directory.tls_files())


@pytest.mark.parametrize(
    "subject",
    [
        {},
        {"commonName": "n1", "organizationName": "c"},
        {"commonName": "n1", "organizationalUnitName": "stackctl-king", "organizationName": "c"},
        {"commonName": "", "organizationalUnitName": "stackctl-worker", "organizationName": "c"},
        {"commonName": "n1", "organizationalUnitName": "stackctl-worker"},
    ],
)
def test_a_certificate_that_is_not_a_nodes_is_denied(subject: dict[str, str]) -> None:
    with pytest.raises(Denied):
        identity.identity_of_subject(subject)


def test_the_authority_itself_is_no_node(authority: Authority) -> None:
    der = certificates.pem_to_der(authority.certificate_pem)
    with pytest.raises(Denied, match="stackctl-ca"):
        identity.identity_of_subject(certificates.subject_of_der(der))


@pytest.mark.parametrize("certificate", [None, {}])
def test_no_certificate_is_denied(certificate: dict[str, Any] | None) -> None:
    with pytest.raises(Denied, match="no certificate"):
        identity.peer_identity(certificate)


class Handshake:
    """One TLS connection over a socket pair; what each side learnt of the other."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.server_error: Exception | None = None
        self.seen_by_server: Any = None
        self.seen_by_client: Any = None
        self.version: str | None = None
        server_end, client_end = socket.socketpair()
        for end in (server_end, client_end):
            end.settimeout(5)
        thread = threading.Thread(target=self._serve, args=(server, server_end))
        thread.start()
        try:
            with client.wrap_socket(client_end) as connection:
                self.seen_by_client = connection.getpeercert()
                self.version = connection.version()
                connection.recv(1)
        finally:
            client_end.close()
            thread.join()

    def _serve(self, context: ssl.SSLContext, end: socket.socket) -> None:
        try:
            with context.wrap_socket(end, server_side=True) as connection:
                self.seen_by_server = connection.getpeercert()
                connection.send(b"x")
        except OSError as error:
            self.server_error = error
        finally:
            end.close()


def test_managers_recognise_each_other_by_node_id(tmp_path: Path, authority: Authority) -> None:
    manager = Subject(node_id="m1", role="manager", cluster_id="cluster1")
    one = make_directory(tmp_path / "1", authority, manager)
    other = make_directory(tmp_path / "2", authority, SUBJECT)
    handshake = Handshake(
        identity.server_ssl_context(one.tls_files()),
        identity.client_ssl_context(other.tls_files()),
    )
    assert handshake.version == "TLSv1.3"
    assert identity.peer_identity(handshake.seen_by_client) == PeerIdentity(
        node_id="m1", role="manager", cluster_id="cluster1"
    )
    assert identity.peer_identity(handshake.seen_by_server) == PeerIdentity(
        node_id="node1", role="worker", cluster_id="cluster1"
    )


def test_a_joiner_without_a_certificate_reaches_the_optional_listener_only(
    tmp_path: Path, authority: Authority
) -> None:
    files = make_directory(tmp_path, authority, SUBJECT).tls_files()
    joiner = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    joiner.check_hostname = False
    joiner.load_verify_locations(cadata=authority.certificate_pem.decode())
    handshake = Handshake(identity.server_ssl_context(files), joiner)
    assert not handshake.seen_by_server
    assert handshake.server_error is None
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        Handshake(identity.server_ssl_context(files, client_certificate="required"), joiner)


def test_an_older_protocol_is_refused(tmp_path: Path, authority: Authority) -> None:
    files = make_directory(tmp_path, authority, SUBJECT).tls_files()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.load_verify_locations(cadata=authority.certificate_pem.decode())
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(OSError, match=r"(?i)alert|version|reset|eof"):
        Handshake(identity.server_ssl_context(files), old)


def test_a_manager_of_another_cluster_is_refused(tmp_path: Path, authority: Authority) -> None:
    foreign = certificates.create_cluster_authority()
    ours = make_directory(tmp_path / "1", authority, SUBJECT)
    theirs = make_directory(tmp_path / "2", foreign, SUBJECT)
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.verify.failed"):
        Handshake(
            identity.server_ssl_context(theirs.tls_files()),
            identity.client_ssl_context(ours.tls_files()),
        )


def test_a_renewed_certificate_is_shown_by_living_contexts(
    tmp_path: Path, authority: Authority
) -> None:
    directory = make_directory(tmp_path, authority, SUBJECT)
    server = identity.server_ssl_context(directory.tls_files())
    client = identity.client_ssl_context(directory.tls_files())
    renewed = RenewedCertificates(directory.tls_files(), (server, client))
    assert not renewed.reload_if_changed()
    before = Handshake(server, client).seen_by_client["serialNumber"]
    key_pem = directory.read(directory.key_path)
    directory.write_node(
        certificate_pem=certificates.issue_for_key(key_pem, authority=authority, subject=SUBJECT),
        key_pem=key_pem,
    )
    assert renewed.reload_if_changed()
    assert not renewed.reload_if_changed()
    assert Handshake(server, client).seen_by_client["serialNumber"] != before


def test_a_half_renewed_certificate_leaves_the_old_one_in_use(
    tmp_path: Path, authority: Authority
) -> None:
    directory = make_directory(tmp_path, authority, SUBJECT)
    server = identity.server_ssl_context(directory.tls_files())
    client = identity.client_ssl_context(directory.tls_files())
    renewed = RenewedCertificates(directory.tls_files(), (server,))
    certificate = directory.read(directory.certificate_path)
    directory.certificate_path.write_bytes(b"half")
    with pytest.raises(IdentityUnusable):
        renewed.reload_if_changed()
    assert Handshake(server, client).server_error is None
    directory.certificate_path.write_bytes(certificate)
    assert renewed.reload_if_changed()
