"""What the overlay of a node must look like: names, addresses and entries, all derived.

Each network of the cluster is, on every node that takes part in it, a plain bridge with the
network's gateway address of that node, and a VXLAN device in that bridge which carries frames to
the other nodes. Nothing is learnt from the wire and nothing is flooded: for every address that
lives elsewhere (a task, or another node's gateway) there is one forwarding entry (MAC address to
the node's data address) and one neighbour entry (overlay address to MAC address), from which the
VXLAN device answers ARP itself.

Terms: the *underlay* is the network between the nodes, a *data address* is a node's address on it.
"""

import ipaddress
from collections.abc import Iterable, Mapping

from stackctl.errors import PermanentFailure
from stackctl.model.assignment import AssignmentSet, NetworkAssignment, mac_address
from stackctl.model.structs import Model

VXLAN_OVERHEAD_BYTES = 50
LINK_NAME_MAX = 15

_BRIDGE_PREFIX = "sc-"
_VXLAN_PREFIX = "scx-"
_MTU_OPTION = "com.docker.network.driver.mtu"
_ENCRYPTED_OPTION = "encrypted"
_MTU_MIN = 576


class OverlayPlan(Model, frozen=True, kw_only=True):
    """One network as this node's links: a bridge, and the VXLAN device inside it."""

    network_id: str
    network_name: str
    bridge: str
    bridge_mac: str
    gateway: str
    prefix_length: int
    subnet: str
    vxlan: str
    vni: int
    mtu: int
    internal: bool
    mark: str  # alias of both links: whose they are


class RemoteEntry(Model, frozen=True, kw_only=True):
    """An address that lives on another node, as the VXLAN device must know it."""

    address: str
    mac: str
    data_address: str


class EntryChanges(Model, frozen=True, kw_only=True):
    """The difference between the entries of a VXLAN device and those it must have."""

    put: tuple[RemoteEntry, ...] = ()
    drop_neighbours: tuple[str, ...] = ()  # addresses
    drop_forwarding: tuple[str, ...] = ()  # MAC addresses


def bridge_name(network_id: str) -> str:
    """The bridge of a network; at most 15 characters, which is the kernel's limit."""
    return (_BRIDGE_PREFIX + network_id)[:LINK_NAME_MAX]


def vxlan_name(network_id: str) -> str:
    """The VXLAN device of a network."""
    return (_VXLAN_PREFIX + network_id)[:LINK_NAME_MAX]


def link_mark(cluster_id: str, network_id: str) -> str:
    """The alias by which a link is known to be ours; links without it are never touched."""
    return f"stackctl {cluster_id} {network_id}"


def marked_network(alias: str, cluster_id: str) -> str | None:
    """The network whose link bears this alias, or None when the link is not of this cluster."""
    words = alias.split()
    if len(words) == 3 and words[:2] == ["stackctl", cluster_id]:
        return words[2]
    return None


def plan_overlay(network: NetworkAssignment, *, cluster_id: str, underlay_mtu: int) -> OverlayPlan:
    """The links of one network. Raises `PermanentFailure` for what this node cannot provide."""
    if _is_on(network.driver_options.get(_ENCRYPTED_OPTION)):
        raise PermanentFailure(
            f"network {network.name} asks for encryption, which this agent does not provide;"
            f" it is not carried in clear instead"
        )
    subnet = ipaddress.IPv4Network(network.subnet)
    return OverlayPlan(
        network_id=network.id,
        network_name=network.name,
        bridge=bridge_name(network.id),
        bridge_mac=mac_address(network.gateway),
        gateway=network.gateway,
        prefix_length=subnet.prefixlen,
        subnet=str(subnet),
        vxlan=vxlan_name(network.id),
        vni=network.vni,
        mtu=_mtu(network, underlay_mtu - VXLAN_OVERHEAD_BYTES),
        internal=network.internal,
        mark=link_mark(cluster_id, network.id),
    )


def remote_entries(
    assignment: AssignmentSet, *, data_address: str
) -> Mapping[str, tuple[RemoteEntry, ...]]:
    """What each network's VXLAN device must know, by network id; addresses of this node are left
    out."""
    entries: dict[str, dict[str, RemoteEntry]] = {}
    for neighbour in assignment.neighbours:
        if neighbour.data_address == data_address:
            continue
        entries.setdefault(neighbour.network_id, {})[neighbour.address] = RemoteEntry(
            address=neighbour.address,
            mac=mac_address(neighbour.address),
            data_address=neighbour.data_address,
        )
    return {network_id: tuple(known.values()) for network_id, known in entries.items()}


def entry_changes(
    wanted: Iterable[RemoteEntry],
    *,
    neighbours: Mapping[str, str],
    forwarding: Mapping[str, str],
) -> EntryChanges:
    """What to change on a device whose `neighbours` (address to MAC) and `forwarding` (MAC to data
    address) were read from the kernel."""
    wanted = tuple(wanted)
    addresses = {entry.address for entry in wanted}
    macs = {entry.mac for entry in wanted}
    return EntryChanges(
        put=tuple(
            entry
            for entry in wanted
            if neighbours.get(entry.address) != entry.mac
            or forwarding.get(entry.mac) != entry.data_address
        ),
        drop_neighbours=tuple(address for address in neighbours if address not in addresses),
        drop_forwarding=tuple(mac for mac in forwarding if mac not in macs),
    )


def _mtu(network: NetworkAssignment, default: int) -> int:
    stated = network.driver_options.get(_MTU_OPTION)
    if stated is None:
        return default
    if not stated.isdecimal() or not _MTU_MIN <= int(stated) <= default:
        raise PermanentFailure(
            f"network {network.name}: {_MTU_OPTION} {stated!r} is no MTU between {_MTU_MIN} and"
            f" {default}, which is what the nodes' network leaves"
        )
    return int(stated)


def _is_on(option: str | None) -> bool:
    return option is not None and option.lower() not in ("false", "0", "no")
