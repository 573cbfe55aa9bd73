"""Connections that a container's process has not taken up yet, seen from outside.

A server that is asked to stop closes its listening sockets, and whoever is in their queue, or has
sent a request that was not read yet, is reset. No new connection comes once no node balances to the
task; so a stop waits until the last ones are taken up, which takes milliseconds. A task
that listens nowhere has nobody waiting, and is stopped at once.
"""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

WAIT_SECONDS_MAX = 1.0
LOOK_SECONDS = 0.01
QUIET_LOOKS = 10  # in a row: a connection on its way through the kernel is in no table
_LOOPBACK_END = f"{127:02X}"  # of an IPv4 address as the kernel writes it, last byte first
_ESTABLISHED, _SYN_RECEIVED, _LISTEN = "01", "03", "0A"

_log = logging.getLogger(__name__)


def await_taken_up(pid: int, *, processes: Path = Path("/proc")) -> bool:
    """Wait until nobody waits for the processes in the network namespace of `pid`.

    False when somebody still does after `WAIT_SECONDS_MAX`. A process that is gone has nobody.
    """
    if not is_listening(pid, processes=processes):
        return True
    ends_at = time.monotonic() + WAIT_SECONDS_MAX
    quiet = 0
    while True:
        quiet = 0 if waiting_count(pid, processes=processes) else quiet + 1
        if quiet >= QUIET_LOOKS:
            return True
        if time.monotonic() >= ends_at:
            _log.warning("connections to process %d still wait to be taken up", pid)
            return False
        time.sleep(LOOK_SECONDS)


def is_listening(pid: int, *, processes: Path = Path("/proc")) -> bool:
    """Whether others can connect: a listening socket other than on loopback, where the engine's own
    DNS server is.
    """
    return any(
        state == _LISTEN and not address.endswith(_LOOPBACK_END)
        for address, state, _received in _all_sockets(pid, processes)
    )


def waiting_count(pid: int, *, processes: Path = Path("/proc")) -> int:
    """How many connections wait: in handshake, to be accepted, or with bytes that nobody read."""
    return sum(
        _waiting(state, received) for _address, state, received in _all_sockets(pid, processes)
    )


def _all_sockets(pid: int, processes: Path) -> Iterator[tuple[str, str, int]]:
    for name in ("tcp", "tcp6"):
        yield from _sockets(processes / str(pid) / "net" / name)


def _sockets(table: Path) -> Iterator[tuple[str, str, int]]:
    """Own address, state and length of the receive queue of each socket."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:  # the process has ended, or the kernel has no IPv6
        return
    for line in lines:
        words = line.split()
        yield words[1].partition(":")[0], words[3], int(words[4].partition(":")[2], 16)


def _waiting(state: str, received: int) -> int:
    if state == _SYN_RECEIVED:
        return 1
    if state == _LISTEN:
        return received  # of a listening socket: connections in its queue
    return int(state == _ESTABLISHED and received > 0)
