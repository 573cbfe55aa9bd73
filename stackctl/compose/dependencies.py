"""Which services come before a service: what `depends_on` says, and what other keys imply.

A link, a shared namespace (`network_mode: service:x` and its kin) and `volumes_from` imply that the
other service comes first; what `depends_on` says of it wins.
"""

from collections.abc import Iterator

from stackctl.compose.document import Service
from stackctl.compose.grammar.names import full_name
from stackctl.compose.parts.relations import Condition, Dependency
from stackctl.compose.problems import Place
from stackctl.compose.sections.namespaces import SERVICE
from stackctl.model import specs

# The keys whose value may be the namespace of another service.
NAMESPACE_KEYS = ("network_mode", "ipc", "pid", "uts", "cgroup")

_CONDITIONS = {
    Condition.STARTED: specs.DependencyCondition.STARTED,
    Condition.HEALTHY: specs.DependencyCondition.HEALTHY,
    Condition.COMPLETED: specs.DependencyCondition.COMPLETED,
}


def dependencies_of(service: Service) -> tuple[Dependency, ...]:
    """Every service that comes before `service`, each once."""
    found = {dependency.key: dependency for dependency in service.depends_on}
    for implied in _implied(service):
        found.setdefault(implied.key, implied)
    return tuple(found.values())


def dependency_specs(service: Service, stack_name: str) -> tuple[specs.Dependency, ...]:
    """What the cluster waits for before tasks of the service start, in the order of names."""
    found = (
        specs.Dependency(
            service=full_name(stack_name, dependency.key),
            condition=_CONDITIONS[dependency.condition],
            restart=dependency.restart,
            required=dependency.required,
        )
        for dependency in dependencies_of(service)
    )
    return tuple(sorted(found, key=lambda it: it.service))


def service_of(mode: str) -> str | None:
    """The service whose namespace `service:NAME` shares, or None."""
    return mode.removeprefix(SERVICE) if mode.startswith(SERVICE) else None


def place_of(service: Service, key: str) -> Place:
    """Where a key of a service is written."""
    return service.key_places.get(key, service.place)


def _implied(service: Service) -> Iterator[Dependency]:
    for link in service.links:
        yield Dependency(link.key, link.place, restart=True, implied_by="links")
    for key in NAMESPACE_KEYS:
        other = service_of(getattr(service.container, key))
        if other is not None:
            yield Dependency(other, place_of(service, key), restart=True, implied_by=key)
    for use in service.volumes_from:
        if not use.is_container:
            yield Dependency(use.source, use.place, implied_by="volumes_from")
