"""Networks and volumes of a stack as the engine is asked to make them: pure.

`digest` of what an object is made from stands in a label of its own, so that a change is seen. It
is not Compose's label: another tool counts other things, and would take the difference for a
change.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from stackctl.compose.document import Document
from stackctl.compose.grammar.names import full_name
from stackctl.compose.parts.objects import Ipam, IpamPool, Network, Volume
from stackctl.compose.problems import Place, Position
from stackctl.local import labels

Body = dict[str, Any]

_DEFAULT = "default"
_BRIDGE_WORDS = ("", "default", "overlay")  # one engine has no overlay


class Resource(NamedTuple):
    """A network or volume that a stack uses; an external one is never made."""

    key: str
    name: str
    is_external: bool
    body: Body
    digest: str
    driver: str


def network_name(document: Document, stack_name: str, key: str) -> str:
    """The full name of a network of the file, or of the default one."""
    network = document.networks.get(key)
    return network.name if network else full_name(stack_name, key)


def networks_of(document: Document, stack_name: str) -> tuple[Resource, ...]:
    """The networks of the file, used or not, and the default one if some service is on it."""
    keys = {use.key for service in document.services for use in service.networks}
    keys |= set(document.networks)
    return tuple(_network_resource(document, stack_name, key) for key in sorted(keys))


def volumes_of(document: Document, stack_name: str) -> tuple[Resource, ...]:
    """The named volumes of the file, used or not."""
    return tuple(
        _volume_resource(volume, stack_name) for _, volume in sorted(document.volumes.items())
    )


def _network_resource(document: Document, stack_name: str, key: str) -> Resource:
    network = document.networks.get(key)
    if network is None:
        place = Place(Position("", 0, 0), ("networks", key))
        network = Network(key, place, full_name(stack_name, key))
    driver = "bridge" if network.driver in _BRIDGE_WORDS else network.driver
    optional: Body = {
        "Options": dict(network.driver_options),
        "Internal": network.internal,
        "Attachable": network.attachable,
        "EnableIPv4": network.enable_ipv4,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": _ipam(network.ipam) if network.ipam else None,
    }
    settings = {name: value for name, value in optional.items() if value not in (None, {}, False)}
    if network.enable_ipv4 is False:
        settings["EnableIPv4"] = False
    settings["Driver"] = driver
    digest = _digest(settings, network.labels)
    marks = labels.network_labels(stack_name, key, network.labels, digest)
    body = {"Name": network.name, "CheckDuplicate": True, "Labels": marks, **settings}
    return Resource(key, network.name, network.external, body, digest, driver)


def _volume_resource(volume: Volume, stack_name: str) -> Resource:
    driver = volume.driver or "local"
    settings: Body = {"Driver": driver, "DriverOpts": dict(volume.driver_options)}
    digest = _digest(settings, volume.labels)
    marks = labels.volume_labels(stack_name, volume.key, volume.labels, digest)
    body = {"Name": volume.name, "Labels": marks, **settings}
    return Resource(volume.key, volume.name, volume.external, body, digest, driver)


def _ipam(ipam: Ipam) -> Body:
    body: Body = {"Driver": ipam.driver or _DEFAULT, "Config": [_pool(it) for it in ipam.pools]}
    if ipam.options:
        body["Options"] = dict(ipam.options)
    return body


def _pool(pool: IpamPool) -> Body:
    body: Body = {
        "Subnet": pool.subnet,
        "IPRange": pool.ip_range,
        "Gateway": pool.gateway,
        "AuxiliaryAddresses": dict(pool.aux_addresses),
    }
    return {name: value for name, value in body.items() if value}


def _digest(settings: Mapping[str, Any], declared: Mapping[str, str]) -> str:
    text = json.dumps([settings, dict(declared)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
