"""What one service says that contradicts itself, or that could never work."""

from stackctl.compose.dependencies import place_of
from stackctl.compose.document import Document, Service
from stackctl.compose.problems import Place, ProblemLog, shown

_OTHERS_NETWORK = ("none", "service:", "container:")


def check_services(document: Document, log: ProblemLog) -> None:
    """Report contradictions within services."""
    for service in document.services:
        _check_targets(service, log)
        _check_network_mode(service, log)
        _check_container_name(service, log)
        _check_platform(service, log)


def _check_targets(service: Service, log: ProblemLog) -> None:
    seen: dict[str, Place] = {}
    uses = [(use.mount.target, use.place) for use in service.mounts]
    uses += [(use.target, use.place) for use in (*service.configs, *service.secrets)]
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


def _check_network_mode(service: Service, log: ProblemLog) -> None:
    mode = service.container.network_mode
    if not mode:
        return
    if "networks" in service.key_places:
        log.add(
            place_of(service, "networks"),
            f"excludes network_mode, which is {shown(mode)}",
            "keep one of the two",
        )
    if service.ports and mode.startswith(_OTHERS_NETWORK):
        log.add(
            place_of(service, "ports"),
            f"a service with network_mode: {shown(mode)} cannot publish ports",
            "publish them on the service whose network it is, or remove ports:",
        )
    elif service.ports and mode == "host":
        log.note(place_of(service, "ports"), "has no effect with network_mode: host")


def _check_container_name(service: Service, log: ProblemLog) -> None:
    if service.container_name and service.deploy.replicas > 1:
        log.add(
            place_of(service, "container_name"),
            f"{service.deploy.replicas} replicas cannot all be called "
            f"{shown(service.container_name)}",
            "remove container_name, or use one replica",
        )


def _check_platform(service: Service, log: ProblemLog) -> None:
    build, platform = service.build, service.container.platform
    if build is not None and platform and build.platforms and platform not in build.platforms:
        log.add(
            build.place,
            f"platforms of the build do not contain the service's {shown(platform)}",
            f"add {shown(platform)} to platforms:",
        )
