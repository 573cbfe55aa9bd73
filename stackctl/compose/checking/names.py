"""Names that must exist in the file, and names that only one object may have."""

from collections.abc import Iterable, Mapping

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.compose.grammar.build_contexts import SERVICE_PREFIX, is_other_service
from stackctl.compose.parts.build import Build
from stackctl.compose.parts.objects import FileObject, Network, Volume
from stackctl.compose.problems import Place, ProblemLog, shown
from stackctl.compose.sections.attachments import DEFAULT_NETWORK


def check_names(document: Document, log: ProblemLog) -> None:
    """Report every name of something that the file does not have."""
    services = {service.key: service for service in document.services}
    for service in document.services:
        _check_objects(service, document, log)
        _check_services(service, services, log)
        if service.build is not None:
            _check_build(service.build, document, services, log)


def check_object_names(document: Document, log: ProblemLog) -> None:
    """Report objects of one kind that have one name, and containers that do."""
    _check_unique("networks", document.networks, log)
    _check_unique("volumes", document.volumes, log)
    _check_unique("configs", document.configs, log)
    _check_unique("secrets", document.secrets, log)
    first: dict[str, str] = {}
    for service in document.services:
        name = service.container_name
        other = first.setdefault(name, service.key) if name else service.key
        if other != service.key:
            log.add(
                service.key_places.get("container_name", service.place),
                f"service {shown(other)} has the same container_name {shown(name)}",
                "give one of them another name",
            )


def _check_objects(service: Service, document: Document, log: ProblemLog) -> None:
    for network in service.networks:
        if network.key != DEFAULT_NETWORK and network.key not in document.networks:
            _undefined("network", network.key, network.place, document.networks, log)
    for mount in service.mounts:
        if mount.volume_key is not None and mount.volume_key not in document.volumes:
            _undefined("volume", mount.volume_key, mount.place, document.volumes, log)
    for config in service.configs:
        if config.key not in document.configs:
            _undefined("config", config.key, config.place, document.configs, log)
    for secret in service.secrets:
        if secret.key not in document.secrets:
            _undefined("secret", secret.key, secret.place, document.secrets, log)
    for model in service.models:
        if model.key not in document.models:
            _undefined("model", model.key, model.place, document.models, log)
    credentials = service.windows.credential_spec if service.windows else None
    if credentials and credentials.config and credentials.config not in document.configs:
        _undefined("config", credentials.config, credentials.place, document.configs, log)


def _check_services(service: Service, services: Mapping[str, Service], log: ProblemLog) -> None:
    for dependency in dependencies_of(service):
        if dependency.key in services:
            continue
        if dependency.required:
            _undefined("service", dependency.key, dependency.place, services, log)
        else:
            log.note(
                dependency.place,
                f"there is no service {shown(dependency.key)}, so it is not waited for",
            )


def _check_build(
    build: Build, document: Document, services: Mapping[str, Service], log: ProblemLog
) -> None:
    for secret in build.secrets:
        if secret.key not in document.secrets:
            _undefined("secret", secret.key, secret.place, document.secrets, log)
    for name, context in build.additional_contexts.items():
        if not is_other_service(context):
            continue
        other = context.removeprefix(SERVICE_PREFIX)
        place = build.context_places[name]
        if other not in services:
            _undefined("service", other, place, services, log)
        elif services[other].build is None:
            log.add(place, f"service {shown(other)} has no build:, so it gives no context")


def _undefined(kind: str, key: str, place: Place, known: Iterable[str], log: ProblemLog) -> None:
    if not key:
        return  # reported already as empty
    near = log.near(key, known)
    where = "services:" if kind == "service" else f"the top-level {kind}s:"
    hint = near or f"declare it under {where}"
    if near is None and kind == "volume":
        hint += f", or write ./{shown(key)} for a folder"
    elif near is None and kind == "service":
        hint += ", or choose its profile"
    log.add(place, f"undefined {kind} {shown(key)!r}", hint)


def _check_unique(
    section: str, objects: Mapping[str, Network | Volume | FileObject], log: ProblemLog
) -> None:
    first: dict[str, str] = {}
    for key, found in objects.items():
        other = first.setdefault(found.name, key)
        if other != key and found.name:
            log.add(
                found.place,
                f"has the same name {shown(found.name)} as {section}.{shown(other)}",
                "give one of them another name:",
            )
