"""Admission: may this stack enter this cluster? Checks across objects, after those of the stack
by itself (`spec_checks`).

They run before proposing, for a quick answer, and again when the command is applied, because
another deploy may have come in between.
"""

from collections.abc import Iterator, Mapping

from stackctl.model import objects, specs
from stackctl.state import sharing, spec_checks
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.contents import ContentIds
from stackctl.state.results import conflict


def check_stack(
    state: ClusterState | Draft,
    spec: specs.StackSpec,
    *,
    prune: bool,
    mounted: Mapping[str, ContentIds] = {},
) -> None:
    """Raises Rejection when the stack cannot enter; nothing has been changed then. `mounted` are
    contents that services keep, by service, whatever their names mean by now.
    """
    spec_checks.check_spec(spec)
    stack = state.stacks.get(spec.name)
    if stack is not None and stack.removing:
        raise conflict(
            f"stack {spec.name} is being removed",
            hint="wait until `stackctl stack ls` no longer shows it",
        )
    sharing.check_references(state, spec, prune=prune, mounted=mounted)
    _check_ownership(state, spec)
    _check_networks(state, spec)
    if prune:
        sharing.check_pruning(state, spec)
    check_ports(spec.services, staying=_staying(state, spec, prune=prune))


def check_return(state: ClusterState | Draft, service: objects.Service) -> None:
    """Raises Rejection when the service cannot have its previous spec back: another service may
    publish one of its ports by now.
    """
    if service.previous_spec is None:
        raise conflict(f"service {service.name} does not have a previous spec")
    check_ports((service.previous_spec,), staying=others_of(state, service))


def others_of(state: ClusterState | Draft, service: objects.Service) -> tuple[objects.Service, ...]:
    """Every other service that stays."""
    return tuple(
        other for other in state.services.values() if other.id != service.id and not other.removing
    )


def check_ports(
    wanted: tuple[specs.ServiceSpec, ...],
    *,
    staying: tuple[objects.Service, ...],
) -> None:
    """Raises Rejection when two services would publish one port."""
    taken: dict[tuple[int, str], tuple[str, specs.PortMode]] = {}
    for service in staying:
        for port in (*service.endpoint.ports, *service.spec.ports):
            if port.published:
                taken[(port.published, port.protocol)] = (service.name, port.mode)
    for spec in wanted:
        for port in spec.ports:
            if not port.published:
                continue
            key = (port.published, port.protocol)
            holder = taken.get(key)
            both_host = holder is not None and specs.PortMode.HOST == holder[1] == port.mode
            if holder is not None and not both_host:
                raise conflict(
                    f"port {port.published}/{port.protocol} of {spec.name} is already published"
                    f" by {holder[0]}",
                    hint=f"publish another port, or remove it from {holder[0]}",
                )
            taken[key] = (spec.name, port.mode)


def _staying(
    state: ClusterState | Draft, spec: specs.StackSpec, *, prune: bool
) -> tuple[objects.Service, ...]:
    replaced = {service.name for service in spec.services}
    return tuple(
        service
        for service in state.services.values()
        if service.name not in replaced
        and not service.removing
        and not (prune and service.stack_name == spec.name)
    )


def _check_ownership(state: ClusterState | Draft, spec: specs.StackSpec) -> None:
    for kind, name, owner in _owners(state, spec):
        if owner != spec.name:
            of = f"stack {owner}" if owner else "no stack"
            raise conflict(f"{kind} {name} already exists and belongs to {of}")


def _owners(state: ClusterState | Draft, spec: specs.StackSpec) -> Iterator[tuple[str, str, str]]:
    for service in spec.services:
        service_id = state.service_ids.get(service.name)
        if service_id is not None:
            held = state.services[service_id]
            if held.removing:
                raise conflict(
                    f"service {service.name} is being removed",
                    hint="wait until `stackctl service ls` no longer shows it",
                )
            if held.spec.mode != service.mode:
                raise conflict(
                    f"service {service.name} is {held.spec.mode.value} and cannot become"
                    f" {service.mode.value}",
                    hint="remove the service first, or give it another name",
                )
            yield "service", service.name, held.stack_name
    for network in spec.networks:
        network_id = state.network_ids.get(network.name)
        if network_id is not None:
            yield "network", network.name, state.networks[network_id].stack_name
    for config in spec.configs:
        config_id = state.config_ids.get(config.name)
        if config_id is not None:
            yield "config", config.name, state.configs[config_id].stack_name
    for secret in spec.secrets:
        secret_id = state.secret_ids.get(secret.name)
        if secret_id is not None:
            yield "secret", secret.name, state.secrets[secret_id].stack_name


def _check_networks(state: ClusterState | Draft, spec: specs.StackSpec) -> None:
    for network in spec.networks:
        network_id = state.network_ids.get(network.name)
        if network_id is None:
            continue
        held = state.networks[network_id].spec
        if (held.subnet, held.internal) != (network.subnet, network.internal):
            raise conflict(
                f"network {network.name} exists with another subnet or internal setting",
                hint=f"remove the stack first, or give the network another name in {spec.name}",
            )
