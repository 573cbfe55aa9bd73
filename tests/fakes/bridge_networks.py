"""An engine's bridge networks without an engine: bridges, and nothing else."""

import subprocess
from collections.abc import Sequence

import msgspec

from agent.drivers.engine_networks import EngineNetwork
from stackctl.errors import PermanentFailure, TemporaryFailure


class BridgeNetworks:
    """Keeps the contract of `EngineNetworks` in the namespace of the calling thread.

    `foreign` are names that somebody else's networks bear, `in_use` those that containers use;
    with `is_silent` nothing is answered.
    """

    def __init__(self) -> None:
        self.networks: dict[str, EngineNetwork] = {}
        self.foreign: set[str] = set()
        self.in_use: set[str] = set()
        self.is_silent = False

    def list_networks(self) -> Sequence[EngineNetwork]:
        self._answer()
        return tuple(self.networks.values())

    def create_network(self, wanted: EngineNetwork) -> None:
        self._answer()
        if wanted.name in self.foreign:
            raise PermanentFailure(f"the engine has a network {wanted.name} that is not ours")
        known = self.networks.get(wanted.name)
        if known is not None and msgspec.structs.replace(known, labels=wanted.labels) == wanted:
            return
        _ip("link", "add", wanted.bridge, "type", "bridge")
        prefix_length = wanted.subnet.rpartition("/")[2]
        _ip("addr", "add", f"{wanted.gateway}/{prefix_length}", "dev", wanted.bridge)
        _ip("link", "set", wanted.bridge, "up")
        self.networks[wanted.name] = wanted

    def remove_network(self, name: str) -> bool:
        self._answer()
        if name in self.in_use:
            return False
        known = self.networks.pop(name, None)
        if known is not None:
            _ip("link", "del", known.bridge, check=False)
        return True

    def _answer(self) -> None:
        if self.is_silent:
            raise TemporaryFailure("the engine does not answer", retry_after_seconds=1)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, timeout=10)
