"""Deploying, scaling, rolling back and removing: what user commands do to a draft.

A stack is one entry: it enters whole or not at all (Swarm creates networks, configs and services
call by call and can stop half-way).
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.ids import derive_id
from stackctl.state import (
    admission,
    commands,
    contents,
    history,
    removal,
    revisions,
    sharing,
    spec_checks,
)
from stackctl.state.cluster import Draft
from stackctl.state.contents import ContentIds
from stackctl.state.results import conflict, unknown
from stackctl.wire import api

PRUNED = "no longer in the file"

Prunable = TypeVar("Prunable", objects.Service, objects.Network, objects.Config, objects.Secret)


def put_stack(
    draft: Draft,
    command: commands.PutStack,
    *,
    cause: str = "deployed",
    mounted: Mapping[str, ContentIds] = {},
    only: str = "",
) -> tuple[int, tuple[api.Change, ...]]:
    """Creates or updates a stack; returns its revision and what changed. Raises Rejection.

    `mounted` says what services mount, by name, where it is not the current contents; `only` names
    the one service that may change.
    """
    spec = command.spec
    contents.check_sealed(spec, command.sealed)
    admission.check_stack(draft, spec, prune=command.prune, mounted=mounted)
    changes = [
        *(_put_network(draft, network, command) for network in spec.networks),
        *contents.put_contents(draft, spec, sealed=command.sealed, now=command.now),
        *_put_services(draft, command, mounted, only=only),
    ]
    _free_numbers(draft, spec)
    if command.prune:
        changes.extend(_prune(draft, command))
    held = draft.stacks.get(spec.name)
    changed = any(change.action != "unchanged" for change in changes)
    if held is None:
        held = objects.Stack(name=spec.name, created_at=command.now, updated_at=command.now)
    elif changed:
        held = replace(held, updated_at=command.now, revision=held.revision + 1)
    else:
        return held.revision, tuple(changes)
    draft.put_stack(history.recorded(draft, held, now=command.now, cause=cause))
    return held.revision, tuple(changes)


def roll_back_stack(
    draft: Draft, command: commands.RollBackStack
) -> tuple[int, tuple[api.Change, ...]]:
    """The stack becomes what it was at a revision, services that came later go; that makes a new
    revision. Raises Rejection.
    """
    put, revision = history.return_command(draft, command)
    cause = f"rolled back to revision {revision.number}"
    return put_stack(draft, put, cause=cause, mounted=history.mounted_then(draft, revision))


def remove_stack(draft: Draft, command: commands.RemoveStack) -> None:
    """Marks everything of the stack for removal; rounds drop it when its tasks have ended."""
    stack = draft.stacks.get(command.name)
    if stack is None:
        raise unknown("stack", command.name)
    sharing.check_removal(draft, command.name)
    removal.mark_removed(
        draft,
        [service for service in draft.services.values() if service.stack_name == command.name],
        now=command.now,
        cause="stack removed",
    )
    for network in list(draft.networks.values()):
        if network.stack_name == command.name:
            draft.put_network(replace(network, removing=True))
    for content in list(contents.every_content(draft)):
        if content.stack_name == command.name:
            contents.mark_removed(draft, content)
    draft.put_stack(replace(stack, removing=True))


def scale_service(draft: Draft, command: commands.ScaleService) -> None:
    """Changes the number of replicas: no update, no new revision."""
    service = find_service(draft, command.service_id)
    if service.spec.mode.is_global:
        mode = service.spec.mode.value
        raise conflict(f"service {service.name} is {mode}: it has one task on each node")
    spec_checks.check_replicas(service.name, command.replicas)
    if service.spec.replicas != command.replicas:
        spec = replace(service.spec, replicas=command.replicas)
        draft.put_service(replace(service, spec=spec, updated_at=command.now))


def update_service(
    draft: Draft, command: commands.UpdateService
) -> tuple[int, tuple[api.Change, ...]]:
    """Another spec for one service: its stack is put again with that one changed, so that all
    checks of a stack hold. No service mounts other contents than before: nobody has given files
    anew. Raises Rejection, also when somebody else changed it meanwhile.
    """
    held = find_service(draft, command.service_id)
    if command.spec.name != held.name:
        raise conflict(f"service {held.name} cannot be renamed")
    if held.spec != command.previous:
        raise conflict(
            f"service {held.name} was changed by somebody else meanwhile",
            hint="look at it again, then repeat the command",
        )
    services = {
        service.name: command.spec if service.id == held.id else service.spec
        for service in sorted(draft.services.values(), key=lambda service: service.name)
        if service.stack_name == held.stack_name and not service.removing
    }
    mounted = {
        name: contents.ids_kept(draft, spec, _mounted_now(draft.services[draft.service_ids[name]]))
        for name, spec in services.items()
    }
    spec = specs.StackSpec(name=held.stack_name, services=tuple(services.values()))
    put = commands.PutStack(spec=spec, seed=b"", now=command.now)
    cause = f"service {held.name} updated"
    return put_stack(draft, put, cause=cause, mounted=mounted, only=held.name)


def rollback_service(draft: Draft, command: commands.RollbackService) -> None:
    """The operator's rollback; doing it twice toggles between two specs."""
    service = find_service(draft, command.service_id)
    admission.check_return(draft, service)
    draft.put_service(
        revisions.rolled_back(
            service,
            now=command.now,
            version=draft.index,
            message="manually requested rollback",
            swap=True,
        )
    )
    if draft.services[service.id].revision != service.revision:
        _restart_dependants(draft, (service.name,), now=command.now)
    stack = draft.stacks.get(service.stack_name)
    if stack is not None and draft.services[service.id] != service:
        stack = replace(stack, updated_at=command.now, revision=stack.revision + 1)
        cause = f"service {service.name} rolled back"
        draft.put_stack(history.recorded(draft, stack, now=command.now, cause=cause))


def find_service(draft: Draft, service_id: str) -> objects.Service:
    """The service, or Rejection."""
    service = draft.services.get(service_id)
    if service is None or service.removing:
        raise unknown("service", service_id)
    return service


def _put_network(draft: Draft, spec: specs.NetworkSpec, command: commands.PutStack) -> api.Change:
    network_id = draft.network_ids.get(spec.name)
    if network_id is None:
        draft.put_network(
            objects.Network(
                id=derive_id(command.seed, "network", spec.name),
                spec=spec,
                stack_name=command.spec.name,
                created_at=command.now,
            )
        )
        return api.Change(action="create", kind="network", name=spec.name, cause="new in the file")
    held = draft.networks[network_id]
    if held.spec == spec and not held.removing:
        return api.Change(action="unchanged", kind="network", name=spec.name)
    draft.put_network(replace(held, spec=spec, removing=False))
    return api.Change(action="update", kind="network", name=spec.name, cause="labels or options")


def _mounted_now(service: objects.Service) -> ContentIds:
    return contents.ids_of_revision(service, service.revision)


def _put_services(
    draft: Draft, command: commands.PutStack, mounted: Mapping[str, ContentIds], *, only: str
) -> list[api.Change]:
    """The services of the stack, and those that are restarted because of them."""
    before = {service.name: service.revision for service in draft.services.values()}
    changes = {
        service.name: _put_service(draft, service, command, mounted.get(service.name))
        if only in ("", service.name)
        else api.Change(action="unchanged", kind="service", name=service.name)
        for service in command.spec.services
    }
    _look_again(draft, changes)
    created = set(changes) - set(before)
    replaced = [
        name
        for name in changes
        if name in before and draft.services[draft.service_ids[name]].revision != before[name]
    ]
    pruned = {
        service.name
        for service in _prunable(command.spec.name, draft.services.values(), set(changes))
        if command.prune
    }
    causes = _restart_dependants(draft, replaced, untouched=created | pruned, now=command.now)
    for name, cause in causes.items():
        changes[name] = api.Change(action="update", kind="service", name=name, cause=cause)
    return list(changes.values())


def _look_again(draft: Draft, names: Iterable[str]) -> None:
    """Services that waited in vain wait anew: a deploy is made to change that, and whoever follows
    it must not take the old verdict for the new one.
    """
    for name in names:
        service = draft.services[draft.service_ids[name]]
        if service.held_for_good:
            draft.put_service(replace(service, held_reason="", held_for_good=False))


def _restart_dependants(
    draft: Draft, replaced: Iterable[str], *, now: float, untouched: Iterable[str] = ()
) -> dict[str, str]:
    """Replaces the tasks of services that are to be restarted with one of the replaced services,
    and of those that are to be restarted with them; returns the causes by name.
    """
    causes: dict[str, str] = {}
    reached = list(replaced)
    done = {*reached, *untouched}
    for name in reached:  # it grows on the way
        for service in sorted(draft.services.values(), key=lambda service: service.name):
            restarts = any(
                item.service == name and item.restart for item in service.spec.depends_on
            )
            if not restarts or service.name in done or service.removing:
                continue
            forced = revisions.updated(
                service,
                service.spec,
                mounted=_mounted_now(service),
                now=now,
                version=draft.index,
                is_forced=True,
            )
            draft.put_service(forced)
            causes[service.name] = f"restarted with {name}"
            reached.append(service.name)
            done.add(service.name)
    return causes


def _put_service(
    draft: Draft,
    spec: specs.ServiceSpec,
    command: commands.PutStack,
    mounted: ContentIds | None,
) -> api.Change:
    if mounted is None:
        mounted = contents.ids_for(draft, spec)
    service_id = draft.service_ids.get(spec.name)
    if service_id is None:
        service = revisions.created(
            spec,
            service_id=derive_id(command.seed, "service", spec.name),
            stack_name=command.spec.name,
            mounted=mounted,
            now=command.now,
        )
        draft.put_service(service)
        return api.Change(action="create", kind="service", name=spec.name, cause="new in the file")
    held = draft.services[service_id]
    service = revisions.updated(
        held,
        spec,
        mounted=mounted,
        now=command.now,
        version=draft.index,
        is_forced=command.rerun and spec.mode.is_job,
    )
    if service is held:
        return api.Change(action="unchanged", kind="service", name=spec.name)
    draft.put_service(service)
    return api.Change(
        action="update",
        kind="service",
        name=spec.name,
        cause=revisions.describe_change(held, service),
    )


def _free_numbers(draft: Draft, spec: specs.StackSpec) -> None:
    """Port numbers that were chosen for services of the stack and that another of its services asks
    for by name are chosen anew.
    """
    asked = {(port.published, port.protocol) for service in spec.services for port in service.ports}
    for item in spec.services:
        service = draft.services[draft.service_ids[item.name]]
        kept = tuple(
            port
            for port in service.endpoint.ports
            if port in item.ports or (port.published, port.protocol) not in asked
        )
        if kept != service.endpoint.ports:
            endpoint = replace(service.endpoint, ports=kept)
            draft.put_service(replace(service, endpoint=endpoint))


def _prune(draft: Draft, command: commands.PutStack) -> list[api.Change]:
    spec = command.spec
    pruned: list[objects.Service | objects.Network | contents.Content] = [
        *_prunable(spec.name, draft.services.values(), {item.name for item in spec.services}),
        *_prunable(spec.name, draft.networks.values(), {item.name for item in spec.networks}),
        *_prunable(spec.name, draft.configs.values(), {item.name for item in spec.configs}),
        *_prunable(spec.name, draft.secrets.values(), {item.name for item in spec.secrets}),
    ]
    services = [held for held in pruned if isinstance(held, objects.Service)]
    removal.mark_removed(draft, services, now=command.now, cause=PRUNED)
    changes: dict[tuple[str, str], api.Change] = {}
    for held in pruned:
        match held:
            case objects.Service():
                kind = "service"
            case objects.Network():
                kind = "network"
                draft.put_network(replace(held, removing=True))
            case objects.Config() | objects.Secret():
                kind = contents.kind_of(held)
                contents.mark_removed(draft, held)
        changes[kind, held.name] = api.Change(
            action="remove", kind=kind, name=held.name, cause=PRUNED
        )
    return list(changes.values())


def _prunable(stack_name: str, held: Iterable[Prunable], kept: set[str]) -> list[Prunable]:
    return sorted(
        (
            item
            for item in held
            if item.stack_name == stack_name and item.name not in kept and not item.removing
        ),
        key=lambda item: item.name,
    )
