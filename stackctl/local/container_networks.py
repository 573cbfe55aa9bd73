"""A service's containers on their networks, in the engine's words: pure.

from 1.44  the engine takes all networks at the creation of a container, and a MAC address for
           each; before, one network is given, and the others are connected before the start
from 1.48  a network can be chosen for the default route
"""

from typing import Any, NamedTuple

from stackctl.compose.dependencies import service_of
from stackctl.compose.document import Document, PortUse, Service
from stackctl.compose.parts.attachments import NetworkUse
from stackctl.local import names
from stackctl.local.resources import network_name

Body = dict[str, Any]
API_ALL_NETWORKS = (1, 44)
API_GATEWAY_PRIORITY = (1, 48)
_INTERFACE_OPTION = "com.docker.network.endpoint.ifname"


class Attachment(NamedTuple):
    """One network of a container."""

    network: str  # full name
    body: Body


class Attachments(NamedTuple):
    """The mode for `HostConfig`, the networks of the creation, and those that are connected after.

    `mac_address` is for engines that want it beside the host name.
    """

    mode: str
    at_creation: tuple[Attachment, ...] = ()
    later: tuple[Attachment, ...] = ()
    mac_address: str = ""


def attachments(
    document: Document,
    stack_name: str,
    service: Service,
    *,
    name: str,
    api_version: tuple[int, int],
) -> Attachments:
    """How the container `name` is connected; the network of the highest priority comes first."""
    container = service.container
    if container.network_mode:
        mode = shared_mode(document, stack_name, container.network_mode)
        return Attachments(mode, mac_address=container.mac_address)
    uses = sorted(service.networks, key=lambda use: (-use.priority, use.key))
    if not uses:
        return Attachments("none")
    found = []
    for index, use in enumerate(uses):
        body = _endpoint(document, stack_name, service, use, api_version)
        body["Aliases"] = list(dict.fromkeys((name, *body["Aliases"])))
        if index == 0 and container.mac_address and api_version >= API_ALL_NETWORKS:
            body.setdefault("MacAddress", container.mac_address)
        found.append(Attachment(network_name(document, stack_name, use.key), body))
    count = len(found) if api_version >= API_ALL_NETWORKS else 1
    old_mac = "" if api_version >= API_ALL_NETWORKS else uses[0].mac_address
    return Attachments(
        found[0].network,
        tuple(found[:count]),
        tuple(found[count:]),
        old_mac or container.mac_address if api_version < API_ALL_NETWORKS else "",
    )


def shared_mode(document: Document, stack_name: str, mode: str) -> str:
    """A namespace's mode with the first container of a service for `service:NAME`."""
    other = service_of(mode)
    if other is None:
        return mode
    return f"container:{first_container(document, stack_name, other)}"


def first_container(document: Document, stack_name: str, key: str) -> str:
    """The name of a service's first container."""
    service = next(service for service in document.services if service.key == key)
    return names.container_name(stack_name, service, 1)


def port_bindings(service: Service) -> tuple[Body, Body]:
    """`ExposedPorts` and `PortBindings`; of a range over one port, the engine chooses one."""
    exposed: Body = {}
    for written in service.expose:
        numbers, _, protocol = written.partition("/")
        first, _, last = numbers.partition("-")
        for port in range(int(first), int(last or first) + 1):
            exposed[f"{port}/{protocol or 'tcp'}"] = {}
    bindings: dict[str, list[Body]] = {}
    for use in service.ports:
        key = f"{use.spec.target}/{use.spec.protocol}"
        exposed[key] = {}
        binding = {"HostIp": use.host_ip, "HostPort": _published(use)}
        if binding not in bindings.setdefault(key, []):
            bindings[key].append(binding)
    return exposed, bindings


def _published(use: PortUse) -> str:
    if use.one_of is not None:
        return f"{use.one_of[0]}-{use.one_of[1]}"
    return str(use.spec.published) if use.spec.published else ""


def _endpoint(
    document: Document,
    stack_name: str,
    service: Service,
    use: NetworkUse,
    api_version: tuple[int, int],
) -> Body:
    addresses = {
        "IPv4Address": use.ipv4_address,
        "IPv6Address": use.ipv6_address,
        "LinkLocalIPs": list(use.link_local_ips),
    }
    options = dict(use.driver_options)
    if use.interface_name:
        options[_INTERFACE_OPTION] = use.interface_name
    new = api_version >= API_ALL_NETWORKS
    optional: Body = {
        "IPAMConfig": {key: value for key, value in addresses.items() if value},
        "Links": _links(document, stack_name, service, use.key),
        "DriverOpts": options,
        "MacAddress": use.mac_address if new else "",
        "GwPriority": use.gateway_priority if api_version >= API_GATEWAY_PRIORITY else 0,
    }
    body = {key: value for key, value in optional.items() if value}
    body["Aliases"] = [service.key, *use.aliases]
    return body


def _links(document: Document, stack_name: str, service: Service, network: str) -> list[str]:
    """The links of one network: a link to a service that is not on it would lead nowhere."""
    there = {
        other.key for other in document.services if network in {use.key for use in other.networks}
    }
    inside = [
        f"{first_container(document, stack_name, link.key)}:{link.alias}"
        for link in service.links
        if link.key in there
    ]
    return [*inside, *(f"{link.container}:{link.alias}" for link in service.external_links)]
