"""Tracked connections whose destination was translated: reading and forgetting them.

Over netlink, because the `conntrack` program need not be installed. Works in the namespace of the
calling thread. A kernel that does not tell its connections costs comfort, not correctness: they
then end when they time out, so that is logged and is no failure.

A TCP connection that is over is left alone: a client that takes its port again opens it anew, by
the rules of then. Forgetting it would not be idle only, but wrong: the kernel gives the new
connection the identity of the one it replaces (same addresses, often the same memory), so that one
that is opened between reading and forgetting would be cut in place of the old one.
"""

import logging
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from agent.core.stale_connections import Connection
from agent.drivers import netlink
from agent.drivers.netlink import NetlinkSocket

_GET = 1 << 8 | 1
_DELETE = 1 << 8 | 2
_GET_STATISTICS = 1 << 8 | 5
_STATISTICS_ENTRIES = 1
_NETFILTER_HEADER = struct.pack("!BBH", socket.AF_INET, 0, 0)

_TUPLE_ORIGINAL = 1
_TUPLE_REPLY = 2
_STATUS = 3
_PROTOCOL_STATE = 4
_MARK = 8
_ID = 12
_ZONE = 18
_MARK_MASK = 21
_TUPLE_IP = 1
_TUPLE_PROTOCOL = 2
_IP_SOURCE = 1
_IP_DESTINATION = 2
_PROTOCOL_NUMBER = 1
_PROTOCOL_DESTINATION_PORT = 3
_TCP = 1
_TCP_STATE = 1

_SEEN_REPLY = 1 << 1
_DESTINATION_TRANSLATED = 1 << 5
_PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
_TIME_WAIT, _CLOSE = 7, 8

# An unanswered connection to a living backend may simply be a millisecond old.
_SECOND_LOOK_SECONDS = 0.05
_log = logging.getLogger(__name__)

Choice = Callable[[Iterable[Connection]], Sequence[Connection]]


def forget_stale(choose: Choice, stack: ExitStack, *, mark: int = 0) -> None:
    """Forget the connections that `choose` names; those just begun get a moment to be answered.

    With `mark` only connections that bear it are looked at, and the kernel does the sorting.
    `stack` gets the socket to be closed later.
    """
    try:
        netfilter = stack.enter_context(NetlinkSocket(netlink.NETFILTER))
        if _count(netfilter) == 0:
            return
        stale = choose(_read_translated(netfilter, mark))
        begun = {connection.handle for connection in stale if not connection.answered}
        if begun:
            time.sleep(_SECOND_LOOK_SECONDS)
            stale = [
                connection
                for connection in choose(_read_translated(netfilter, mark))
                if connection.answered or connection.handle in begun
            ]
        _forget(netfilter, stale)
    except OSError as error:
        _log.warning("connections to withdrawn backends were not looked through: %s", error)


def _count(netfilter: NetlinkSocket) -> int:
    """How many connections the namespace has: cheap, while a dump walks the machine's table."""
    answer = netfilter.ask(_GET_STATISTICS, _NETFILTER_HEADER)
    found = netlink.attributes(answer[len(_NETFILTER_HEADER) :])
    return int.from_bytes(found.get(_STATISTICS_ENTRIES, b""), "big")


def _read_translated(netfilter: NetlinkSocket, mark: int) -> list[Connection]:
    """The IPv4 connections that were sent elsewhere than their clients said, and are not over."""
    request = _NETFILTER_HEADER
    if mark:
        packed = struct.pack("!I", mark)
        request += netlink.attribute(_MARK, packed) + netlink.attribute(_MARK_MASK, packed)
    found = [
        _connection(netlink.attributes(body[len(_NETFILTER_HEADER) :]))
        for body in netfilter.dump(_GET, request)
    ]
    return [connection for connection in found if connection is not None]


def _forget(netfilter: NetlinkSocket, connections: Sequence[Connection]) -> None:
    """Drop them; one that has ended by itself is no failure."""
    netfilter.execute(
        [(_DELETE, 0, _NETFILTER_HEADER + connection.handle) for connection in connections]
    )


def _is_over(protocol_state: bytes) -> bool:
    """Whether both sides have closed, or one was reset; protocols without states never are."""
    of_tcp = netlink.attributes(protocol_state).get(_TCP, b"")
    state = netlink.attributes(of_tcp).get(_TCP_STATE, b"")
    return int.from_bytes(state, "big") in (_TIME_WAIT, _CLOSE)


def _connection(values: dict[int, bytes]) -> Connection | None:
    status = int.from_bytes(values.get(_STATUS, b""), "big")
    if not status & _DESTINATION_TRANSLATED or _is_over(values.get(_PROTOCOL_STATE, b"")):
        return None
    original = netlink.attributes(values[_TUPLE_ORIGINAL])
    reply = netlink.attributes(values[_TUPLE_REPLY])
    addresses = netlink.attributes(original[_TUPLE_IP])
    protocol = netlink.attributes(original[_TUPLE_PROTOCOL])
    handle = netlink.attribute(_TUPLE_ORIGINAL | netlink.NESTED, values[_TUPLE_ORIGINAL])
    for kind in (_ID, _ZONE):
        if kind in values:
            handle += netlink.attribute(kind, values[kind])
    return Connection(
        protocol=_PROTOCOLS.get(protocol[_PROTOCOL_NUMBER][0], ""),
        address=socket.inet_ntoa(addresses[_IP_DESTINATION]),
        port=int.from_bytes(protocol.get(_PROTOCOL_DESTINATION_PORT, b""), "big"),
        backend=socket.inet_ntoa(netlink.attributes(reply[_TUPLE_IP])[_IP_SOURCE]),
        answered=bool(status & _SEEN_REPLY),
        mark=int.from_bytes(values.get(_MARK, b""), "big"),
        handle=handle,
    )
