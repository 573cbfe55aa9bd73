"""What a service needs before a cluster can place it: an image, and neighbours that exist."""

from stackctl.compose.dependencies import place_of
from stackctl.compose.document import Document, Service
from stackctl.compose.problems import ProblemLog, shown
from stackctl.compose.sections.namespaces import BRIDGE
from stackctl.model.specs import PortMode


def check_placing(document: Document, log: ProblemLog) -> None:
    """Report services that no node could run, and services to keep apart from that nobody knows."""
    keys = {service.key for service in document.services}
    for service in document.services:
        _check_image(service, log)
        _check_bridge(service, log)
        for other in service.deploy.apart:
            # A name with _ may be that of a service of another stack, which only a cluster knows.
            if other.name == service.key:
                log.add(
                    other.place,
                    "a service cannot be kept apart from itself",
                    "use max_replicas_per_node: 1",
                )
            elif other.name and other.name not in keys and "_" not in other.name:
                log.add(
                    other.place,
                    f"undefined service {shown(other.name)!r}",
                    log.near(other.name, keys) or "write STACK_SERVICE for one of another stack",
                )


def _check_image(service: Service, log: ProblemLog) -> None:
    if service.build is not None and not service.container.image:
        log.add(
            place_of(service, "build"),
            "no image is given, and the deploy does not build",
            "deploy with --build, or add image: with a name that every node can pull",
        )


def _check_bridge(service: Service, log: ProblemLog) -> None:
    if service.container.network_mode != BRIDGE:
        return
    for use in service.ports:
        if use.spec.mode is PortMode.INGRESS:
            log.add(
                use.place,
                f"the mesh does not reach a service with network_mode: {BRIDGE}",
                "write the port with mode: host, or remove network_mode:",
            )
