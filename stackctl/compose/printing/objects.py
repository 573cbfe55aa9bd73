"""The top-level sections beside services as Compose's keys; every name is written out."""

from stackctl.compose.parts.objects import (
    FileObject,
    Ipam,
    IpamPool,
    Model,
    Network,
    Volume,
)
from stackctl.compose.printing.values import extended, section
from stackctl.compose.printing.yaml_text import Plain


def network_keys(network: Network) -> dict[str, Plain]:
    """One network."""
    keys = section(
        {
            "name": network.name,
            "external": network.external,
            "labels": dict(network.labels),
            "driver": network.driver,
            "driver_opts": dict(network.driver_options),
            "internal": network.internal,
            "attachable": network.attachable,
        },
        {
            "ipam": None if network.ipam is None else _ipam(network.ipam),
            "enable_ipv4": network.enable_ipv4,
            "enable_ipv6": network.enable_ipv6,
        },
    )
    return extended(keys, network.extensions)


def volume_keys(volume: Volume) -> dict[str, Plain]:
    """One volume."""
    keys = section(
        {
            "name": volume.name,
            "external": volume.external,
            "labels": dict(volume.labels),
            "driver": volume.driver,
            "driver_opts": dict(volume.driver_options),
        }
    )
    return extended(keys, volume.extensions)


def file_keys(found: FileObject) -> dict[str, Plain]:
    """One config or secret: where its content comes from, never what a secret contains."""
    keys = section(
        {
            "name": found.name,
            "external": found.external,
            "labels": dict(found.labels),
            "file": found.file,
            "environment": found.environment,
            "driver": found.driver,
            "driver_opts": dict(found.driver_options),
            "template_driver": found.template_driver,
        },
        {"content": found.content},
    )
    return extended(keys, found.extensions)


def model_keys(model: Model) -> dict[str, Plain]:
    """One model."""
    keys = section(
        {
            "model": model.model,
            "name": model.name,
            "context_size": model.context_size,
            "runtime_flags": list(model.runtime_flags),
        }
    )
    return extended(keys, model.extensions)


def _ipam(ipam: Ipam) -> dict[str, Plain]:
    return section(
        {
            "driver": ipam.driver,
            "options": dict(ipam.options),
            "config": [_pool(pool) for pool in ipam.pools],
        }
    )


def _pool(pool: IpamPool) -> dict[str, Plain]:
    return section(
        {
            "subnet": pool.subnet,
            "ip_range": pool.ip_range,
            "gateway": pool.gateway,
            "aux_addresses": dict(pool.aux_addresses),
        }
    )
