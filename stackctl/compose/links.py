"""Links in a cluster: the alias becomes a name of the linked service itself.

Where Docker writes the alias into the linking container only, here every service on a network that
both are on can look it up. So an alias must not already mean something else there.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stackctl.compose.document import Document, Service
from stackctl.compose.parts.relations import Link


class LinkName(NamedTuple):
    """One more name of a service on a network, by their keys."""

    service: str
    network: str
    alias: str
    link: Link


def link_names(document: Document) -> Iterator[LinkName]:
    """The names that links give, on each network that both services are on."""
    services = {service.key: service for service in document.services}
    for service in document.services:
        own = _networks(service)
        for link in service.links:
            other = services.get(link.key)
            if other is None or link.alias == link.key:
                continue
            for network in _networks(other):
                if network in own:
                    yield LinkName(link.key, network, link.alias, link)


def aliases_by_use(document: Document) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """The further names of a service on a network, sorted, each once."""
    found: dict[tuple[str, str], set[str]] = {}
    for name in link_names(document):
        found.setdefault((name.service, name.network), set()).add(name.alias)
    return {use: tuple(sorted(aliases)) for use, aliases in found.items()}


def _networks(service: Service) -> dict[str, None]:
    return dict.fromkeys(use.key for use in service.networks)
