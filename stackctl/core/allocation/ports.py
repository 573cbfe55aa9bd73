"""Published ports: a port without a number gets one from Swarm's dynamic range and keeps it."""

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.state.cluster import Draft

DYNAMIC_PORTS = range(30000, 32768)


def settle_ports(draft: Draft, service: objects.Service) -> tuple[specs.PortSpec, ...]:
    """The service's ports with every ingress port numbered.

    A number given before stays as long as target and protocol do. Host-mode ports without a number
    are the engine's choice.
    """
    kept = {(port.target, port.protocol): port.published for port in service.endpoint.ports}
    taken: set[tuple[int, str]] | None = None
    settled = []
    for port in service.spec.ports:
        if port.published or port.mode == specs.PortMode.HOST:
            settled.append(port)
            continue
        if taken is None:
            taken = _taken(draft, service)
        published = kept.get((port.target, port.protocol), 0)
        if not published or (published, port.protocol) in taken:
            published = next(
                (number for number in DYNAMIC_PORTS if (number, port.protocol) not in taken), 0
            )
        taken.add((published, port.protocol))
        settled.append(replace(port, published=published))
    return tuple(settled)


def _taken(draft: Draft, service: objects.Service) -> set[tuple[int, str]]:
    taken = {(port.published, port.protocol) for port in service.spec.ports if port.published}
    for other in draft.services.values():
        if other.id != service.id:
            taken |= {(port.published, port.protocol) for port in other.endpoint.ports}
    return taken
