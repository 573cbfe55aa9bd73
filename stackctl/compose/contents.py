"""Which contents beside the Compose files a reader needs: env files, configs and secrets.

Who only looks at containers, or ends them, needs none: a file that is gone must not keep anybody
from `stop`. Who makes something needs those of the services it is made for, and no others.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service


class Purpose(StrEnum):
    """What is made of a document."""

    NOTHING = "nothing"
    IMAGES = "images"
    CONTAINERS = "containers"


class Contents(NamedTuple):
    """What is made, and of which services: of all without any."""

    purpose: Purpose
    services: tuple[str, ...] = ()
    with_dependencies: bool = True


Wanted = frozenset[tuple[str, str]]  # section and key


def wanted_contents(document: Document, contents: Contents) -> Wanted:
    """The services whose env files are read, and the configs and secrets."""
    return frozenset(_wanted(document, contents))


def with_dependencies(document: Document, keys: Iterable[str]) -> tuple[str, ...]:
    """The services of these keys, and all that they depend on, as far as the document has them."""
    by_key = {service.key: service for service in document.services}
    found = [key for key in dict.fromkeys(keys) if key in by_key]
    for key in found:  # grows while it is walked
        for dependency in dependencies_of(by_key[key]):
            if dependency.key in by_key and dependency.key not in found:
                found.append(dependency.key)
    return tuple(found)


def _wanted(document: Document, contents: Contents) -> Iterator[tuple[str, str]]:
    for service in _services(document, contents):
        if contents.purpose is Purpose.CONTAINERS:
            yield "services", service.key
            yield from (("configs", use.key) for use in service.configs)
            yield from (("secrets", use.key) for use in service.secrets)
        if service.build is not None:
            yield from (("secrets", use.key) for use in service.build.secrets)


def _services(document: Document, contents: Contents) -> tuple[Service, ...]:
    if contents.purpose is Purpose.NOTHING:
        return ()
    if not contents.services:
        return document.services
    chosen = set(contents.services)
    if contents.with_dependencies:
        chosen = set(with_dependencies(document, contents.services))
    return tuple(service for service in document.services if service.key in chosen)
