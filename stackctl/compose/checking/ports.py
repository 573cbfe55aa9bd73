"""Published ports that clash within the file, or with how their service is updated."""

from stackctl.compose.document import Document, PortUse, Service
from stackctl.compose.problems import ProblemLog, shown
from stackctl.compose.sections.namespaces import HOST
from stackctl.compose.verdicts.rules import Target
from stackctl.model.specs import EndpointMode, PortMode, UpdateOrder

_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound


def check_ports(document: Document, log: ProblemLog, target: Target | None) -> None:
    """Report ports that cannot be published."""
    for service in document.services:
        for use in service.ports:
            _check_mode(service, use, log)
            _check_update(service, use, log)
    if target is Target.CLUSTER:
        _check_cluster(document, log)
    elif target is Target.LOCAL:
        _check_one_host(document, log)


def _check_mode(service: Service, use: PortUse, log: ProblemLog) -> None:
    dnsrr = service.deploy.endpoint_mode is EndpointMode.DNSRR
    if dnsrr and use.spec.mode is PortMode.INGRESS:
        log.add(
            use.place,
            "a service with endpoint_mode: dnsrr cannot publish a port through the mesh",
            "write the port with mode: host, or use endpoint_mode: vip",
        )


def _check_update(service: Service, use: PortUse, log: ProblemLog) -> None:
    if use.spec.mode is not PortMode.HOST or not use.spec.published:
        return
    deploy = service.deploy
    for name, policy in (("update", deploy.update), ("rollback", deploy.rollback)):
        if policy.order is UpdateOrder.START_FIRST:
            log.add(
                use.place,
                f"a new task cannot start first ({name}_config.order) where the old one "
                f"holds host port {use.spec.published}",
                "use order: stop-first, or mode: ingress",
            )


def _check_cluster(document: Document, log: ProblemLog) -> None:
    """A port of the mesh is taken on every node, so nothing else may publish it."""
    taken: dict[tuple[int, str], tuple[Service, PortUse]] = {}
    on_nodes: dict[tuple[int, str], tuple[Service, PortUse]] = {}
    for service, use in _published(document):
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
            _clash(use, holder, log)


def _check_one_host(document: Document, log: ProblemLog) -> None:
    """On one host each address has each port once; a range gives way by itself.

    Looked up by address, "" for all of them: a file may publish one port on thousands of addresses.
    """
    first: dict[tuple[int, str], tuple[Service, PortUse]] = {}
    on_address: dict[tuple[int, str, str], tuple[Service, PortUse]] = {}
    for service, use in _published(document):
        if use.one_of is not None:
            continue
        if service.deploy.replicas > 1 and not service.deploy.mode.is_global:
            log.add(
                use.place,
                f"{service.deploy.replicas} replicas on one host cannot all publish port "
                f"{use.spec.published}",
                "publish a range of ports, or only the port of the container",
            )
        port = (use.spec.published, use.spec.protocol)
        address = "" if use.host_ip in _ALL_ADDRESSES else use.host_ip
        holder = on_address.get((*port, "")) or on_address.get((*port, address))
        if not address:
            holder = holder or first.get(port)
        if holder is not None:
            _clash(use, holder, log)
        first.setdefault(port, (service, use))
        on_address.setdefault((*port, address), (service, use))


def _published(document: Document) -> list[tuple[Service, PortUse]]:
    """What is published at a known port; on the node's own network nothing is."""
    return [
        (service, use)
        for service in document.services
        if service.container.network_mode != HOST
        for use in service.ports
        if use.spec.published
    ]


def _clash(use: PortUse, holder: tuple[Service, PortUse], log: ProblemLog) -> None:
    other, first = holder
    log.add(
        use.place,
        f"port {use.spec.published}/{use.spec.protocol} is already published by service "
        f"{shown(other.key)}",
        f"it is published first at line {first.place.position.line}",
    )
