"""What a cluster cannot carry out although Compose can say it, where values decide, not keys."""

import ipaddress

from stackctl.compose.dependencies import place_of
from stackctl.compose.document import Document, Service
from stackctl.compose.grammar.names import RESERVED_NETWORK_NAMES, service_name_complaint
from stackctl.compose.object_specs import used_networks
from stackctl.compose.parts.objects import IpamPool, Network
from stackctl.compose.problems import ProblemLog
from stackctl.model.specs import PortMode

_SMALLEST_PREFIX = 29  # gateways of three nodes, a virtual IP, and a task


def check_for_cluster(document: Document, log: ProblemLog, stack_name: str) -> None:
    """Report what no cluster can carry out, and note what has no effect there."""
    used = used_networks(document)
    for key, network in document.networks.items():
        _check_network(network, log)
        if key not in used:
            words = "used" if network.external else "made"
            log.note(network.place, f"no service is on this network, so it is not {words}")
    for service in document.services:
        if complaint := service_name_complaint(service.key, stack_name):
            log.add(service.place, complaint)
        _check_mesh(service, document, log)


def _check_network(network: Network, log: ProblemLog) -> None:
    if network.external and network.name in RESERVED_NETWORK_NAMES:
        log.add(
            network.place,
            f"{network.name} is a network of each node's engine, not of the cluster",
            "give the services network_mode: host, or let the stack make a network",
        )
    pools = network.ipam.pools if network.ipam else ()
    for pool in pools[1:2]:
        log.add(pool.place or network.place, "a network has one subnet in a cluster")
    for pool in pools:
        _check_pool(pool, network, log)


def _check_pool(pool: IpamPool, network: Network, log: ProblemLog) -> None:
    place = pool.place or network.place
    if not pool.subnet:
        if pool.ip_range or pool.aux_addresses:
            log.add(place, "a range and addresses need a subnet in a cluster", "add subnet:")
        return
    subnet = ipaddress.ip_network(pool.subnet, strict=False)
    if subnet.version != 4:
        log.add(place, "a cluster has no IPv6 subnets yet", "write an IPv4 subnet")
    elif subnet.prefixlen > _SMALLEST_PREFIX:
        log.add(place, f"a subnet smaller than /{_SMALLEST_PREFIX} has no room for tasks")
    elif pool.ip_range and ipaddress.ip_network(pool.ip_range).prefixlen > _SMALLEST_PREFIX:
        log.add(place, f"a range smaller than /{_SMALLEST_PREFIX} has no room for tasks")


def _check_mesh(service: Service, document: Document, log: ProblemLog) -> None:
    """The mesh reaches tasks from their node, which an internal network does not let through."""
    through_mesh = [use for use in service.ports if use.spec.mode is PortMode.INGRESS]
    networks = [document.networks.get(use.key) for use in service.networks]
    if through_mesh and networks and all(network and network.internal for network in networks):
        log.add(
            through_mesh[0].place,
            "all networks of the service are internal, so the mesh cannot reach it",
            f"attach another network at line {place_of(service, 'networks').position.line}, "
            "or write the port with mode: host",
        )
