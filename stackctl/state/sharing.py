"""Networks, configs and secrets of one stack that services of another use by their full names.

A service may use what its own stack defines, or what any stack of the cluster has. What services of
another stack use cannot be taken away: a removal or a pruning deploy that would is refused, with
the names of the users, instead of leaving a network that is neither there nor gone.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from stackctl.model import objects, specs
from stackctl.state import contents
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.contents import ContentIds
from stackctl.state.results import Rejection, conflict

SHOWN_MAX = 3

T = TypeVar("T")


def check_references(
    state: ClusterState | Draft,
    spec: specs.StackSpec,
    *,
    prune: bool,
    mounted: Mapping[str, ContentIds] = {},
) -> None:
    """Raises Rejection for a network, config or secret that neither the stack nor the cluster has,
    and that is not among what the service keeps (`mounted`).
    """
    own_networks = {network.name: network for network in spec.networks}
    own_contents = {
        *((contents.CONFIG, config.name) for config in spec.configs),
        *((contents.SECRET, secret.name) for secret in spec.secrets),
    }
    for service in spec.services:
        internal: list[bool] = []
        for name in _networks_of(service):
            own = own_networks.get(name)
            network = None if own else _held(state.networks, state.network_ids.get(name))
            if own is None:
                _check_held("network", name, network, service, spec, prune=prune)
            internal.append(own.internal if own else network is not None and network.spec.internal)
        _check_mesh(service, internal)
        kept = mounted.get(service.name, contents.NOTHING)
        for kind, name in _contents_of(service):
            held = kept.configs if kind == contents.CONFIG else kept.secrets
            if (kind, name) not in own_contents and name not in held:
                content = contents.find_current(state, kind, name)
                _check_held(kind, name, content, service, spec, prune=prune)


def check_removal(state: ClusterState | Draft, stack_name: str) -> None:
    """Raises Rejection when services of other stacks use something of the stack."""
    _check_unused(state, stack_name, kept=())


def check_pruning(state: ClusterState | Draft, spec: specs.StackSpec) -> None:
    """Raises Rejection when services of other stacks use what the spec no longer has."""
    kept = (
        *(("network", network.name) for network in spec.networks),
        *((contents.CONFIG, config.name) for config in spec.configs),
        *((contents.SECRET, secret.name) for secret in spec.secrets),
    )
    _check_unused(state, spec.name, kept=kept)


def _check_held(
    kind: str,
    name: str,
    held: objects.Network | contents.Content | None,
    service: specs.ServiceSpec,
    spec: specs.StackSpec,
    *,
    prune: bool,
) -> None:
    if held is None:
        raise Rejection(
            "input",
            f"service {service.name}: uses the undefined {kind} {name}",
            hint=f"define the {kind}, or deploy the stack first that makes it",
            exit_code=2,
        )
    if held.removing:
        raise conflict(
            f"service {service.name}: uses {kind} {name}, which is being removed",
            hint="wait until it is gone, and deploy a stack that makes it again",
        )
    if prune and held.stack_name == spec.name:
        raise conflict(
            f"service {service.name}: uses {kind} {name}, which the stack no longer defines",
            hint=f"define the {kind} in the file, or deploy without --prune",
        )


def _check_mesh(service: specs.ServiceSpec, internal: list[bool]) -> None:
    through_mesh = any(port.mode is specs.PortMode.INGRESS for port in service.ports)
    if through_mesh and all(internal):
        raise Rejection(
            "input",
            f"service {service.name}: a port published on every node needs a network that is not"
            " internal",
            hint="attach one, or publish the port with mode: host",
            exit_code=2,
        )


def _check_unused(
    state: ClusterState | Draft, stack_name: str, *, kept: Iterable[tuple[str, str]]
) -> None:
    leaving = {
        ("network", network.name)
        for network in state.networks.values()
        if network.stack_name == stack_name
    } | {
        (contents.kind_of(content), content.name)
        for content in contents.every_content(state)
        if content.stack_name == stack_name
    }
    leaving -= set(kept)
    if not leaving:
        return
    users: dict[tuple[str, str], list[str]] = {}
    for service in state.services.values():
        if service.stack_name != stack_name and not service.removing:
            for used in leaving.intersection(_uses(service)):
                users.setdefault(used, []).append(service.name)
    for (kind, name), names in sorted(users.items()):
        raise conflict(
            f"{kind} {name} of stack {stack_name} is used by {_listed(names)}",
            hint=f"remove or change {'it' if len(names) == 1 else 'them'} first",
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN_MAX])
    more = len(names) - SHOWN_MAX
    word = "service" if len(names) == 1 else "services"
    return f"{word} {shown}" + (f" and {more} more" if more > 0 else "")


def _uses(service: objects.Service) -> Iterator[tuple[str, str]]:
    """What the service uses now, and what it would use again after a rollback."""
    for spec in filter(None, (service.spec, service.previous_spec)):
        yield from (("network", name) for name in _networks_of(spec))
        yield from _contents_of(spec)


def _networks_of(spec: specs.ServiceSpec) -> Iterator[str]:
    return (attachment.network for attachment in spec.task.networks)


def _contents_of(spec: specs.ServiceSpec) -> Iterator[tuple[str, str]]:
    container = spec.task.container
    yield from ((contents.CONFIG, reference.name) for reference in container.configs)
    yield from ((contents.SECRET, reference.name) for reference in container.secrets)


def _held(held: Mapping[str, T], identity: str | None) -> T | None:
    return None if identity is None else held.get(identity)
