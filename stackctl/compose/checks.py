"""What only makes sense across sections: names that must exist, ports and paths that clash."""

import ipaddress
from collections.abc import Mapping

from stackctl.compose.document import Config, Document, Network, PortUse, Service
from stackctl.compose.problems import Place, ProblemLog, shown
from stackctl.compose.sections.attachments import DEFAULT_NETWORK
from stackctl.model.specs import EndpointMode, PortMode, UpdateOrder


def check_document(document: Document, log: ProblemLog) -> None:
    """Report everything in the document that contradicts itself."""
    for service in document.services:
        _check_names(service, document, log)
        _check_targets(service, log)
        _check_port_modes(service, log)
    _check_published(document, log)
    _check_object_names("networks", document.networks, log)
    _check_object_names("configs", document.configs, log)
    _check_subnets(document, log)
    _note_unused_networks(document, log)


def used_networks(document: Document) -> frozenset[str]:
    """The keys of the networks that some service is on; only these are made."""
    return frozenset(use.key for service in document.services for use in service.networks)


def _check_names(service: Service, document: Document, log: ProblemLog) -> None:
    for network in service.networks:
        if network.key != DEFAULT_NETWORK and network.key not in document.networks:
            _undefined("network", network.key, network.place, document.networks, log)
    for mount in service.mounts:
        if mount.volume_key is not None and mount.volume_key not in document.volumes:
            _undefined("volume", mount.volume_key, mount.place, document.volumes, log)
    for config in service.configs:
        if config.key not in document.configs:
            _undefined("config", config.key, config.place, document.configs, log)


def _undefined(
    kind: str, key: str, place: Place, known: Mapping[str, object], log: ProblemLog
) -> None:
    if not key:
        return  # reported already as empty
    near = log.near(key, known)
    hint = near or f"declare it under the top-level {kind}s:"
    if kind == "volume" and near is None:
        hint += f", or write ./{shown(key)} for a folder"
    log.add(place, f"undefined {kind} {shown(key)!r}", hint)


def _check_targets(service: Service, log: ProblemLog) -> None:
    seen: dict[str, Place] = {}
    uses = [(use.mount.target, use.place) for use in service.mounts]
    uses += [(use.target, use.place) for use in service.configs]
    for target, place in uses:
        if target == "/":
            continue  # a placeholder: reported already
        first = seen.setdefault(target, place)
        if first is not place:
            log.add(
                place,
                f"{shown(target)} is mounted twice in this service",
                f"it is mounted first at line {first.position.line}",
            )


def _check_port_modes(service: Service, log: ProblemLog) -> None:
    deploy = service.deploy
    for use in service.ports:
        if use.spec.mode is PortMode.INGRESS and deploy.endpoint_mode is EndpointMode.DNSRR:
            log.add(
                use.place,
                "a service with endpoint_mode: dnsrr cannot publish a port through the mesh",
                "write the port with mode: host, or use endpoint_mode: vip",
            )
        host = use.spec.mode is PortMode.HOST and use.spec.published
        for name, policy in (("update", deploy.update), ("rollback", deploy.rollback)):
            if host and policy.order is UpdateOrder.START_FIRST:
                log.add(
                    use.place,
                    f"a new task cannot start first ({name}_config.order) where the old one "
                    f"holds host port {use.spec.published}",
                    "use order: stop-first, or mode: ingress",
                )


def _check_published(document: Document, log: ProblemLog) -> None:
    """A port of the mesh is taken on every node, so nothing else may publish it."""
    taken: dict[tuple[int, str], tuple[Service, PortUse]] = {}
    on_nodes: dict[tuple[int, str], tuple[Service, PortUse]] = {}
    uses = [(service, use) for service in document.services for use in service.ports]
    for service, use in uses:
        if not use.spec.published:
            continue
        key = (use.spec.published, use.spec.protocol)
        holder = taken.get(key)
        if use.spec.mode is PortMode.INGRESS:
            holder = holder or on_nodes.get(key)
            taken.setdefault(key, (service, use))
        elif holder is None and key in on_nodes and on_nodes[key][0] is service:
            holder = on_nodes[key]
        else:
            on_nodes.setdefault(key, (service, use))
        if holder is not None:
            other, first = holder
            log.add(
                use.place,
                f"port {key[0]}/{key[1]} is already published by service {shown(other.key)}",
                f"it is published first at line {first.place.position.line}",
            )


def _check_object_names(
    section: str, objects: Mapping[str, Network] | Mapping[str, Config], log: ProblemLog
) -> None:
    first: dict[str, str] = {}
    for key, found in objects.items():
        other = first.setdefault(found.spec.name, key)
        if other != key and found.spec.name:
            log.add(
                found.place,
                f"has the same name {shown(found.spec.name)} as {section}.{shown(other)}",
                "give one of them another name:",
            )


def _check_subnets(document: Document, log: ProblemLog) -> None:
    checked: list[tuple[Network, ipaddress.IPv4Network]] = []
    for network in document.networks.values():
        if not network.spec.subnet or ":" in network.spec.subnet:
            continue
        subnet = ipaddress.IPv4Network(network.spec.subnet)
        for other, other_subnet in checked:
            if subnet.overlaps(other_subnet):
                log.add(
                    network.place,
                    f"subnet {subnet} overlaps {other_subnet} of network {shown(other.key)}",
                )
                break
        checked.append((network, subnet))


def _note_unused_networks(document: Document, log: ProblemLog) -> None:
    used = used_networks(document)
    for key, network in document.networks.items():
        if key not in used:
            log.note(network.place, "no service is on this network, so it is not made")
