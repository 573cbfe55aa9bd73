"""Published ports: a port without a number gets one from Swarm's dynamic range and keeps it."""

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.state.cluster import Draft
from stackctl.state.revisions import DYNAMIC_PORTS

PortKey = tuple[int, str]  # port, protocol


def settle_ports(draft: Draft, service: objects.Service) -> tuple[specs.PortSpec, ...]:
    """The service's ports with every ingress port numbered.

    A number given before stays as long as target and protocol do. Host-mode ports without a number
    are the engine's choice. A port for which no number is left keeps 0.
    """
    kept = _given_before(service)
    taken: set[PortKey] | None = None
    settled = []
    for port in service.spec.ports:
        if port.published or port.mode == specs.PortMode.HOST:
            settled.append(port)
            continue
        if taken is None:
            taken = _taken(draft, service)
        before = kept.get((port.target, port.protocol), [])
        candidates = (*before, *DYNAMIC_PORTS)
        published = next(
            (number for number in candidates if (number, port.protocol) not in taken), 0
        )
        if published:
            taken.add((published, port.protocol))
        settled.append(replace(port, published=published))
    return tuple(settled)


def _given_before(service: objects.Service) -> dict[PortKey, list[int]]:
    """Numbers chosen for the service earlier, by target and protocol, in the order of its ports."""
    kept: dict[PortKey, list[int]] = {}
    for port in service.endpoint.ports:
        if port.mode == specs.PortMode.INGRESS and port.published in DYNAMIC_PORTS:
            kept.setdefault((port.target, port.protocol), []).append(port.published)
    return kept


def _taken(draft: Draft, service: objects.Service) -> set[PortKey]:
    taken = {(port.published, port.protocol) for port in service.spec.ports if port.published}
    for other in draft.services.values():
        if other.id != service.id:
            taken |= {
                (port.published, port.protocol)
                for port in (*other.endpoint.ports, *other.spec.ports)
            }
    return taken
