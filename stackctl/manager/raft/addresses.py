"""Addresses of members: `IP:PORT`, `[IPv6]:PORT`. IP literals only: no resolver can block us."""

import ipaddress

from stackctl.errors import InputError


def split_address(address: str) -> tuple[str, int]:
    """The IP and the port of an address. Raises InputError."""
    ip, separator, port = address.rpartition(":")
    ip = ip.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(ip)
        number = int(port)
    except ValueError:
        number = -1
    if not separator or not 0 < number < 65536:
        raise InputError(
            f"'{address}' is not an address of a manager",
            hint="write IP:PORT, for example 192.0.2.10:4242; host names are not resolved here",
        )
    return ip, number
