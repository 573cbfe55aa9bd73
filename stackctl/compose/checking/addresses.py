"""Subnets that overlap, and addresses of services that no network gives."""

import ipaddress
from collections.abc import Iterator

from stackctl.compose.document import Document, Service
from stackctl.compose.parts.attachments import NetworkUse
from stackctl.compose.parts.objects import Network
from stackctl.compose.problems import Place, ProblemLog, shown
from stackctl.compose.verdicts.rules import Target

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_addresses(document: Document, log: ProblemLog, target: Target | None) -> None:
    """Report subnets that overlap, and addresses that cannot be given."""
    _check_subnets(document, log)
    taken: dict[tuple[str, str], str] = {}
    for service in document.services:
        for use in service.networks:
            for address in filter(None, (use.ipv4_address, use.ipv6_address)):
                if target is Target.LOCAL:
                    _check_in_subnet(use, address, document, log)
                other = taken.setdefault((use.key, address), service.key)
                if other != service.key:
                    log.add(
                        use.place,
                        f"address {address} is already that of service {shown(other)}",
                        "give one of them another address",
                    )
                _check_alone(service, use, address, log)


def _check_subnets(document: Document, log: ProblemLog) -> None:
    checked: list[tuple[Network, Subnet]] = []
    for network in document.networks.values():
        for subnet, place in _subnets(network):
            other = next((it for it in checked if _overlap(subnet, it[1])), None)
            if other is not None:
                of = "another subnet" if other[0] is network else f"network {shown(other[0].key)}"
                log.add(place, f"subnet {subnet} overlaps {other[1]} of {of}")
            checked.append((network, subnet))


def _check_in_subnet(use: NetworkUse, address: str, document: Document, log: ProblemLog) -> None:
    network = document.networks.get(use.key)
    if network is None or network.external:
        return
    parsed = ipaddress.ip_address(address)
    subnets = [subnet for subnet, _ in _subnets(network) if subnet.version == parsed.version]
    if not subnets:
        log.add(
            use.place,
            f"{address} needs a network with a subnet of its own",
            f"add ipam: with config: and a subnet to networks.{shown(use.key)}",
        )
    elif not any(parsed in subnet for subnet in subnets):
        log.add(use.place, f"{address} is not within the subnet {subnets[0]} of the network")


def _check_alone(service: Service, use: NetworkUse, address: str, log: ProblemLog) -> None:
    if service.deploy.replicas > 1:
        log.add(
            use.place,
            f"{service.deploy.replicas} replicas cannot share the address {address}",
            "remove the address, or use one replica",
        )


def _subnets(network: Network) -> Iterator[tuple[Subnet, Place]]:
    for pool in network.ipam.pools if network.ipam else ():
        if pool.subnet:
            yield ipaddress.ip_network(pool.subnet, strict=False), pool.place or network.place


def _overlap(one: Subnet, other: Subnet) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.overlaps(other)
    return isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)
