"""Who this node is, as the identity files say; they are written at enrolment or by the manager."""

import time
from pathlib import Path

import msgspec

from stackctl.errors import ClusterUnavailable
from stackctl.wire import codec

POLL_SECONDS = 0.1
FILES = ("identity.json", "node.pem", "node.key", "ca.pem")


class NodeIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What identity.json says."""

    node_id: str
    cluster_id: str
    role: str
    managers: tuple[str, ...] = ()


def read_identity(folder: Path) -> NodeIdentity | None:
    """Who this node is; None while any of the files is missing or half written."""
    if not all((folder / name).is_file() for name in FILES):
        return None
    try:
        return codec.from_json((folder / "identity.json").read_bytes(), NodeIdentity)
    except (OSError, codec.Undecodable):
        return None


def await_identity(folder: Path, *, timeout_seconds: float) -> NodeIdentity:
    """Wait until the manager on this node has written the files. Raises ClusterUnavailable."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        identity = read_identity(folder)
        if identity is not None:
            return identity
        if time.monotonic() > deadline:
            raise ClusterUnavailable(
                f"this node belongs to no cluster: no identity in {folder}",
                hint="stackctl join-token worker, on a manager, prints what to run here",
            )
        time.sleep(POLL_SECONDS)
