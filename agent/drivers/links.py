"""The links of the overlay: bridges put right, VXLAN devices made and removed. Home of pyroute2.

The engine makes the bridge of a network; what is done here keeps it as the plan says (MAC address,
MTU, gateway address, kernel settings), and makes it anew, with the containers' links in it, when
somebody has deleted it under the engine.
"""

import errno
import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from agent.core import overlay_plan
from agent.core.overlay_plan import OverlayPlan
from agent.drivers.netns import Namespace
from stackctl.errors import TemporaryFailure

_UP = 1
_RETRY_SECONDS = 1.0

# Kernel settings of a bridge. `localhost` reaches published ports only when the bridge routes
# loopback addresses; an answer of a container with several networks may come in by another bridge
# than the question went out, which a strict reverse path check would drop.
_BRIDGE_SETTINGS = {"route_localnet": "1", "rp_filter": "2"}


class Links:
    """One look at the links of the node, and the changes that follow from it.

    Short-lived: read once when opened (`open_links`), kept up by its own changes. Not for several
    threads at a time. All methods raise `TemporaryFailure` naming the link.
    """

    def __init__(self, route: Any) -> None:
        self._route = route
        self._links: dict[str, Any] = {}
        self.reread()

    def underlay_mtu(self, data_address: str) -> int:
        """The MTU of the link that bears the data address."""
        with _explained(f"address {data_address}"):
            found = list(self._route.get_addr(address=data_address))
        indexes = {address["index"] for address in found}
        for link in self._links.values():
            if link["index"] in indexes:
                return int(link.get("mtu"))
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
        return None if link is None else int(link["index"])

    def ensure_bridge(self, plan: OverlayPlan) -> bool:
        """The network's bridge is there and as planned; True when it had to be made."""
        with _explained(f"bridge {plan.bridge} of network {plan.network_name}"):
            is_new = plan.bridge not in self._links
            if is_new:
                self._add(ifname=plan.bridge, kind="bridge")
            self._settle(
                self._links[plan.bridge],
                address=plan.bridge_mac,
                mtu=plan.mtu,
                ifalias=plan.mark,
                state="up",
            )
            self._ensure_address(plan)
            for name, value in _BRIDGE_SETTINGS.items():
                _write_setting(plan.bridge, name, value)
        return is_new

    def ensure_vxlan(self, plan: OverlayPlan, *, data_address: str, port: int) -> int:
        """The network's VXLAN device is in its bridge; its index. One with other parameters is
        replaced (which forgets its entries)."""
        wanted = {
            "vxlan_id": plan.vni,
            "vxlan_local": data_address,
            "vxlan_port": port,
            "vxlan_learning": 0,
            "vxlan_proxy": 1,
        }
        with _explained(f"VXLAN device {plan.vxlan} of network {plan.network_name}"):
            found = self._links.get(plan.vxlan)
            if found is not None and not _has_parameters(found, wanted):
                self._delete(plan.vxlan)
                found = None
            if found is None:
                self._add(ifname=plan.vxlan, kind="vxlan", mtu=plan.mtu, **wanted)
            self._settle(
                self._links[plan.vxlan],
                mtu=plan.mtu,
                ifalias=plan.mark,
                master=self._links[plan.bridge]["index"],
                state="up",
            )
        return int(self._links[plan.vxlan]["index"])

    def marked(self, cluster_id: str) -> list[tuple[str, str]]:
        """The links of the cluster, bridges and VXLAN devices: (name, network id)."""
        found = [
            (name, overlay_plan.marked_network(link.get("ifalias") or "", cluster_id))
            for name, link in self._links.items()
        ]
        return [(name, network_id) for name, network_id in found if network_id is not None]

    def remove_link(self, name: str) -> None:
        """Delete a link; one that is not there is no failure."""
        with _explained(f"link {name}"):
            if name in self._links:
                self._delete(name)

    def ensure_member(self, plan: OverlayPlan, index: int) -> None:
        """The link with this index (a container's) is in the network's bridge."""
        bridge = self._links[plan.bridge]["index"]
        for link in self._links.values():
            if link["index"] == index and link.get("master") != bridge:
                with _explained(f"link {link.get('ifname')} of network {plan.network_name}"):
                    self._route.link("set", index=index, master=bridge, state="up")

    def reread(self) -> None:
        """Look again, after somebody else has changed links."""
        with _explained("links"):
            self._links = {link.get("ifname"): link for link in self._route.get_links()}

    def ensure_hairpins(self, plan: OverlayPlan) -> None:
        """The network's bridge hands a frame back to the port it came from. A container that is
        given to itself as the backend of a published port needs that, because the firewall's
        bridge hooks translate the address before the frame has left the bridge."""
        bridge = self._links[plan.bridge]["index"]
        for name, link in self._links.items():
            is_container = link.get("master") == bridge and name != plan.vxlan
            if is_container and not _has_hairpin(link):
                with _explained(f"link {name} of network {plan.network_name}"):
                    self._route.brport("set", index=link["index"], mode=1)

    def _reread_one(self, name: str) -> None:
        found = list(self._route.link("get", ifname=name))
        self._links[name] = found[0]

    def _add(self, *, ifname: str, **parameters: object) -> None:
        self._route.link("add", ifname=ifname, **parameters)
        self._reread_one(ifname)

    def _delete(self, name: str) -> None:
        link = self._links.pop(name)
        try:
            self._route.link("del", index=link["index"])
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise

    def _settle(self, link: Any, **wanted: object) -> None:
        is_up = bool(link["flags"] & _UP)
        changes = {
            name: value
            for name, value in wanted.items()
            if (name == "state" and not is_up) or (name != "state" and link.get(name) != value)
        }
        if changes:
            self._route.link("set", index=link["index"], **changes)
            self._reread_one(link.get("ifname"))

    def _ensure_address(self, plan: OverlayPlan) -> None:
        index = self._links[plan.bridge]["index"]
        found = {
            (address.get("address"), address["prefixlen"])
            for address in self._route.get_addr(index=index, family=2)
        }
        wanted = (plan.gateway, plan.prefix_length)
        if wanted not in found:
            broadcast = ipaddress.IPv4Network(plan.subnet).broadcast_address
            self._route.addr(
                "add",
                index=index,
                address=plan.gateway,
                prefixlen=plan.prefix_length,
                broadcast=str(broadcast),
            )


@contextmanager
def open_links() -> Iterator[Links]:
    """The links of the node's own namespace. Raises `TemporaryFailure`."""
    with ExitStack() as stack:
        with _explained("links"):
            route = stack.enter_context(IPRoute())
        yield Links(route)


def container_links(namespace: Namespace) -> Mapping[str, int]:
    """By address, the index of the node's link at the other end of each link of a container."""

    def read(_stack: ExitStack) -> Mapping[str, int]:
        with IPRoute() as route:
            peers = {link["index"]: link.get("link") for link in route.get_links()}
            return {
                address.get("address"): peers[address["index"]]
                for address in route.get_addr(family=2)
                if peers.get(address["index"])
            }

    with _explained("a container's links"):
        return namespace.run(read)


def _has_parameters(link: Any, wanted: Mapping[str, object]) -> bool:
    information = link.get_attr("IFLA_LINKINFO")
    data = information.get_attr("IFLA_INFO_DATA") if information else None
    if data is None:
        return False
    return all(data.get_attr(f"IFLA_{name.upper()}") == value for name, value in wanted.items())


def _has_hairpin(link: Any) -> bool:
    information = link.get_attr("IFLA_LINKINFO")
    data = information.get_attr("IFLA_INFO_SLAVE_DATA") if information else None
    return data is not None and bool(data.get_attr("IFLA_BRPORT_MODE"))


def _write_setting(link: str, name: str, value: str) -> None:
    path = Path("/proc/sys/net/ipv4/conf") / link / name
    if path.read_text().strip() != value:
        path.write_text(value)


@contextmanager
def _explained(subject: str) -> Iterator[None]:
    try:
        yield
    except (NetlinkError, OSError) as error:
        raise TemporaryFailure(f"{subject}: {error}", retry_after_seconds=_RETRY_SECONDS) from error
