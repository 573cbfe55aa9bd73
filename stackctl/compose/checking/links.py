"""Links whose alias would mean two services, because in a cluster all on a network can use it."""

from itertools import islice

from stackctl.compose.document import Document, Service
from stackctl.compose.grammar.names import is_alias
from stackctl.compose.links import LinkName, link_names
from stackctl.compose.problems import ProblemLog, shown

# Each link counts once for each network that both services are on.
NAMES_MAX = 65_536


def check_links(document: Document, log: ProblemLog) -> None:
    """Report links that a cluster cannot have."""
    services = {service.key: service for service in document.services}
    for service in document.services:
        _check_reach(service, services, log)
    names = list(islice(link_names(document), NAMES_MAX + 1))
    if len(names) > NAMES_MAX:
        log.add(names[-1].link.place, f"links give more than {NAMES_MAX} names to services")
        return
    _check_meanings(document, names, log)


def _check_reach(service: Service, services: dict[str, Service], log: ProblemLog) -> None:
    own = {use.key for use in service.networks}
    apart: dict[str, bool] = {}
    for link in service.links:
        if link.alias and not is_alias(link.alias):
            log.add(link.place, f"{shown(link.alias)!r} cannot be looked up")
        linked = services.get(link.key)
        if linked is None:
            continue
        if link.key not in apart:
            apart[link.key] = own.isdisjoint(use.key for use in linked.networks)
        if apart[link.key]:
            log.add(
                link.place,
                f"the service and {shown(link.key)} share no network",
                "put both on one network",
            )


def _check_meanings(document: Document, names: list[LinkName], log: ProblemLog) -> None:
    meant: dict[tuple[str, str], str] = {}
    for service in document.services:
        for use in service.networks:
            for alias in (service.key, *use.aliases):
                meant[use.key, alias] = service.key
    for name in names:
        other = meant.setdefault((name.network, name.alias), name.service)
        if other != name.service:
            log.add(
                name.link.place,
                f"{shown(name.alias)} already means service {shown(other)} on network "
                f"{shown(name.network)}, where all services can look it up",
                "choose another alias",
            )
