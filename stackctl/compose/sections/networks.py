"""The top-level `networks`, with the management of their addresses."""

import ipaddress

from stackctl.compose.grammar.names import NETWORK_NAME_LENGTH_MAX, RESERVED_NETWORK_NAMES
from stackctl.compose.parts.objects import Ipam, IpamPool, Network
from stackctl.compose.problems import shown
from stackctl.compose.sections.naming import read_naming, refuse_beside_external
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, filled_text, labels, options, text

_POOLS_MAX = 64

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def read_network(key: str, value: Value, stack_name: str) -> Network:
    """One network; without settings, engine and cluster choose everything."""
    fields = Fields(value, or_null=True)
    naming = read_naming(
        fields, key=key, value=value, stack_name=stack_name, length_max=NETWORK_NAME_LENGTH_MAX
    )
    network = Network(
        key,
        value.key_place,
        naming.name,
        external=naming.external,
        labels=fields.read("labels", labels, {}),
        driver=fields.read("driver", filled_text, ""),
        driver_options=fields.read("driver_opts", options, {}),
        ipam=fields.read("ipam", _ipam, None),
        internal=fields.read("internal", boolean, False),
        attachable=fields.read("attachable", boolean, False),
        enable_ipv4=fields.read("enable_ipv4", boolean, None),
        enable_ipv6=fields.read("enable_ipv6", boolean, None),
        extensions=fields.extensions(),
    )
    fields.finish()
    if naming.external:
        refuse_beside_external(value)
    elif naming.given is not None and naming.name in RESERVED_NETWORK_NAMES:
        naming.given.problem(
            f"{naming.name} is a network of the engine itself", "choose another name"
        )
    return network


def _ipam(value: Value) -> Ipam:
    fields = Fields(value)
    ipam = Ipam(
        driver=fields.read("driver", filled_text, ""),
        options=fields.read("options", options, {}),
        pools=fields.read("config", _pools, ()),
    )
    fields.finish()
    return ipam


def _pools(value: Value) -> tuple[IpamPool, ...]:
    items = value.items("a list of subnets")
    if len(items) > _POOLS_MAX:
        value.problem(f"a network has at most {_POOLS_MAX} subnets")
    return tuple(_pool(item) for item in items[:_POOLS_MAX])


def _pool(item: Value) -> IpamPool:
    fields = Fields(item)
    subnet_value = fields.get("subnet")
    range_value = fields.get("ip_range")
    gateway_value = fields.get("gateway")
    reserved = fields.get("aux_addresses")
    fields.finish()
    subnet = None if subnet_value is None else _subnet(subnet_value)
    ip_range = None if range_value is None else _network(range_value)
    if range_value is not None and ip_range is not None and subnet is not None:
        _check_within(range_value, ip_range, subnet)
    entries = {} if reserved is None else reserved.entries()
    return IpamPool(
        subnet=_shown_or_empty(subnet),
        ip_range=_shown_or_empty(ip_range),
        gateway="" if gateway_value is None else _address(gateway_value, subnet),
        aux_addresses={name: _address(inner, subnet) for name, inner in entries.items()},
        place=item.place if subnet_value is None else subnet_value.place,
    )


def _shown_or_empty(network: IpNetwork | None) -> str:
    return "" if network is None else str(network)


def _network(value: Value) -> IpNetwork | None:
    written = text(value)
    if not isinstance(value.written, str):
        return None
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        value.problem(f"{shown(written)!r} is no subnet such as 10.7.0.0/24")
        return None
    if ipaddress.ip_interface(written).ip != network.network_address:
        value.problem(f"{written} has bits behind its prefix", f"did you mean {network}?")
    return network


def _subnet(value: Value) -> IpNetwork | None:
    network = _network(value)
    unusable = network is not None and (
        network.is_multicast or network.is_loopback or network.prefixlen == 0
    )
    if unusable:
        value.problem(f"{network} cannot be used for containers")
    return network


def _check_within(value: Value, inner: IpNetwork, outer: IpNetwork) -> None:
    same = isinstance(inner, ipaddress.IPv4Network) == isinstance(outer, ipaddress.IPv4Network)
    if not same or inner.network_address not in outer or inner.broadcast_address not in outer:
        value.problem(f"{inner} is not within the subnet {outer}")


def _address(value: Value, subnet: IpNetwork | None) -> str:
    written = text(value)
    if not isinstance(value.written, str):
        return ""
    try:
        address: IpAddress = ipaddress.ip_address(written)
    except ValueError:
        value.problem(f"{shown(written)!r} is no IP address")
        return ""
    if subnet is not None and address not in subnet:
        value.problem(f"{address} is not within the subnet {subnet}")
    return str(address)
