"""Differences between two assignment sets of one node: what is sent instead of the whole set.

`patch(old, difference(old, new), …) == new` for all sets whose tuples are sorted by their keys,
which is how managers build them, and that name the same former nodes: when these change, which is
once in a node's life, the whole set is sent.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from stackctl.model import assignment
from stackctl.wire.agent_protocol import AssignmentIncrement

T = TypeVar("T")
K = TypeVar("K", str, tuple[str, str], tuple[int, str])


def task_key(task: assignment.TaskAssignment) -> str:
    """What identifies a task in a set."""
    return task.id


def network_key(network: assignment.NetworkAssignment) -> str:
    """What identifies a network in a set."""
    return network.id


def neighbour_key(neighbour: assignment.Neighbour) -> tuple[str, str]:
    """What identifies a neighbour in a set."""
    return (neighbour.network_id, neighbour.address)


def endpoint_key(endpoint: assignment.EndpointAssignment) -> tuple[str, str]:
    """What identifies an endpoint in a set."""
    return (endpoint.service_id, endpoint.network_id)


def ingress_key(ingress: assignment.IngressAssignment) -> tuple[int, str]:
    """What identifies an ingress port in a set."""
    return (ingress.published, ingress.protocol)


def config_key(config: assignment.ConfigAssignment) -> str:
    """What identifies a config in a set."""
    return config.id


def secret_key(secret: assignment.SecretAssignment) -> str:
    """What identifies a secret in a set."""
    return secret.id


def difference(old: assignment.AssignmentSet, new: assignment.AssignmentSet) -> AssignmentIncrement:
    """What to put and drop to get from `old` to `new`."""
    put_tasks, drop_tasks = _compare(old.tasks, new.tasks, task_key)
    put_networks, drop_networks = _compare(old.networks, new.networks, network_key)
    put_neighbours, drop_neighbours = _compare(old.neighbours, new.neighbours, neighbour_key)
    put_endpoints, drop_endpoints = _compare(old.endpoints, new.endpoints, endpoint_key)
    put_ingress, drop_ingress = _compare(old.ingress, new.ingress, ingress_key)
    put_configs, drop_configs = _compare(old.configs, new.configs, config_key)
    put_secrets, drop_secrets = _compare(old.secrets, new.secrets, secret_key)
    return AssignmentIncrement(
        base_index=old.index,
        put_tasks=put_tasks,
        put_networks=put_networks,
        put_neighbours=put_neighbours,
        put_endpoints=put_endpoints,
        put_ingress=put_ingress,
        put_configs=put_configs,
        put_secrets=put_secrets,
        drop_tasks=drop_tasks,
        drop_networks=drop_networks,
        drop_neighbours=drop_neighbours,
        drop_endpoints=drop_endpoints,
        drop_ingress=drop_ingress,
        drop_configs=drop_configs,
        drop_secrets=drop_secrets,
    )


def patch(
    old: assignment.AssignmentSet, increment: AssignmentIncrement, *, term: int, index: int
) -> assignment.AssignmentSet:
    """The set after an increment.

    Raises ValueError when the increment does not start at `old`: the agent then asks for a whole
    set by saying Hello again.
    """
    if increment.base_index != old.index:
        raise ValueError(f"increment starts at {increment.base_index}, the set is at {old.index}")
    return assignment.AssignmentSet(
        node_id=old.node_id,
        term=term,
        index=index,
        tasks=_merge(old.tasks, increment.put_tasks, increment.drop_tasks, task_key),
        networks=_merge(old.networks, increment.put_networks, increment.drop_networks, network_key),
        neighbours=_merge(
            old.neighbours, increment.put_neighbours, increment.drop_neighbours, neighbour_key
        ),
        endpoints=_merge(
            old.endpoints, increment.put_endpoints, increment.drop_endpoints, endpoint_key
        ),
        ingress=_merge(old.ingress, increment.put_ingress, increment.drop_ingress, ingress_key),
        configs=_merge(old.configs, increment.put_configs, increment.drop_configs, config_key),
        secrets=_merge(old.secrets, increment.put_secrets, increment.drop_secrets, secret_key),
        former_node_ids=old.former_node_ids,
    )


def _compare(
    old: Iterable[T], new: Iterable[T], key: Callable[[T], K]
) -> tuple[tuple[T, ...], tuple[K, ...]]:
    before: Mapping[K, T] = {key(item): item for item in old}
    after: Mapping[K, T] = {key(item): item for item in new}
    put = tuple(item for item_key, item in after.items() if before.get(item_key) != item)
    drop = tuple(item_key for item_key in before if item_key not in after)
    return put, drop


def _merge(
    old: Iterable[T], put: Iterable[T], drop: Iterable[K], key: Callable[[T], K]
) -> tuple[T, ...]:
    items = {key(item): item for item in old}
    for item_key in drop:
        items.pop(item_key, None)
    items.update((key(item), item) for item in put)
    return tuple(items[item_key] for item_key in sorted(items))
