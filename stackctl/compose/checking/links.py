"""Links whose alias would mean two services, because in a cluster all on a network can use it."""

from stackctl.compose.document import Document
from stackctl.compose.grammar.names import is_alias
from stackctl.compose.links import link_names
from stackctl.compose.problems import ProblemLog, shown


def check_links(document: Document, log: ProblemLog) -> None:
    """Report links that a cluster cannot have."""
    services = {service.key: service for service in document.services}
    meant: dict[tuple[str, str], str] = {}
    for service in document.services:
        for use in service.networks:
            for alias in (service.key, *use.aliases):
                meant[use.key, alias] = service.key
    for name in link_names(document):
        other = meant.setdefault((name.network, name.alias), name.service)
        if other != name.service:
            log.add(
                name.link.place,
                f"{shown(name.alias)} already means service {shown(other)} on network "
                f"{shown(name.network)}, where all services can look it up",
                "choose another alias",
            )
    for service in document.services:
        own = {use.key for use in service.networks}
        for link in service.links:
            linked = services.get(link.key)
            if linked is not None and not own & {use.key for use in linked.networks}:
                log.add(
                    link.place,
                    f"the service and {shown(link.key)} share no network",
                    "put both on one network",
                )
            if link.alias and not is_alias(link.alias):
                log.add(link.place, f"{shown(link.alias)!r} cannot be looked up")
