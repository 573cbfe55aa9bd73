"""Services that wait for each other in a ring, so that none could ever start."""

from collections.abc import Iterator, Mapping
from itertools import islice

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document
from stackctl.compose.parts.relations import Condition, Dependency
from stackctl.compose.problems import ProblemLog, shown

_SHOWN_MAX = 12
_RINGS_MAX = 100  # services that all wait for each other have more rings than anybody reads

Graph = Mapping[str, tuple[Dependency, ...]]


def check_order(document: Document, log: ProblemLog) -> None:
    """Report rings of dependencies, and conditions that can never hold."""
    services = {service.key: service for service in document.services}
    graph = {key: dependencies_of(service) for key, service in services.items()}
    for ring, closing in islice(_rings(graph), _RINGS_MAX):
        log.add(
            closing.place,
            f"the services wait for each other: {_path(ring)}",
            "remove one of these dependencies",
        )
    for service in document.services:
        for dependency in service.depends_on:
            other = services.get(dependency.key)
            check = other.container.healthcheck if other else None
            disabled = check is not None and check.test == ("NONE",)
            if disabled and dependency.condition is Condition.HEALTHY:
                log.add(
                    dependency.place,
                    f"service {shown(dependency.key)} has its health check switched off, "
                    "so it never becomes healthy",
                    f"use condition: {Condition.STARTED}",
                )


def _path(ring: list[str]) -> str:
    names = [shown(key) for key in (*ring, ring[0])]
    if len(names) > _SHOWN_MAX:
        names[_SHOWN_MAX // 2 : -_SHOWN_MAX // 2] = ["…"]
    return " -> ".join(names)


def _rings(graph: Graph) -> Iterator[tuple[list[str], Dependency]]:
    """A ring for each dependency that closes one on a walk in depth, without recursion."""
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        trail = [start]
        at = {start: 0}  # where on the trail a service is
        left = [iter(graph[start])]
        while left:
            dependency = next(left[-1], None)
            if dependency is None:
                left.pop()
                done.add(trail[-1])
                del at[trail.pop()]
            elif dependency.key in at:
                yield trail[at[dependency.key] :], dependency
            elif dependency.key in graph and dependency.key not in done:
                at[dependency.key] = len(trail)
                trail.append(dependency.key)
                left.append(iter(graph[dependency.key]))
