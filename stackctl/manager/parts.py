"""The parts of a running manager, as handlers get them."""

import msgspec

from stackctl.manager.clock import Clock
from stackctl.manager.cluster import ReplicatedCluster
from stackctl.manager.image_keeping import ImageKeeping
from stackctl.manager.image_store import ImageStore
from stackctl.manager.liveness import Liveness
from stackctl.manager.node_identity import NodeIdentity
from stackctl.manager.peers import Peers
from stackctl.manager.sessions import Sessions
from stackctl.manager.settings import Settings
from stackctl.manager.vault import Vault


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a handler may use."""

    settings: Settings
    identity: NodeIdentity
    clock: Clock
    cluster: ReplicatedCluster
    liveness: Liveness
    sessions: Sessions
    peers: Peers
    vault: Vault
    images: ImageStore
    image_keeping: ImageKeeping
