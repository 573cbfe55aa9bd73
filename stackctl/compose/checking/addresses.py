"""Subnets that overlap, and addresses of services that no network gives."""

import ipaddress
from typing import NamedTuple

from stackctl.compose.document import Document, Service
from stackctl.compose.parts.attachments import NetworkUse
from stackctl.compose.parts.objects import Network
from stackctl.compose.problems import Place, ProblemLog, shown
from stackctl.compose.verdicts.rules import Target

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Subnet(NamedTuple):
    """A subnet, and where it is written."""

    network: Network
    net: IpNetwork
    place: Place


def check_addresses(document: Document, log: ProblemLog, target: Target | None) -> None:
    """Report subnets that overlap, and addresses that cannot be given."""
    subnets = {key: _subnets(network) for key, network in document.networks.items()}
    _check_overlaps([each for found in subnets.values() for each in found], log)
    taken: dict[tuple[str, str], str] = {}
    for service in document.services:
        for use in service.networks:
            for address in filter(None, (use.ipv4_address, use.ipv6_address)):
                network = document.networks.get(use.key)
                if target is Target.LOCAL and network is not None and not network.external:
                    _check_in_subnet(use, address, subnets[use.key], log)
                other = taken.setdefault((use.key, address), service.key)
                if other != service.key:
                    log.add(
                        use.place,
                        f"address {address} is already that of service {shown(other)}",
                        "give one of them another address",
                    )
                _check_alone(service, use, address, log)


def _check_overlaps(subnets: list[_Subnet], log: ProblemLog) -> None:
    """Of two subnets that overlap one holds the other, so in order each can only be in those that
    are open.
    """
    order = sorted(
        range(len(subnets)),
        key=lambda index: (
            subnets[index].net.version,
            int(subnets[index].net.network_address),
            subnets[index].net.prefixlen,
        ),
    )
    reported: set[int] = set()
    opened: list[int] = []
    for index in order:
        while opened and not _overlap(subnets[opened[-1]].net, subnets[index].net):
            opened.pop()
        if opened:
            first, later = sorted((opened[-1], index))
            if later not in reported:
                reported.add(later)
                _report_overlap(subnets[first], subnets[later], log)
        opened.append(index)


def _report_overlap(first: _Subnet, later: _Subnet, log: ProblemLog) -> None:
    same = first.network is later.network
    of = "another subnet" if same else f"network {shown(first.network.key)}"
    log.add(later.place, f"subnet {later.net} overlaps {first.net} of {of}")


def _check_in_subnet(
    use: NetworkUse, address: str, subnets: list[_Subnet], log: ProblemLog
) -> None:
    parsed = ipaddress.ip_address(address)
    fitting = [found.net for found in subnets if found.net.version == parsed.version]
    if not fitting:
        log.add(
            use.place,
            f"{address} needs a network with a subnet of its own",
            f"add ipam: with config: and a subnet to networks.{shown(use.key)}",
        )
    elif not any(parsed in net for net in fitting):
        log.add(use.place, f"{address} is not within the subnet {fitting[0]} of the network")


def _check_alone(service: Service, use: NetworkUse, address: str, log: ProblemLog) -> None:
    if service.deploy.replicas > 1:
        log.add(
            use.place,
            f"{service.deploy.replicas} replicas cannot share the address {address}",
            "remove the address, or use one replica",
        )


def _subnets(network: Network) -> list[_Subnet]:
    return [
        _Subnet(
            network,
            ipaddress.ip_network(pool.subnet, strict=False),
            pool.place or network.place,
        )
        for pool in (network.ipam.pools if network.ipam else ())
        if pool.subnet
    ]


def _overlap(one: IpNetwork, other: IpNetwork) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.overlaps(other)
    return isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)
