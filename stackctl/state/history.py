"""The revisions of a stack: what it was after each deploy, whole, so that it can be again.

A revision holds the specs of services and networks, and the ids of the configs' and secrets'
contents; those contents are kept as long as a revision names them. Swarm remembers one previous
spec for each service by itself; a deploy that changed three services cannot be taken back there.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.state import commands, contents
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.results import Rejection, conflict

REVISIONS_MAX = 10


def recorded(draft: Draft, stack: objects.Stack, *, now: float, cause: str) -> objects.Stack:
    """The stack with what it is now as its newest revision; the oldest beyond the limit goes."""
    name = stack.name
    services = sorted(
        (
            service
            for service in draft.services.values()
            if service.stack_name == name and not service.removing
        ),
        key=lambda service: service.name,
    )
    networks = (
        network.spec
        for network in draft.networks.values()
        if network.stack_name == name and not network.removing
    )
    current = (
        content.id
        for content in contents.every_content(draft)
        if content.stack_name == name
        and not content.removing
        and contents.is_current(draft, content)
    )
    mounted = {
        service.name: contents.ids_of_revision(service, service.revision) for service in services
    }
    revision = objects.StackRevision(
        number=stack.revision,
        at=now,
        cause=cause,
        services=tuple(service.spec for service in services),
        networks=tuple(sorted(networks, key=lambda spec: spec.name)),
        content_ids=tuple(sorted(current)),
        config_ids={key: ids.configs for key, ids in mounted.items() if ids.configs},
        secret_ids={key: ids.secrets for key, ids in mounted.items() if ids.secrets},
    )
    kept = (*stack.revisions, revision)[-REVISIONS_MAX:]
    return replace(stack, revisions=kept)


def return_command(
    draft: Draft, command: commands.RollBackStack
) -> tuple[commands.PutStack, objects.StackRevision]:
    """The deploy that makes a stack what it was, and the revision it returns to. Raises Rejection
    when that is not known any longer.
    """
    stack = draft.stacks.get(command.name)
    if stack is None:
        raise Rejection("unknown-name", f"no such stack: {command.name}", exit_code=2)
    revision = _find(stack, command.revision)
    configs: list[specs.ConfigSpec] = []
    secrets: list[objects.Secret] = []
    for content_id in revision.content_ids:
        if (config := draft.configs.get(content_id)) is not None:
            configs.append(config.spec)
        elif (secret := draft.secrets.get(content_id)) is not None:
            secrets.append(secret)
    spec = specs.StackSpec(
        name=stack.name,
        services=revision.services,
        networks=revision.networks,
        configs=tuple(configs),
        secrets=tuple(secret.spec for secret in secrets),
    )
    put = commands.PutStack(
        spec=spec,
        sealed=tuple(secret.content for secret in secrets),
        seed=command.seed,
        prune=True,
        now=command.now,
    )
    return put, revision


def mounted_then(
    draft: Draft, revision: objects.StackRevision
) -> Mapping[str, contents.ContentIds]:
    """What services mounted at a revision, by name; without those of which a content of another
    stack is gone: they get what the name means now.
    """
    found = {
        spec.name: contents.ContentIds(
            configs=revision.config_ids.get(spec.name, {}),
            secrets=revision.secret_ids.get(spec.name, {}),
        )
        for spec in revision.services
    }
    return {
        name: ids
        for name, ids in found.items()
        if ids != contents.NOTHING
        and all(key in draft.configs for key in ids.configs.values())
        and all(key in draft.secrets for key in ids.secrets.values())
    }


def is_held(state: ClusterState | Draft, content: contents.Content) -> bool:
    """True while a revision of a stack that stays names the content."""
    stack = state.stacks.get(content.stack_name)
    if stack is None or stack.removing:
        return False
    return any(
        content.id in revision.content_ids
        or any(content.id in ids.values() for ids in revision.config_ids.values())
        or any(content.id in ids.values() for ids in revision.secret_ids.values())
        for revision in stack.revisions
    )


def _find(stack: objects.Stack, number: int) -> objects.StackRevision:
    if number == stack.revision:
        raise conflict(f"stack {stack.name} is at revision {number} already")
    if number:
        for revision in stack.revisions:
            if revision.number == number:
                return revision
        known = ", ".join(str(revision.number) for revision in stack.revisions)
        raise Rejection(
            "unknown-name",
            f"stack {stack.name} has no revision {number}",
            hint=f"it has {known}" if known else "",
            exit_code=2,
        )
    earlier = [revision for revision in stack.revisions if revision.number != stack.revision]
    if not earlier:
        raise conflict(f"stack {stack.name} has no earlier revision")
    return earlier[-1]
