"""What `config SERVICE` prints: services with what they depend on, and what these use."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from stackctl.errors import UnknownName

if TYPE_CHECKING:
    from stackctl.compose.document import Document, Service
    from stackctl.compose.request import Loaded, LoadRequest
    from stackctl.compose.syntax import tree

T = TypeVar("T")


def chosen_part(request: "LoadRequest", loaded: "Loaded", keys: Sequence[str]) -> "Loaded":
    """The part of what was loaded that is about these services; those that are named are there
    though their profiles are off. Raises UnknownName.
    """
    from stackctl.compose.contents import with_dependencies
    from stackctl.compose.load import examine, load_document
    from stackctl.compose.merging.profiles import ALL

    if any(key in loaded.switched_off for key in keys):
        everything = load_document(request._replace(profiles=(ALL,)), None)
        loaded = everything._replace(notes=loaded.notes, switched_off=loaded.switched_off)
    # Which service needs which is only known where variables have values.
    readable = loaded.document
    if not request.interpolate:
        profiles = (ALL,) if set(keys) & set(loaded.switched_off) else request.profiles
        whole = request._replace(interpolate=True, checks=False, profiles=profiles)
        readable = examine(whole, None).document
    known = {service.key for service in readable.services}
    for key in keys:
        if key not in known:
            raise UnknownName("service", key, known=known)
    chosen = set(with_dependencies(readable, keys))
    services = tuple(it for it in readable.services if it.key in chosen)
    kept = _used(services)
    root = _part_of_tree(loaded.root, {"services": chosen, **kept})
    return loaded._replace(document=_part(loaded.document, services, kept), root=root)


def _used(services: "Sequence[Service]") -> dict[str, set[str]]:
    """What services use of the other sections, by key."""
    secrets = {use.key for it in services for use in it.secrets}
    secrets |= {use.key for it in services if it.build for use in it.build.secrets}
    return {
        "networks": {use.key for it in services for use in it.networks},
        "volumes": {use.volume_key for it in services for use in it.mounts if use.volume_key},
        "configs": {use.key for it in services for use in it.configs},
        "secrets": secrets,
        "models": {use.key for it in services for use in it.models},
    }


def _part(
    document: "Document", services: "tuple[Service, ...]", kept: Mapping[str, Collection[str]]
) -> "Document":
    keys = {service.key for service in services}
    return msgspec.structs.replace(
        document,
        services=tuple(it for it in document.services if it.key in keys),
        networks=_picked(document.networks, kept["networks"]),
        volumes=_picked(document.volumes, kept["volumes"]),
        configs=_picked(document.configs, kept["configs"]),
        secrets=_picked(document.secrets, kept["secrets"]),
        models=_picked(document.models, kept["models"]),
    )


def _picked(objects: Mapping[str, T], keys: Collection[str]) -> dict[str, T]:
    return {key: found for key, found in objects.items() if key in keys}


def _part_of_tree(root: "tree.Node", kept: Mapping[str, Collection[str]]) -> "tree.Node":
    from stackctl.compose.syntax import tree

    if not isinstance(root, tree.Mapping):
        return root
    entries = dict(root.entries)
    for name, keys in kept.items():
        section = entries.get(name)
        if section is None or not isinstance(section.value, tree.Mapping):
            continue
        picked = _picked(section.value.entries, keys)
        if picked:
            value = tree.Mapping(picked, section.value.position, section.value.tag)
            entries[name] = tree.Entry(name, section.key_position, value)
        else:
            del entries[name]
    return tree.Mapping(entries, root.position, root.tag)
