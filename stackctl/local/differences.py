"""Why a container has to be replaced: what it was made from is no longer what the file says."""

from collections.abc import Collection

from stackctl.compose.dependencies import NAMESPACE_KEYS, dependencies_of, service_of
from stackctl.compose.document import Document, Service
from stackctl.compose.printing.hashing import service_hash
from stackctl.local import labels, names
from stackctl.local.container_files import contents_digest
from stackctl.local.observed import RUNNING, Container, Observed
from stackctl.local.resources import network_name


def replacement_cause(
    service: Service,
    container: Container,
    *,
    document: Document,
    stack_name: str,
    observed: Observed,
    replaced: Collection[str],
    new_networks: Collection[str],
) -> str:
    """The cause in words, "" when the container can stay. `replaced` are services."""
    for other in _parents(service):
        if other in replaced:
            return f"{other} is replaced, and it shares that container's namespace or volumes"
    if container.config_hash != service_hash(service):
        return _other_maker(container) or "its configuration has changed"
    known = container.labels.get(labels.CONTENTS)  # not of one that Compose has made
    if known and known != contents_digest(document, service):
        return "what is in its configs or secrets has changed"
    image = observed.images.get(names.image_of(stack_name, service))
    if image is not None and image.id != container.labels.get(labels.IMAGE, image.id):
        return "its image has changed"
    wanted = {network_name(document, stack_name, use.key) for use in service.networks}
    if changed := sorted(wanted & set(new_networks)):
        return f"network {changed[0]} is made anew"
    joined = {name for name, _ in container.networks}
    if container.state == RUNNING and (missing := sorted(wanted - joined)):
        return f"it is not on network {missing[0]}"
    return _volume_cause(service, container, document)


def _other_maker(container: Container) -> str:
    """What to say of a container that another program has made."""
    version = container.labels.get(labels.VERSION, labels.COMPATIBLE_VERSION)
    if version == labels.COMPATIBLE_VERSION:
        return ""
    return f"docker compose {version} made it, and notes a configuration in another way"


def _parents(service: Service) -> tuple[str, ...]:
    """Services whose containers are named in the body of this one's."""
    shared = (service_of(getattr(service.container, key)) for key in NAMESPACE_KEYS)
    volumes = (use.source for use in service.volumes_from if not use.is_container)
    known = {dependency.key for dependency in dependencies_of(service)}
    return tuple(key for key in (*shared, *volumes) if key in known)


def _volume_cause(service: Service, container: Container, document: Document) -> str:
    mounted = {it.target: it.name for it in container.mounts if it.kind == "volume"}
    for use in service.mounts:
        if use.volume_key is None:
            continue
        name = document.volumes[use.volume_key].name
        if mounted.get(use.mount.target, name) != name:
            return f"volume {name} has another name than before"
    return ""
