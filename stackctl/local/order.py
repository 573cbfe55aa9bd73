"""The order in which services start: dependencies first, otherwise as the file has them."""

from collections.abc import Iterable, Sequence

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.local.labels import DEPENDS_ON
from stackctl.local.observed import Container


def in_start_order(document: Document, keys: Iterable[str]) -> tuple[Service, ...]:
    """The services of `keys`; the reader of files has refused rings."""
    wanted = set(keys)
    by_key = {service.key: service for service in document.services}
    edges = {key: [dependency.key for dependency in dependencies_of(by_key[key])] for key in by_key}
    return tuple(by_key[key] for key in _sorted(list(by_key), edges) if key in wanted)


def in_stop_order(containers: Sequence[Container]) -> list[list[Container]]:
    """Groups of containers that stop together, dependents first, as their labels say."""
    services = dict.fromkeys(it.service for it in containers)
    edges: dict[str, list[str]] = {key: [] for key in services}
    for container in containers:
        words = container.labels.get(DEPENDS_ON, "").split(",")
        edges[container.service] += filter(None, (word.partition(":")[0] for word in words))
    depth: dict[str, int] = {}
    for key in _sorted(list(services), edges):
        depth[key] = max((depth[it] + 1 for it in edges.get(key, ()) if it in depth), default=0)
    groups: dict[int, list[Container]] = {}
    first = len(services) + 1  # before all others: nothing depends on a one-off
    for container in containers:
        level = first if container.is_one_off else depth[container.service]
        groups.setdefault(level, []).append(container)
    return [groups[level] for level in sorted(groups, reverse=True)]


def _sorted(keys: Sequence[str], edges: dict[str, list[str]]) -> list[str]:
    """Dependencies first; a ring (in labels of others) is cut where it is met."""
    found: dict[str, None] = {}
    on_the_way: set[str] = set()
    pending = [(key, False) for key in reversed(keys)]
    while pending:
        key, is_done = pending.pop()
        if is_done:
            found.setdefault(key)
            continue
        if key in found or key in on_the_way:
            continue
        on_the_way.add(key)
        pending.append((key, True))
        pending += [(it, False) for it in reversed(edges.get(key, [])) if it in edges]
    return list(found)
