"""Renewal of this manager's own certificate, by itself: it holds the authority's key.

A certificate is replaced when a third of its time is left. Living TLS contexts take the new one for
new connections; nothing has to be restarted. Agents ask for theirs (`POST /v1/certificate`).
"""

import asyncio
import logging
import ssl
from datetime import UTC, datetime

from stackctl.errors import StackctlError
from stackctl.manager import certificates
from stackctl.manager.certificates import Authority, Subject
from stackctl.manager.clock import Clock
from stackctl.manager.identity import IdentityDirectory, RenewedCertificates
from stackctl.manager.node_identity import NodeIdentity

LOOK_SECONDS = 3600.0
RENEW_AFTER = 2 / 3  # of the time a certificate is valid

_log = logging.getLogger(__name__)


class CertificateRenewal:
    """Looks after node.pem, and after contexts that were made from it."""

    def __init__(
        self,
        directory: IdentityDirectory,
        *,
        identity: NodeIdentity,
        contexts: tuple[ssl.SSLContext, ...],
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._identity = identity
        self._clock = clock
        self._renewed = RenewedCertificates(directory.tls_files(), contexts)

    async def run(self) -> None:
        """Looks every hour, until cancelled."""
        while True:
            try:
                if self.renew_if_due():
                    _log.info("this node has a new certificate")
                self._renewed.reload_if_changed()
            except (StackctlError, OSError, ValueError) as error:
                _log.error("the certificate of this node could not be renewed: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    def renew_if_due(self) -> bool:
        """Replaces the certificate when its time comes; True when it did.

        Raises IdentityUnusable, OSError, ValueError.
        """
        directory = self._directory
        start, end = certificates.validity(directory.read(directory.certificate_path))
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        if now < start + (end - start) * RENEW_AFTER:
            return False
        key_pem = directory.read(directory.key_path)
        certificate_pem = certificates.issue_for_key(
            key_pem,
            authority=Authority(
                certificate_pem=directory.read(directory.ca_path),
                key_pem=directory.read(directory.ca_key_path),
            ),
            subject=Subject(
                node_id=self._identity.node_id,
                role="manager",
                cluster_id=self._identity.cluster_id,
            ),
            now=now,
        )
        directory.write_node(certificate_pem=certificate_pem, key_pem=key_pem)
        return True
