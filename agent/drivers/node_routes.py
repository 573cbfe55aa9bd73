"""The node's own IPv4 routes, which overlay subnets must keep clear of."""

import ipaddress
from pathlib import Path

_TABLE = Path("/proc/net/route")
_FLAG_UP = 0x1


def read_routes(table: Path = _TABLE, *, without_prefixes: tuple[str, ...] = ()) -> tuple[str, ...]:
    """CIDRs of the routes in force, sorted, the default route left out.

    Routes through an interface whose name begins with one of `without_prefixes` are left out too:
    the overlays' own bridges are no obstacle to overlays.
    """
    try:
        lines = table.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return ()
    found = set()
    for line in lines:
        words = line.split()
        if len(words) < 8 or not int(words[3], 16) & _FLAG_UP:
            continue
        interface, destination, mask = words[0], words[1], words[7]
        if int(mask, 16) == 0 or interface.startswith(without_prefixes or ("\0",)):
            continue
        network = ipaddress.IPv4Network((_address(destination), _address(mask)), strict=False)
        found.add(network)
    return tuple(str(network) for network in sorted(found))


def _address(text: str) -> str:
    # The kernel prints the four bytes as one number in the machine's own byte order; both
    # architectures we run on are little-endian.
    return str(ipaddress.IPv4Address(bytes.fromhex(text)[::-1]))
