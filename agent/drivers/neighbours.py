"""Forwarding and neighbour entries of VXLAN devices: reading them all, writing differences."""

import errno
import os
import socket
import struct
from collections.abc import Mapping, Sequence

from agent.core.overlay_plan import EntryChanges
from agent.drivers import netlink
from agent.drivers.netlink import NetlinkSocket
from stackctl.errors import TemporaryFailure
from stackctl.model.structs import Model

_NEW_NEIGHBOUR = 28
_DELETE_NEIGHBOUR = 29
_GET_NEIGHBOUR = 30
_FAMILY_BRIDGE = 7
_PERMANENT = 0x80
_NO_ARP = 0x40
_FLAG_SELF = 0x02
_ADDRESS = 1  # of a neighbour entry the IP address, of a forwarding entry the data address
_MAC = 2
_INTERFACE_INDEX = 8

_MESSAGE = struct.Struct("=BxxxiHBB")
_RETRY_SECONDS = 1.0


class DeviceEntries(Model, frozen=True, kw_only=True):
    """What a device knows: neighbours (address to MAC), forwarding (MAC to data address)."""

    neighbours: Mapping[str, str] = {}
    forwarding: Mapping[str, str] = {}


def read_entries(index: int) -> DeviceEntries:
    """The entries of one device that somebody has set."""
    neighbours: dict[str, str] = {}
    forwarding: dict[str, str] = {}
    with NetlinkSocket(netlink.ROUTE) as route:
        of_device = netlink.attribute(_INTERFACE_INDEX, struct.pack("=i", index))
        for found, state, values in _dump(route, socket.AF_INET, 0, of_device):
            if found == index and state & _PERMANENT and _MAC in values:
                neighbours[socket.inet_ntoa(values[_ADDRESS])] = values[_MAC].hex(":")
        for found, _state, values in _dump(route, _FAMILY_BRIDGE, index, b""):
            if found == index and _ADDRESS in values and _MAC in values:
                forwarding[values[_MAC].hex(":")] = socket.inet_ntoa(values[_ADDRESS])
    return DeviceEntries(neighbours=neighbours, forwarding=forwarding)


def write_changes(index: int, changes: EntryChanges) -> None:
    """Apply differences; an entry to drop that is gone already is no failure.

    Raises `TemporaryFailure`.
    """
    messages: list[tuple[int, int, bytes]] = []
    put = netlink.CREATE | netlink.REPLACE
    for entry in changes.put:
        messages += [
            (_NEW_NEIGHBOUR, put, _forwarding(index, entry.mac, entry.data_address)),
            (_NEW_NEIGHBOUR, put, _neighbour(index, entry.address, entry.mac)),
        ]
    messages += [
        (_DELETE_NEIGHBOUR, 0, _neighbour(index, address)) for address in changes.drop_neighbours
    ]
    messages += [(_DELETE_NEIGHBOUR, 0, _forwarding(index, mac)) for mac in changes.drop_forwarding]
    if not messages:
        return
    with NetlinkSocket(netlink.ROUTE) as route:
        codes = route.execute(messages)
    failed = [
        code
        for (kind, _flags, _payload), code in zip(messages, codes, strict=True)
        if code and not (kind == _DELETE_NEIGHBOUR and code == errno.ENOENT)
    ]
    if failed:
        raise TemporaryFailure(
            f"{len(failed)} of {len(messages)} overlay entries refused: {os.strerror(failed[0])}",
            retry_after_seconds=_RETRY_SECONDS,
        )


def _dump(
    route: NetlinkSocket, family: int, index: int, filters: bytes
) -> Sequence[tuple[int, int, Mapping[int, bytes]]]:
    request = _MESSAGE.pack(family, index, 0, 0, 0) + filters
    entries: list[tuple[int, int, Mapping[int, bytes]]] = []
    for body in route.dump(_GET_NEIGHBOUR, request):
        _family, found, state, _flags, _type = _MESSAGE.unpack_from(body)
        entries.append((found, state, netlink.attributes(body[_MESSAGE.size :])))
    return entries


def _neighbour(index: int, address: str, mac: str = "") -> bytes:
    return (
        _MESSAGE.pack(socket.AF_INET, index, _PERMANENT, 0, 0)
        + netlink.attribute(_ADDRESS, socket.inet_aton(address))
        + (netlink.attribute(_MAC, bytes.fromhex(mac.replace(":", ""))) if mac else b"")
    )


def _forwarding(index: int, mac: str, data_address: str = "") -> bytes:
    return (
        _MESSAGE.pack(_FAMILY_BRIDGE, index, _PERMANENT | _NO_ARP, _FLAG_SELF, 0)
        + netlink.attribute(_MAC, bytes.fromhex(mac.replace(":", "")))
        + (netlink.attribute(_ADDRESS, socket.inet_aton(data_address)) if data_address else b"")
    )
