"""The overlay of the node as a whole: engine networks, their bridges, their VXLAN devices.

Joins three edges in the one order that works: the engine makes the bridge with its network, the
links driver puts it right and hangs the VXLAN device into it, the entries follow. Nothing is
remembered here that could be read, except into which bridges containers must still be put back.

Reading all links and the engine's networks is what a round without changes costs. So both are read
once (`Look`) for everything that is done in one turn, and kept up by what is changed in it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.core import overlay_plan
from agent.core.overlay_plan import OverlayPlan, RemoteEntry
from agent.drivers import link_table, links, neighbours, netns
from agent.drivers.engine_networks import EngineNetwork, EngineNetworks
from agent.drivers.failures import Failures
from agent.drivers.links import Links
from agent.drivers.netns import NamespaceGone
from agent.drivers.task_rules import ContainerSandbox
from stackctl.errors import TemporaryFailure
from stackctl.model.assignment import NetworkAssignment

_RETRY_SECONDS = 1.0


@dataclass
class Look:
    """What was found at the beginning of a turn; None is what could not be read."""

    links: Links | None = None
    engine: dict[str, EngineNetwork] | None = None  # by name


class Overlay:
    """Makes the node's networks match. Not for several threads at a time."""

    def __init__(
        self, *, cluster_id: str, data_address: str, vxlan_port: int, engine: EngineNetworks
    ) -> None:
        self._cluster_id = cluster_id
        self._data_address = data_address
        self._vxlan_port = vxlan_port
        self._engine = engine
        self._without_members: set[str] = set()

    def write_entries(
        self,
        remotes: Mapping[str, Sequence[RemoteEntry]],
        network_ids: Iterable[str],
        failures: Failures,
    ) -> None:
        """The devices that are there know these entries and no others; needs no engine."""
        for network_id in network_ids:
            index = link_table.index_of(overlay_plan.vxlan_name(network_id))
            if index is not None:
                with failures.collected():
                    _write_entries(index, remotes.get(network_id, ()))

    def look(self, failures: Failures) -> Look:
        """The node's links and the engine's networks, as they are now."""
        found = Look()
        with failures.collected():
            found.engine = {network.name: network for network in self._engine.list_networks()}
        with failures.collected():
            found.links = Links()
        return found

    def ensure(
        self,
        networks: Iterable[NetworkAssignment],
        remotes: Mapping[str, Sequence[RemoteEntry]],
        sandboxes: Collection[ContainerSandbox],
        look: Look,
        failures: Failures,
    ) -> dict[str, OverlayPlan]:
        """These networks are there; the plans of those that are. Devices made by this call are
        given their entries."""
        there: dict[str, OverlayPlan] = {}
        found = look.links
        if found is None:
            return there
        with failures.collected():
            underlay_mtu = found.underlay_mtu(self._data_address)
            for network in networks:
                with failures.collected():
                    plan = overlay_plan.plan_overlay(
                        network, cluster_id=self._cluster_id, underlay_mtu=underlay_mtu
                    )
                    self._ensure_engine_network(plan, network, look.engine, found)
                    former = found.index_of(plan.vxlan)
                    index = self._ensure_links(plan, found, sandboxes)
                    there[network.id] = plan
                    if index != former:
                        _write_entries(index, remotes.get(network.id, ()))
        return there

    def remove_absent(
        self, kept: Collection[str], look: Look, failures: Failures
    ) -> frozenset[str] | None:
        """No network of ours but those in `kept` (ids) is left, except those that containers use:
        their names. None when the engine does not say which there are."""
        in_use: dict[str, str] = {}
        if look.engine is None:
            return None
        for network in tuple(look.engine.values()):
            if network.network_id in kept:
                continue
            is_gone = False
            with failures.collected():
                is_gone = self._engine.remove_network(network.name)
            if not is_gone:
                in_use[network.network_id] = network.name
                continue
            del look.engine[network.name]
            with failures.collected():
                if look.links is not None:
                    look.links.reread()
        if look.links is not None:
            with failures.collected():
                self._remove_links(look.links, {*kept, *in_use})
        return frozenset(in_use.values())

    def _remove_links(self, found: Links, kept: Collection[str]) -> None:
        for name, network_id in found.marked(self._cluster_id):
            if network_id not in kept:
                found.remove_link(name)
                self._without_members.discard(network_id)

    def _ensure_engine_network(
        self,
        plan: OverlayPlan,
        network: NetworkAssignment,
        known: Mapping[str, EngineNetwork] | None,
        found: Links,
    ) -> None:
        wanted = EngineNetwork(
            name=plan.network_name,
            network_id=plan.network_id,
            subnet=plan.subnet,
            gateway=plan.gateway,
            bridge=plan.bridge,
            mtu=plan.mtu,
            internal=plan.internal,
            labels=network.labels,
        )
        if known is None:
            # The engine does not answer; what it has made before can be looked after all the same.
            if not found.has_link(plan.bridge):
                raise TemporaryFailure(
                    f"network {plan.network_name} waits for the engine",
                    retry_after_seconds=_RETRY_SECONDS,
                )
            return
        existing = known.get(wanted.name)
        if existing is not None and _is_same(existing, wanted):
            return
        if existing is not None and not self._engine.remove_network(existing.name):
            raise TemporaryFailure(
                f"network {wanted.name} has changed, and containers still use it as it was",
                retry_after_seconds=_RETRY_SECONDS,
            )
        self._engine.create_network(wanted)
        found.reread()

    def _ensure_links(
        self, plan: OverlayPlan, found: Links, sandboxes: Collection[ContainerSandbox]
    ) -> int:
        if found.ensure_bridge(plan):
            self._without_members.add(plan.network_id)
        index = found.ensure_vxlan(plan, data_address=self._data_address, port=self._vxlan_port)
        if plan.network_id in self._without_members:
            _put_back(plan, found, sandboxes)
            self._without_members.discard(plan.network_id)
        found.ensure_hairpins(plan)
        return index


def _write_entries(index: int, wanted: Sequence[RemoteEntry]) -> None:
    found = neighbours.read_entries(index)
    changes = overlay_plan.entry_changes(
        wanted, neighbours=found.neighbours, forwarding=found.forwarding
    )
    neighbours.write_changes(index, changes)


def _put_back(plan: OverlayPlan, found: Links, sandboxes: Iterable[ContainerSandbox]) -> None:
    """The links of running containers are in the network's new bridge."""
    for sandbox in sandboxes:
        address = sandbox.addresses.get(plan.network_id)
        if address is None:
            continue
        try:
            with netns.open_namespace(sandbox.pid) as namespace:
                index = links.container_links(namespace).get(address)
        except NamespaceGone:
            continue
        if index is not None:
            found.ensure_member(plan, index)


def _is_same(existing: EngineNetwork, wanted: EngineNetwork) -> bool:
    """Labels and MTU do not make another network: they only concern containers to come."""
    return (
        existing.network_id == wanted.network_id
        and existing.subnet == wanted.subnet
        and existing.gateway == wanted.gateway
        and existing.bridge == wanted.bridge
        and existing.internal == wanted.internal
    )
