"""The rules of a node as nftables text: ingress ports in the node's namespace, VIPs in each task's.

Both are one table, `ip stackctl`, rendered whole; applying the text replaces the table at once or
not at all. What is not in our tables is never written.

Ingress: a connection to a published port of any local address is marked (`INGRESS_MARK` in its
connection mark, by which the firewall's accept rule knows it) and sent to one backend at random.
The source address survives unless the answer would take another way back: then, for backends on
other nodes and for clients that are containers or the node's own loopback, the node's gateway
address takes its place. A port without backends is refused at once.

VIP: the translation happens in the client's own namespace, so the backend sees the client's
address; a VIP without backends is refused at once, too.

Choice is random and not in turn: a turn restarts with each rendering, and with as many short-lived
clients as there are containers, everybody's first turn would be the same backend's.

Ends: published TCP connections that are over are forgotten after seconds instead of two minutes
(table `ip stackctl-ends`, the same on every node). When a container ends, the engine forgets what
was tracked of its address. It names each connection by addresses and an identity, and the kernel
gives both to a new connection of a client that takes its port again: that one is cut instead. A
client has some 14,000 ports for one address, so at 1,000 requests a second they come round in
14 s.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from agent.core import overlay_plan
from stackctl.model.assignment import (
    AssignmentSet,
    Backend,
    EndpointAssignment,
    IngressAssignment,
    NetworkAssignment,
)

TABLE = "stackctl"
ENDS_TABLE = "stackctl-ends"
INGRESS_MARK = 0x1000_0000
ENDED_SECONDS = 2  # a FIN whose acknowledgement was lost has been repeated by then

# Before the engine's own chains (dstnat is -100, srcnat is 100), so that ours decide.
_DESTINATION_PRIORITY = -110
_SOURCE_PRIORITY = 90
_ENDS_PRIORITY = 95  # anywhere between the mark and the kernel's own last word on a connection
_REFUSE_PRIORITY = -10
_RAW_PRIORITY = -300
_DNS_PORT = 53
_HAS_MARK = f"ct mark & {INGRESS_MARK:#x} == {INGRESS_MARK:#x}"
_REPLACE = f"table ip {TABLE}\ndelete table ip {TABLE}\n"
_REFUSE_CHAIN = (
    "\tchain refuse {\n"
    "\t\tmeta l4proto tcp reject with tcp reset\n"
    "\t\treject with icmp type port-unreachable\n"
    "\t}\n"
)
_NOT_IN_COMMENTS = re.compile(r"[^A-Za-z0-9_.-]")
_COMMENT_MAX = 100


def render_removal() -> str:
    """Text that leaves no table of ours, whether there is one or not."""
    return _REPLACE


def render_ends() -> str:
    """The table that lets published connections be forgotten soon after their end. Applying it
    anew does not remove the policy, to which connections refer.
    """
    table = f"table ip {ENDS_TABLE}"
    return (
        f"{table} {{\n"
        "\tct timeout soon {\n"
        "\t\tprotocol tcp\n"
        "\t\tl3proto ip\n"
        f"\t\tpolicy = {{ time_wait : {ENDED_SECONDS}, close : {ENDED_SECONDS} }}\n"
        "\t}\n"
        "\tchain postrouting {\n"
        f"\t\ttype filter hook postrouting priority {_ENDS_PRIORITY}; policy accept;\n"
        "\t}\n"
        "}\n"
        f"flush chain ip {ENDS_TABLE} postrouting\n"
        f"{table} {{\n"
        "\tchain postrouting {\n"
        f'\t\tct state new {_HAS_MARK} meta l4proto tcp ct timeout set "soon"\n'
        "\t}\n"
        "}\n"
    )


def render_ends_removal() -> str:
    """Text that leaves no table of ends, whether there is one or not."""
    return f"table ip {ENDS_TABLE}\ndelete table ip {ENDS_TABLE}\n"


def render_ingress(assignment: AssignmentSet) -> str:
    """The table of the node's own namespace; none at all when the node has nothing to do."""
    networks = sorted(assignment.networks, key=lambda network: network.id)
    ports = _ingress_ports(assignment)
    served = [port for port in ports if port.backends]
    refused = [port for port in ports if not port.backends]
    if not networks and not ports:
        return render_removal()
    parts = [_REPLACE, f"table ip {TABLE} {{\n", _loopback_guard(networks)]
    if served:
        parts += [_ingress_chain(port) for port in served]
        parts.append(_ingress_dispatch(served, networks))
        parts.append(_ingress_sources(served, networks, assignment.node_id))
    if refused:
        parts.append(_REFUSE_CHAIN)
        parts.append(_ingress_refusals(refused))
    return "".join((*parts, "}\n"))


def render_vips(endpoints: Iterable[EndpointAssignment]) -> str:
    """The table of a task's namespace; `endpoints` are those of the networks it is attached to."""
    by_vip = {endpoint.vip: endpoint for endpoint in endpoints if endpoint.vip}
    served = [by_vip[vip] for vip in _sorted(by_vip) if by_vip[vip].backends]
    refused = [by_vip[vip].vip for vip in _sorted(by_vip) if not by_vip[vip].backends]
    parts = [_REPLACE, f"table ip {TABLE} {{\n"]
    if served:
        parts += [_vip_chain(endpoint) for endpoint in served]
        choices = [f"{endpoint.vip} : goto vip-{endpoint.vip}" for endpoint in served]
        parts.append(
            "\tchain translate {\n"
            f"\t\ttype nat hook output priority {_DESTINATION_PRIORITY}; policy accept;\n"
            f"\t\tip daddr vmap {_braces(choices)}\n"
            "\t}\n"
        )
    if refused:
        parts.append(_REFUSE_CHAIN)
        parts.append(
            "\tchain unserved {\n"
            f"\t\ttype filter hook output priority {_REFUSE_PRIORITY}; policy accept;\n"
            f"\t\tip daddr {_braces(refused)} goto refuse\n"
            "\t}\n"
        )
    return "".join((*parts, "}\n"))


def _ingress_ports(assignment: AssignmentSet) -> list[IngressAssignment]:
    """The ports in a fixed order, one per number and protocol; without backends where the network
    has no way out of it."""
    open_networks = {network.id for network in assignment.networks if not network.internal}
    ports: dict[tuple[str, int], IngressAssignment] = {}
    for port in assignment.ingress:
        reachable = port.network_id in open_networks
        ports.setdefault(
            (port.protocol, port.published),
            port if reachable else _without_backends(port),
        )
    return [ports[key] for key in sorted(ports)]


def _without_backends(port: IngressAssignment) -> IngressAssignment:
    return IngressAssignment(
        service_id=port.service_id,
        service_name=port.service_name,
        network_id=port.network_id,
        published=port.published,
        target=port.target,
        protocol=port.protocol,
    )


def _loopback_guard(networks: Sequence[NetworkAssignment]) -> str:
    """Bridges route 127.0.0.0/8 so that `localhost` reaches published ports (the answer is
    translated back to it); nobody on the bridge may address the node's loopback because of that."""
    if not networks:
        return ""
    bridges = [f'"{overlay_plan.bridge_name(network.id)}"' for network in networks]
    return (
        "\tchain loopback-guard {\n"
        f"\t\ttype filter hook prerouting priority {_RAW_PRIORITY}; policy accept;\n"
        f"\t\tiifname {_braces(bridges)} ip daddr 127.0.0.0/8 drop\n"
        "\t}\n"
    )


def _ingress_chain(port: IngressAssignment) -> str:
    return (
        f"\tchain {port.protocol}-{port.published} {{\n"
        f"\t\tct mark set ct mark | {INGRESS_MARK:#x}\n"
        f"\t\tmeta l4proto {port.protocol} dnat to {_choice(port.backends)}:{port.target}"
        f"{_comment(port.service_name)}\n"
        "\t}\n"
    )


def _ingress_dispatch(
    served: Sequence[IngressAssignment], networks: Sequence[NetworkAssignment]
) -> str:
    gateways = _sorted(network.gateway for network in networks)
    choices = [
        f"{port.protocol} . {port.published} : goto {port.protocol}-{port.published}"
        for port in served
    ]
    hooks = "".join(
        f"\tchain {hook} {{\n"
        f"\t\ttype nat hook {hook} priority {_DESTINATION_PRIORITY}; policy accept;\n"
        "\t\tfib daddr type local goto ingress\n"
        "\t}\n"
        for hook in ("prerouting", "output")
    )
    # A service that publishes port 53 must not swallow the containers' own questions.
    own_dns = f"\t\tip daddr {_braces(gateways)} th dport {_DNS_PORT} return\n"
    return (
        "\tchain ingress {\n"
        f"{own_dns}"
        f"\t\tmeta l4proto . th dport vmap {_braces(choices)}\n"
        "\t}\n"
        f"{hooks}"
    )


def _ingress_sources(
    served: Sequence[IngressAssignment], networks: Sequence[NetworkAssignment], node_id: str
) -> str:
    elsewhere = _sorted(
        {
            backend.address
            for port in served
            for backend in port.backends
            if backend.node_id != node_id
        }
    )
    insiders = ["127.0.0.0/8", *sorted({network.subnet for network in networks}, key=_subnet_key)]
    return (
        "\tchain postrouting {\n"
        f"\t\ttype nat hook postrouting priority {_SOURCE_PRIORITY}; policy accept;\n"
        + (f"\t\t{_HAS_MARK} ip daddr {_braces(elsewhere)} masquerade\n" if elsewhere else "")
        + f"\t\t{_HAS_MARK} ip saddr {_braces(insiders)} masquerade\n"
        "\t}\n"
    )


def _ingress_refusals(refused: Sequence[IngressAssignment]) -> str:
    # Only new connections: answers to connections that the node itself opened from such a port,
    # and connections to a process that held the port before, are none of ours.
    ports = [f"{port.protocol} . {port.published}" for port in refused]
    return (
        "\tchain unserved {\n"
        f"\t\ttype filter hook input priority {_REFUSE_PRIORITY}; policy accept;\n"
        f"\t\tct state new meta l4proto . th dport {_braces(ports)} goto refuse\n"
        "\t}\n"
    )


def _vip_chain(endpoint: EndpointAssignment) -> str:
    return (
        f"\tchain vip-{endpoint.vip} {{\n"
        f"\t\tdnat to {_choice(endpoint.backends)}{_comment(endpoint.service_name)}\n"
        "\t}\n"
    )


def _choice(backends: Sequence[Backend]) -> str:
    addresses = _sorted({backend.address for backend in backends})
    if len(addresses) == 1:
        return addresses[0]
    choices = [f"{number} : {address}" for number, address in enumerate(addresses)]
    return f"numgen random mod {len(addresses)} map {_braces(choices)}"


def _comment(service_name: str) -> str:
    return f' comment "{_NOT_IN_COMMENTS.sub("_", service_name)[:_COMMENT_MAX]}"'


def _braces(items: Iterable[str]) -> str:
    return f"{{ {', '.join(items)} }}"


def _sorted(addresses: Iterable[str]) -> list[str]:
    return sorted(addresses, key=lambda address: tuple(map(int, address.split("."))))


def _subnet_key(subnet: str) -> tuple[int, int]:
    network = ipaddress.IPv4Network(subnet)
    return int(network.network_address), network.prefixlen
