"""TLS as this node: our certificate says which node this is, theirs that they are a manager.

Names and addresses are not compared, because nodes may move.
"""

import ssl
from pathlib import Path

from stackctl.model.structs import Model

MANAGER_UNIT = "stackctl-manager"


class TlsFiles(Model, frozen=True, kw_only=True):
    """Where the node's certificate, its key and the cluster's authority are."""

    authority: Path
    certificate: Path
    key: Path


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """TLS 1.3, both sides verified. Read for each connection, so that renewed files count."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cafile=str(files.authority))
    context.load_cert_chain(str(files.certificate), str(files.key))
    return context


def is_manager(certificate: object) -> bool:
    """Whether a peer's certificate, as `getpeercert` gives it, is a manager's."""
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    fields = {name: value for part in subject for name, value in part}
    return fields.get("organizationalUnitName") == MANAGER_UNIT
