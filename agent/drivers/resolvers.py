"""The servers to which a node sends questions about foreign names: those of /etc/resolv.conf."""

import ipaddress
import logging
import threading
import time
from collections.abc import Collection
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")
SERVERS_MAX = 3

_LOOK_AGAIN_SECONDS = 5.0
_log = logging.getLogger(__name__)


def parse_servers(text: str) -> tuple[str, ...]:
    """The first three IPv4 or IPv6 name servers of a resolv.conf text."""
    servers: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        address, _, zone = words[1].partition("%")
        try:
            ipaddress.ip_address(address)
        except ValueError:
            continue
        servers.append(f"{address}%{zone}" if zone else address)
    return tuple(dict.fromkeys(servers))[:SERVERS_MAX]


class NodeResolvers:
    """The node's name servers, read again every few seconds. Safe for several threads.

    Loopback addresses stay: the agent lives in the node's own namespace, where they answer (a
    local cache); where they do not, the refusal is immediate.
    """

    def __init__(self, path: Path = RESOLV_CONF) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._servers: tuple[str, ...] = ()
        self._read_at: float | None = None

    def servers(self, *, own: Collection[str]) -> tuple[str, ...]:
        """The servers, without the addresses on which we answer ourselves."""
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at > _LOOK_AGAIN_SECONDS:
                self._servers = self._read()
                self._read_at = now
            return tuple(server for server in self._servers if server not in own)

    def _read(self) -> tuple[str, ...]:
        try:
            return parse_servers(self._path.read_text(errors="replace"))
        except OSError as error:
            _log.warning("cannot read %s: %s", self._path, error)
            return ()
