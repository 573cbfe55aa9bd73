"""Reading links and addresses of the calling thread's namespace, as far as the overlay needs them.

By bare netlink: each round of the agent looks at all links, and pyroute2 needs some milliseconds
for every one of them.
"""

import socket
import struct
from collections.abc import Mapping
from enum import IntEnum

from agent.drivers import netlink
from agent.drivers.netlink import NetlinkSocket
from stackctl.model.structs import Model

_GET_LINK = 18
_GET_ADDRESS = 22
LINK_MESSAGE = struct.Struct("=BxHiII")
_ADDRESS_MESSAGE = struct.Struct("=BBBBI")
_FILTER = 29
_WITHOUT_STATISTICS = struct.pack("=I", 1 << 3)
_UP = 1
_KIND = 1
_DATA = 2
_SLAVE_DATA = 5
_BRIDGE_PORT_HAIRPIN = 4
_LOCAL_ADDRESS = 2


class LinkAttribute(IntEnum):
    """Numbers of a link's attributes."""

    MAC = 1
    NAME = 3
    MTU = 4
    PEER = 5
    MASTER = 10
    INFORMATION = 18
    ALIAS = 20


class VxlanAttribute(IntEnum):
    """Numbers of a VXLAN device's parameters."""

    ID = 1
    LOCAL = 4
    LEARNING = 7
    PROXY = 11
    PORT = 15


class VxlanParameters(Model, frozen=True, kw_only=True):
    """What makes a VXLAN device the one it is: none of this can be changed later."""

    vni: int
    local: str
    port: int
    learning: bool = False
    proxy: bool = True  # answers ARP from its neighbour entries


class Link(Model, frozen=True, kw_only=True):
    """One link."""

    index: int
    name: str
    mac: str
    mtu: int
    is_up: bool
    master: int = 0  # index of its bridge
    peer: int = 0  # index of a cable's other end, in the namespace where that is
    alias: str = ""
    kind: str = ""
    has_hairpin: bool = False
    vxlan: VxlanParameters | None = None


class LinkAddress(Model, frozen=True, kw_only=True):
    """One IPv4 address of a link."""

    index: int
    address: str
    prefix_length: int


def read_links() -> dict[str, Link]:
    """All links by name. Raises `OSError`."""
    request = LINK_MESSAGE.pack(0, 0, 0, 0, 0) + netlink.attribute(_FILTER, _WITHOUT_STATISTICS)
    with NetlinkSocket(netlink.ROUTE) as route:
        links = [_link(body) for body in route.dump(_GET_LINK, request)]
    return {link.name: link for link in links}


def index_of(name: str) -> int | None:
    """The index of one link, without reading the others; None when there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def read_addresses() -> list[LinkAddress]:
    """All IPv4 addresses. Raises `OSError`."""
    request = _ADDRESS_MESSAGE.pack(socket.AF_INET, 0, 0, 0, 0)
    with NetlinkSocket(netlink.ROUTE) as route:
        bodies = list(route.dump(_GET_ADDRESS, request))
    addresses: list[LinkAddress] = []
    for body in bodies:
        _family, prefix_length, _flags, _scope, index = _ADDRESS_MESSAGE.unpack_from(body)
        local = netlink.attributes(body[_ADDRESS_MESSAGE.size :]).get(_LOCAL_ADDRESS)
        if local is not None:
            addresses.append(
                LinkAddress(
                    index=index, address=socket.inet_ntoa(local), prefix_length=prefix_length
                )
            )
    return addresses


def _link(body: bytes) -> Link:
    _family, _type, index, flags, _change = LINK_MESSAGE.unpack_from(body)
    values = netlink.attributes(body[LINK_MESSAGE.size :])
    information = netlink.attributes(values.get(LinkAttribute.INFORMATION, b""))
    kind = _text(information.get(_KIND, b""))
    port = netlink.attributes(information.get(_SLAVE_DATA, b""))
    return Link(
        index=index,
        name=_text(values.get(LinkAttribute.NAME, b"")),
        mac=values.get(LinkAttribute.MAC, b"").hex(":"),
        mtu=_number(values.get(LinkAttribute.MTU)),
        is_up=bool(flags & _UP),
        master=_number(values.get(LinkAttribute.MASTER)),
        peer=_number(values.get(LinkAttribute.PEER)),
        alias=_text(values.get(LinkAttribute.ALIAS, b"")),
        kind=kind,
        # Other kinds of masters number their own settings: only a container's cable is asked.
        has_hairpin=kind == "veth" and any(port.get(_BRIDGE_PORT_HAIRPIN, b"")),
        vxlan=_vxlan(netlink.attributes(information.get(_DATA, b""))) if kind == "vxlan" else None,
    )


def _vxlan(values: Mapping[int, bytes]) -> VxlanParameters:
    local = values.get(VxlanAttribute.LOCAL)
    return VxlanParameters(
        vni=_number(values.get(VxlanAttribute.ID)),
        local=socket.inet_ntoa(local) if local else "",
        port=int.from_bytes(values.get(VxlanAttribute.PORT, b""), "big"),
        learning=any(values.get(VxlanAttribute.LEARNING, b"")),
        proxy=any(values.get(VxlanAttribute.PROXY, b"")),
    )


def _number(value: bytes | None) -> int:
    return 0 if value is None else int(struct.unpack("=I", value)[0])


def _text(value: bytes) -> str:
    return value.rstrip(b"\x00").decode(errors="replace")
