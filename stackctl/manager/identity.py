"""Who this node is, and who a peer is: the identity directory, TLS contexts, peer certificates.

    ca.pem     the cluster's authority, on every node
    ca.key     its key, on managers only
    data.key   what secrets are sealed with, on managers only (hexadecimal)
    node.pem   this node's certificate
    node.key   this node's key

Files are replaced atomically; keys are readable by their owner alone. Peers are verified by their
chain and their subject, never by address, so `check_hostname` is off and `peer_identity` is what
every connection is judged by.
"""

import contextlib
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from stackctl.errors import Denied, StackctlError
from stackctl.manager import durable_files

Role = Literal["manager", "worker"]

_UNITS: dict[Role, str] = {"manager": "stackctl-manager", "worker": "stackctl-worker"}
_ROLES: dict[str, Role] = {unit: role for role, unit in _UNITS.items()}
_PUBLIC_MODE = 0o644


class IdentityUnusable(StackctlError):
    """A file of the identity directory is missing, damaged, or does not fit the others."""


class PeerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified certificate says about a peer."""

    node_id: str
    role: Role
    cluster_id: str


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The three files that a TLS context is made of."""

    ca_path: Path
    certificate_path: Path
    key_path: Path


class IdentityDirectory:
    """The files above, in one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca_path = path / "ca.pem"
        self.ca_key_path = path / "ca.key"
        self.data_key_path = path / "data.key"
        self.certificate_path = path / "node.pem"
        self.key_path = path / "node.key"

    def tls_files(self) -> TlsFiles:
        """What TLS contexts are made of."""
        return TlsFiles(
            ca_path=self.ca_path, certificate_path=self.certificate_path, key_path=self.key_path
        )

    def exists(self) -> bool:
        """Whether this node has an identity already."""
        return self.certificate_path.exists()

    def write_authority(self, *, certificate_pem: bytes, key_pem: bytes | None) -> None:
        """Keep the authority; `key_pem` only on managers. Raises OSError."""
        self._prepare()
        durable_files.write_durably(self.ca_path, certificate_pem, mode=_PUBLIC_MODE)
        if key_pem is not None:
            durable_files.write_durably(self.ca_key_path, key_pem)

    def write_data_key(self, key: bytes) -> None:
        """Keep the key that secrets are sealed with; on managers only. Raises OSError."""
        self._prepare()
        durable_files.write_durably(self.data_key_path, key.hex().encode())

    def forget_manager_keys(self) -> None:
        """Remove what only managers may have: this node is none any more. Raises OSError."""
        for path in (self.ca_key_path, self.data_key_path):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                durable_files.sync_directory(self.path)

    def write_node(self, *, certificate_pem: bytes, key_pem: bytes) -> None:
        """Keep this node's certificate and key. Raises OSError.

        The key goes first: a crash in between leaves a pair that does not fit, which `load_node`
        reports, instead of a certificate without any key.
        """
        self._prepare()
        if not self.key_path.exists() or self.key_path.read_bytes() != key_pem:
            durable_files.write_durably(self.key_path, key_pem)
        durable_files.write_durably(self.certificate_path, certificate_pem, mode=_PUBLIC_MODE)

    def read(self, path: Path) -> bytes:
        """The content of one of the files. Raises IdentityUnusable."""
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise IdentityUnusable(
                f"{path} is missing: this node has no complete identity",
                hint="'stackctl join-token manager', on another manager, prints what to run here",
            ) from error
        except OSError as error:
            raise IdentityUnusable(f"{path} cannot be read: {error.strerror}") from error

    def _prepare(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)


def unit_of_role(role: Role) -> str:
    """The organizational unit in certificates of that role."""
    return _UNITS[role]


def peer_identity(certificate: Mapping[str, Any] | None) -> PeerIdentity:
    """Who the peer is, from `SSLObject.getpeercert()` of a verified connection. Raises Denied."""
    if not certificate:
        raise Denied("the peer showed no certificate")
    subject = {name: value for part in certificate.get("subject", ()) for name, value in part}
    return identity_of_subject(subject)


def identity_of_subject(subject: Mapping[str, str]) -> PeerIdentity:
    """Who a certificate is for, from its subject's names. Raises Denied."""
    node_id = subject.get("commonName", "")
    role = _ROLES.get(subject.get("organizationalUnitName", ""))
    cluster_id = subject.get("organizationName", "")
    if not node_id or role is None or not cluster_id:
        raise Denied(f"the certificate of {node_id or 'the peer'} is not that of a node")
    return PeerIdentity(node_id=node_id, role=role, cluster_id=cluster_id)


def server_ssl_context(
    files: TlsFiles, *, client_certificate: Literal["optional", "required"] = "optional"
) -> ssl.SSLContext:
    """TLS 1.3 for listeners; joiners have no certificate yet, hence "optional".

    Raises IdentityUnusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    required = client_certificate == "required"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return _with_files(context, files)


def client_ssl_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.3 for connections to managers; the peer's chain is verified, its name is not.

    Raises IdentityUnusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    return _with_files(context, files)


def _with_files(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    for path in (files.ca_path, files.certificate_path, files.key_path):
        IdentityDirectory(path.parent).read(path)
    try:
        context.load_verify_locations(cafile=str(files.ca_path))
    except (ssl.SSLError, OSError) as error:
        raise IdentityUnusable(f"{files.ca_path} is not a certificate: {error}") from error
    load_own_certificate(context, files)
    return context


def load_own_certificate(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Load this node's certificate into a context, new connections use it.

    Raises IdentityUnusable.
    """
    try:
        context.load_cert_chain(str(files.certificate_path), str(files.key_path))
    except (ssl.SSLError, OSError) as error:
        raise IdentityUnusable(
            f"{files.certificate_path} and {files.key_path} are not a certificate and its key: "
            f"{error}"
        ) from error


class RenewedCertificates:
    """Notices that node.pem was replaced and loads it into living contexts.

    Connections that exist keep the old certificate, new ones show the new one; no listener has to
    be opened again.
    """

    def __init__(self, files: TlsFiles, contexts: tuple[ssl.SSLContext, ...]) -> None:
        self._files = files
        self._contexts = contexts
        self._seen = self._stamp()

    def reload_if_changed(self) -> bool:
        """Whether there was a new certificate. Raises IdentityUnusable, the old one stays then."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        for context in self._contexts:
            load_own_certificate(context, self._files)
        self._seen = stamp
        return True

    def _stamp(self) -> tuple[int, int]:
        try:
            status = self._files.certificate_path.stat()
        except OSError as error:
            raise IdentityUnusable(f"{self._files.certificate_path} cannot be read") from error
        return status.st_mtime_ns, status.st_ino
