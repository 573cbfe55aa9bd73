"""How a container finds other machines: `extra_hosts`, `dns`, `dns_search`."""

import ipaddress

from stackctl.compose.grammar.names import is_alias
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Value
from stackctl.compose.sections.scalars import filled_text, one_or_more, text

HOST_GATEWAY = "host-gateway"  # the engine replaces it by the node's own address


def read_extra_hosts(value: Value) -> tuple[str, ...]:
    """Lines `NAME:ADDRESS`, in the order of the file.

    Both forms are read: `{NAME: ADDRESS or a list}` and `[NAME=ADDRESS]` or `[NAME:ADDRESS]`, where
    commas separate several addresses.
    """
    lines: list[str] = []
    if value.is_mapping():
        for name, inner in value.entries().items():
            for item in one_or_more(inner):
                lines.extend(_host_lines(item, name, text(item)))
    else:
        for item in value.items("a mapping or a list of NAME=ADDRESS"):
            written = text(item)
            name, sign, addresses = written.partition("=")
            if not sign:
                name, sign, addresses = written.partition(":")
            lines.extend(_host_lines(item, name.strip(), addresses.strip()))
    return tuple(dict.fromkeys(lines))


def read_dns(value: Value) -> tuple[str, ...]:
    """Addresses of name servers."""
    servers = [(item, text(item)) for item in one_or_more(value)]
    for item, server in servers:
        if isinstance(item.written, str) and not _is_address(server):
            item.problem(f"{shown(server)!r} is no IP address")
    return tuple(server for _, server in servers)


def read_dns_search(value: Value) -> tuple[str, ...]:
    """Domains in which short names are looked up; `.` alone means none."""
    return tuple(filled_text(item) for item in one_or_more(value))


def _host_lines(item: Value, name: str, addresses: str) -> list[str]:
    if not isinstance(item.written, str):
        return []
    if not is_alias(name):
        item.problem(f"{shown(name)!r} cannot be the name of a host", "write NAME=ADDRESS")
        return []
    if not addresses:
        item.problem(f"no address for {shown(name)}", "write NAME=ADDRESS")
        return []
    lines: list[str] = []
    for written in addresses.split(","):
        address = written.strip().removeprefix("[").removesuffix("]")
        if address != HOST_GATEWAY and not _is_address(address):
            item.problem(f"{shown(address)!r} is neither an IP address nor {HOST_GATEWAY}")
        lines.append(f"{name}:{address}")
    return lines


def _is_address(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True
