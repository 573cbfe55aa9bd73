"""The links of the overlay: bridges put right, VXLAN devices made and removed.

The engine makes the bridge of a network; what is done here keeps it as the plan says (MAC address,
MTU, gateway address, kernel settings), and makes it anew, with the containers' links in it, when
somebody has deleted it under the engine.
"""

import errno
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.core import overlay_plan
from agent.core.overlay_plan import OverlayPlan
from agent.drivers import link_changes, link_table
from agent.drivers.link_table import Link, LinkAddress, VxlanParameters
from agent.drivers.netns import Namespace
from stackctl.errors import TemporaryFailure

_RETRY_SECONDS = 1.0

# Kernel settings of a bridge. `localhost` reaches published ports only when the bridge routes
# loopback addresses; an answer of a container with several networks may come in by another bridge
# than the question went out, which a strict reverse path check would drop.
_BRIDGE_SETTINGS = {"route_localnet": "1", "rp_filter": "2"}


class Links:
    """One look at the links of the node, and the changes that follow from it.

    Short-lived: read when made, kept up by its own changes. It belongs to the namespace of the
    calling thread, and to one thread at a time. All methods raise `TemporaryFailure` naming the
    link.
    """

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._addresses: list[LinkAddress] = []
        self.reread()

    def reread(self) -> None:
        """Look again, after somebody else has changed links."""
        with _explained("links"):
            self._links = link_table.read_links()
            self._addresses = link_table.read_addresses()

    def underlay_mtu(self, data_address: str) -> int:
        """The MTU of the link that bears the data address."""
        indexes = {found.index for found in self._addresses if found.address == data_address}
        for link in self._links.values():
            if link.index in indexes:
                return link.mtu
        raise TemporaryFailure(
            f"data address {data_address} is on no link of this node",
            retry_after_seconds=_RETRY_SECONDS,
        )

    def has_link(self, name: str) -> bool:
        """Whether there is a link of that name."""
        return name in self._links

    def index_of(self, name: str) -> int | None:
        """The index of the link of that name, if there is one."""
        link = self._links.get(name)
        return None if link is None else link.index

    def ensure_bridge(self, plan: OverlayPlan) -> bool:
        """The network's bridge is there and as planned; True when it had to be made."""
        with _explained(f"bridge {plan.bridge} of network {plan.network_name}"):
            is_new = plan.bridge not in self._links
            if is_new:
                self._change(lambda: link_changes.add_bridge(plan.bridge))
            link = self._links[plan.bridge]
            is_right = (
                (link.mac, link.mtu, link.alias) == (plan.bridge_mac, plan.mtu, plan.mark)
            ) and link.is_up
            if not is_right:
                self._change(
                    lambda: link_changes.set_link(
                        link.index, mac=plan.bridge_mac, mtu=plan.mtu, alias=plan.mark
                    )
                )
            self._ensure_address(plan)
            for name, value in _BRIDGE_SETTINGS.items():
                _write_setting(plan.bridge, name, value)
        return is_new

    def ensure_vxlan(self, plan: OverlayPlan, *, data_address: str, port: int) -> int:
        """The network's VXLAN device is in its bridge; its index. One with other parameters is
        replaced (which forgets its entries)."""
        wanted = VxlanParameters(vni=plan.vni, local=data_address, port=port)
        with _explained(f"VXLAN device {plan.vxlan} of network {plan.network_name}"):
            found = self._links.get(plan.vxlan)
            if found is not None and found.vxlan != wanted:
                self._delete(plan.vxlan)
                found = None
            if found is None:
                self._change(lambda: link_changes.add_vxlan(plan.vxlan, wanted))
            link = self._links[plan.vxlan]
            bridge = self._links[plan.bridge].index
            is_right = (link.mtu, link.alias, link.master) == (plan.mtu, plan.mark, bridge)
            if not (is_right and link.is_up):
                self._change(
                    lambda: link_changes.set_link(
                        link.index, mtu=plan.mtu, alias=plan.mark, master=bridge
                    )
                )
        return link.index

    def ensure_member(self, plan: OverlayPlan, index: int) -> None:
        """The link with this index (a container's) is in the network's bridge."""
        bridge = self._links[plan.bridge].index
        for link in tuple(self._links.values()):
            if link.index == index and link.master != bridge:
                with _explained(f"link {link.name} of network {plan.network_name}"):
                    self._change(lambda: link_changes.set_link(index, master=bridge))

    def ensure_hairpins(self, plan: OverlayPlan) -> None:
        """The network's bridge hands a frame back to the port it came from. A container that is
        given to itself as the backend of a published port needs that, because the firewall's
        bridge hooks translate the address before the frame has left the bridge."""
        bridge = self._links[plan.bridge].index
        for link in self._links.values():
            if link.kind == "veth" and link.master == bridge and not link.has_hairpin:
                with _explained(f"link {link.name} of network {plan.network_name}"):
                    link_changes.set_hairpin(link.index)

    def marked(self, cluster_id: str) -> list[tuple[str, str]]:
        """The links of the cluster, bridges and VXLAN devices: (name, network id)."""
        found = [
            (link.name, overlay_plan.marked_network(link.alias, cluster_id))
            for link in self._links.values()
        ]
        return [(name, network_id) for name, network_id in found if network_id is not None]

    def remove_link(self, name: str) -> None:
        """Delete a link; one that is not there is no failure."""
        with _explained(f"link {name}"):
            if name in self._links:
                self._delete(name)

    def _change(self, change: Callable[[], None]) -> None:
        change()
        self._links = link_table.read_links()

    def _delete(self, name: str) -> None:
        try:
            link_changes.delete_link(self._links.pop(name).index)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def _ensure_address(self, plan: OverlayPlan) -> None:
        index = self._links[plan.bridge].index
        found = {
            (known.address, known.prefix_length)
            for known in self._addresses
            if known.index == index
        }
        if (plan.gateway, plan.prefix_length) in found:
            return
        broadcast = ipaddress.IPv4Network(plan.subnet).broadcast_address
        link_changes.add_address(index, plan.gateway, plan.prefix_length, str(broadcast))
        self._addresses = link_table.read_addresses()


def container_links(namespace: Namespace) -> Mapping[str, int]:
    """By address, the index of the node's link at the other end of each link of a container."""

    def read(_stack: ExitStack) -> Mapping[str, int]:
        peers = {link.index: link.peer for link in link_table.read_links().values()}
        return {
            found.address: peers[found.index]
            for found in link_table.read_addresses()
            if peers.get(found.index)
        }

    with _explained("a container's links"):
        return namespace.run(read)


def _write_setting(link: str, name: str, value: str) -> None:
    path = Path("/proc/sys/net/ipv4/conf") / link / name
    if path.read_text().strip() != value:
        path.write_text(value)


@contextmanager
def _explained(subject: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TemporaryFailure(f"{subject}: {error}", retry_after_seconds=_RETRY_SECONDS) from error
