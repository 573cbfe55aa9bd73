"""The networks, configs and secrets of a document as specs: those that the stack makes itself.

An external object is in no spec; services name it by its full name, and the cluster must have it.
"""

from collections.abc import Callable, Mapping

from stackctl.compose.document import Document
from stackctl.compose.grammar.names import full_name
from stackctl.compose.parts.objects import IpamPool, Network
from stackctl.compose.sections.attachments import DEFAULT_NETWORK
from stackctl.model import specs

Labelled = Callable[[Mapping[str, str]], Mapping[str, str]]


def used_networks(document: Document) -> frozenset[str]:
    """The keys of the networks that some service is on; only these are made."""
    return frozenset(use.key for service in document.services for use in service.networks)


def own_networks(
    document: Document, stack_name: str, labelled: Labelled
) -> tuple[specs.NetworkSpec, ...]:
    """The networks that some service is on, with the default one if nothing is said of it."""
    used = used_networks(document)
    found = [
        _network(network, labelled)
        for key, network in document.networks.items()
        if key in used and not network.external
    ]
    if DEFAULT_NETWORK in used and DEFAULT_NETWORK not in document.networks:
        name = full_name(stack_name, DEFAULT_NETWORK)
        found.append(specs.NetworkSpec(name=name, labels=labelled({})))
    return tuple(found)


def own_configs(document: Document, labelled: Labelled) -> tuple[specs.ConfigSpec, ...]:
    """The configs, also those that no service uses."""
    return tuple(
        specs.ConfigSpec(
            name=config.name, content=config.data or b"", labels=labelled(config.labels)
        )
        for config in document.configs.values()
        if not config.external
    )


def own_secrets(document: Document, labelled: Labelled) -> tuple[specs.SecretSpec, ...]:
    """The secrets with their contents, also those that no service uses."""
    return tuple(
        specs.SecretSpec(
            name=secret.name, content=secret.data or b"", labels=labelled(secret.labels)
        )
        for secret in document.secrets.values()
        if not secret.external
    )


def _network(network: Network, labelled: Labelled) -> specs.NetworkSpec:
    pool = network.ipam.pools[0] if network.ipam and network.ipam.pools else IpamPool()
    return specs.NetworkSpec(
        name=network.name,
        labels=labelled(network.labels),
        internal=network.internal,
        attachable=network.attachable,
        subnet=pool.subnet,
        ip_range=pool.ip_range,
        reserved_addresses=tuple(sorted(set(pool.aux_addresses.values()))),
        driver_options=network.driver_options,
    )
