"""Changing links and addresses in the calling thread's namespace, one netlink request for each.

By hand and not with pyroute2, though that is made for it: the agent makes six kinds of requests,
and the library costs 9 MB of the agent's 60, 0.2 s of its start, and an event loop per request.
"""

import os
import socket
import struct

from agent.drivers import netlink
from agent.drivers.link_table import LINK_MESSAGE, LinkAttribute, VxlanAttribute, VxlanParameters
from agent.drivers.netlink import NESTED, NetlinkSocket, attribute

_NEW_LINK = 16
_DELETE_LINK = 17
_SET_LINK = 19
_NEW_ADDRESS = 20
_EXCLUSIVE = 0x200
_FAMILY_BRIDGE = 7
_UP = 1
_ADDRESS_MESSAGE = struct.Struct("=BBBBI")
_ADDRESS = 1
_LOCAL = 2
_BROADCAST = 4
_PROTOCOL_INFORMATION = 12
_PORT_HAIRPIN = 4
_KIND = 1
_DATA = 2


def add_bridge(name: str) -> None:
    """Make a bridge. Raises `OSError`, as all functions here do."""
    _execute(_NEW_LINK, _message() + _name(name) + _information("bridge"), make=True)


def add_vxlan(name: str, parameters: VxlanParameters) -> None:
    """Make a VXLAN device."""
    data = b"".join(
        (
            attribute(VxlanAttribute.ID, struct.pack("=I", parameters.vni)),
            attribute(VxlanAttribute.LOCAL, socket.inet_aton(parameters.local)),
            attribute(VxlanAttribute.PORT, struct.pack("!H", parameters.port)),
            attribute(VxlanAttribute.LEARNING, bytes((parameters.learning,))),
            attribute(VxlanAttribute.PROXY, bytes((parameters.proxy,))),
        )
    )
    _execute(_NEW_LINK, _message() + _name(name) + _information("vxlan", data), make=True)


def set_link(index: int, *, mac: str = "", mtu: int = 0, alias: str = "", master: int = 0) -> None:
    """Change what is given, and set the link up."""
    payload = _message(index, flags=_UP)
    if mac:
        payload += attribute(LinkAttribute.MAC, bytes.fromhex(mac.replace(":", "")))
    if mtu:
        payload += attribute(LinkAttribute.MTU, struct.pack("=I", mtu))
    if alias:
        payload += attribute(LinkAttribute.ALIAS, alias.encode())
    if master:
        payload += attribute(LinkAttribute.MASTER, struct.pack("=I", master))
    _execute(_NEW_LINK, payload)


def set_hairpin(index: int) -> None:
    """A bridge's port hands frames back to where they came from."""
    port = attribute(_PROTOCOL_INFORMATION | NESTED, attribute(_PORT_HAIRPIN, b"\x01"))
    _execute(_SET_LINK, LINK_MESSAGE.pack(_FAMILY_BRIDGE, 0, index, 0, 0) + port)


def delete_link(index: int) -> None:
    """Delete a link."""
    _execute(_DELETE_LINK, _message(index))


def add_address(index: int, address: str, prefix_length: int, broadcast: str) -> None:
    """Give a link one more address."""
    packed = socket.inet_aton(address)
    payload = (
        _ADDRESS_MESSAGE.pack(socket.AF_INET, prefix_length, 0, 0, index)
        + attribute(_LOCAL, packed)
        + attribute(_ADDRESS, packed)
        + attribute(_BROADCAST, socket.inet_aton(broadcast))
    )
    _execute(_NEW_ADDRESS, payload, make=True)


def _message(index: int = 0, *, flags: int = 0) -> bytes:
    return LINK_MESSAGE.pack(0, 0, index, flags, flags)


def _name(name: str) -> bytes:
    return attribute(LinkAttribute.NAME, name.encode() + b"\x00")


def _information(kind: str, data: bytes = b"") -> bytes:
    values = attribute(_KIND, kind.encode())
    if data:
        values += attribute(_DATA | NESTED, data)
    return attribute(LinkAttribute.INFORMATION | NESTED, values)


def _execute(kind: int, payload: bytes, *, make: bool = False) -> None:
    flags = netlink.CREATE | _EXCLUSIVE if make else 0
    with NetlinkSocket(netlink.ROUTE) as route:
        (code,) = route.execute([(kind, flags, payload)])
    if code:
        raise OSError(code, os.strerror(code))
