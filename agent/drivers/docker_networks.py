"""The bridge networks of one cluster on the Docker Engine: the contract of `engine_networks`.

Networks that do not carry this cluster's label are never listed, changed or removed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from agent.drivers.docker_engine import DockerEngine
from agent.drivers.engine_networks import CLUSTER_LABEL, NETWORK_LABEL, EngineNetwork
from stackctl.errors import PermanentFailure

_BRIDGE_OPTION = "com.docker.network.bridge.name"
_MTU_OPTION = "com.docker.network.driver.mtu"

Json = Mapping[str, Any]


class DockerNetworks:
    """Networks of one cluster on one engine."""

    def __init__(self, engine: DockerEngine, *, cluster_id: str) -> None:
        self._engine = engine
        self._cluster_id = cluster_id

    def list_networks(self) -> Sequence[EngineNetwork]:
        """Those of our cluster that the engine has."""
        bodies = self._engine.list_networks({CLUSTER_LABEL: self._cluster_id})
        return tuple(_network(body) for body in bodies if NETWORK_LABEL in _labels(body))

    def create_network(self, wanted: EngineNetwork) -> None:
        """Create it exactly so; one of ours with the same settings is success."""
        body = {
            "Name": wanted.name,
            "Driver": "bridge",
            "CheckDuplicate": True,
            "Internal": wanted.internal,
            "Labels": {
                **wanted.labels,
                CLUSTER_LABEL: self._cluster_id,
                NETWORK_LABEL: wanted.network_id,
            },
            "Options": {_BRIDGE_OPTION: wanted.bridge, _MTU_OPTION: str(wanted.mtu)},
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": wanted.subnet, "Gateway": wanted.gateway}],
            },
        }
        try:
            self._engine.create_network(body)
        except PermanentFailure as failure:
            if not self._is_there(wanted):
                raise PermanentFailure(f"network {wanted.name}: {failure.reason}") from failure

    def remove_network(self, name: str) -> bool:
        """Remove one of ours; False when containers still use it."""
        if all(network.name != name for network in self.list_networks()):
            return True
        try:
            self._engine.remove_network(name)
        except PermanentFailure as failure:
            if "active endpoints" in failure.reason:
                return False
            raise
        return True

    def _is_there(self, wanted: EngineNetwork) -> bool:
        plain = msgspec.structs.replace(wanted, labels={})
        found = [msgspec.structs.replace(item, labels={}) for item in self.list_networks()]
        return plain in found


def _labels(body: Json) -> Mapping[str, str]:
    return body.get("Labels") or {}


def _network(body: Json) -> EngineNetwork:
    options = body.get("Options") or {}
    pools = (body.get("IPAM") or {}).get("Config") or [{}]
    mtu = str(options.get(_MTU_OPTION, ""))
    return EngineNetwork(
        name=body["Name"],
        network_id=_labels(body)[NETWORK_LABEL],
        subnet=pools[0].get("Subnet", ""),
        gateway=pools[0].get("Gateway", ""),
        bridge=options.get(_BRIDGE_OPTION, ""),
        mtu=int(mtu) if mtu.isdigit() else 0,
        internal=bool(body.get("Internal")),
        labels=_labels(body),
    )
