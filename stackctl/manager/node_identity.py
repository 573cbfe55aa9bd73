"""identity.json: which node of which cluster this is, beside the certificates that prove it.

Agents on manager nodes read the same file; `managers` is where they connect first.
"""

from pathlib import Path
from typing import Literal

import msgspec

from stackctl.manager import durable_files
from stackctl.manager.identity import IdentityDirectory, IdentityUnusable
from stackctl.model.structs import Model

FILE_NAME = "identity.json"
_PUBLIC_MODE = 0o644


class InitialMember(Model, frozen=True, kw_only=True):
    """A manager as of the moment at which this one founded or joined the cluster."""

    node_id: str
    address: str  # Raft address


class NodeIdentity(Model, frozen=True, kw_only=True):
    """Who this node is.

    `members` is what the replicated log starts with, and is emptied once this manager takes part:
    a manager that has lost its log afterwards must not begin another one under the same name.
    """

    node_id: str
    cluster_id: str
    role: Literal["manager", "worker"]
    managers: tuple[str, ...] = ()  # "address:port" of APIs
    members: tuple[InitialMember, ...] = ()


def write_identity(directory: Path, identity: NodeIdentity) -> None:
    """Keeps the identity; written last, so that its presence means that all is there."""
    content = msgspec.json.format(msgspec.json.encode(identity), indent=2) + b"\n"
    durable_files.write_durably(directory / FILE_NAME, content, mode=_PUBLIC_MODE)


def read_identity(directory: Path) -> NodeIdentity | None:
    """The identity of this node, None when it has none yet. Raises IdentityUnusable."""
    path = directory / FILE_NAME
    if not path.exists():
        return None
    content = IdentityDirectory(directory).read(path)
    try:
        return msgspec.json.decode(content, type=NodeIdentity)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise IdentityUnusable(f"{path} is damaged: {error}") from error
