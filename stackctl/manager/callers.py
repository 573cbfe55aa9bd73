"""Callers: who sends a request, as far as the connection proves it.

local      the unix socket, as root or as the user that runs the manager: may do everything
manager    the certificate of a manager of this cluster: may do everything
worker     the certificate of a worker of this cluster: its agent's connection, reads of itself
anonymous  TLS without a certificate: may enrol with a token
"""

import os
import socket
import struct
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from stackctl.errors import Denied
from stackctl.manager import identity

Kind = Literal["local", "manager", "worker", "anonymous"]

_PEER_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks; `node_id` is "" for people on the unix socket and for anonymous callers."""

    kind: Kind
    node_id: str = ""

    @property
    def is_operator(self) -> bool:
        """True for those who may do everything."""
        return self.kind in {"local", "manager"}


ANONYMOUS = Caller(kind="anonymous")
LOCAL = Caller(kind="local")


def caller_on_socket(connection: socket.socket) -> Caller:
    """Who is on the other end of the unix socket. Raises Denied for other users."""
    size = _PEER_CREDENTIALS.size
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    _, uid, _ = _PEER_CREDENTIALS.unpack(packed)
    if uid not in {0, os.getuid()}:
        raise Denied(
            f"user {uid} may not use this manager's socket",
            hint="run the command as root, for example with sudo",
        )
    return LOCAL


def caller_of_certificate(certificate: Mapping[str, Any] | None, *, cluster_id: str) -> Caller:
    """Who showed that certificate, or nobody's. Raises Denied for one of another cluster."""
    if not certificate:
        return ANONYMOUS
    peer = identity.peer_identity(certificate)
    if peer.cluster_id != cluster_id:
        raise Denied(f"the certificate of node {peer.node_id} is of another cluster")
    return Caller(kind=peer.role, node_id=peer.node_id)
