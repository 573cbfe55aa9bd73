"""What the network piece needs of the engine: bridge networks of its own, and nothing else.

The engine's driver provides it; the network piece decides. A network of ours bears the labels
`stackctl.cluster.id` and `stackctl.network.id`; an engine network without them is never listed,
changed or removed.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from stackctl.model.structs import Model

CLUSTER_LABEL = "stackctl.cluster.id"
NETWORK_LABEL = "stackctl.network.id"


class EngineNetwork(Model, frozen=True, kw_only=True):
    """A bridge network of the engine, wanted or found."""

    name: str
    network_id: str  # ours, from the label; the engine has an id of its own
    subnet: str  # CIDR
    gateway: str
    bridge: str  # name of the bridge link
    mtu: int
    internal: bool = False
    labels: Mapping[str, str] = {}  # of the network's spec; the two above are added by the driver


class EngineNetworks(Protocol):
    """The engine's bridge networks of one cluster. All calls block and may be made by any thread.

    They raise `TemporaryFailure` (the engine does not answer, the network is in use) or
    `PermanentFailure` with the engine's words.
    """

    def list_networks(self) -> Sequence[EngineNetwork]:
        """Those of our cluster that the engine has; `labels` may be left out."""

    def create_network(self, wanted: EngineNetwork) -> None:
        """Create it with exactly this bridge, subnet, gateway and MTU.

        One of ours with the same name, id and settings is success. A network with the same name
        that is not ours is a `PermanentFailure` naming it.
        """

    def remove_network(self, name: str) -> bool:
        """Remove one of ours; True when it is gone (or was not there), False when containers still
        use it."""
