"""The body of the engine's container creation for a service of a stack on one engine.

Pure, compared with golden files. The engine's version is an argument (see `container_networks`,
`container_files` and `stackctl.model.engine_body` for what depends on it).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from stackctl.compose.dependencies import dependencies_of
from stackctl.compose.document import Document, Service
from stackctl.compose.printing.hashing import service_hash
from stackctl.local import labels, names
from stackctl.local.container_files import CopiedFile, contents_digest, file_system
from stackctl.local.container_networks import (
    Attachment,
    attachments,
    first_container,
    port_bindings,
    shared_mode,
)
from stackctl.model import engine_body, specs
from stackctl.model.engine_options import engine_options

Body = dict[str, Any]

_RESTARTS = {
    specs.RestartCondition.NONE: "no",
    specs.RestartCondition.ON_FAILURE: "on-failure",
    specs.RestartCondition.ANY: "always",
}


class Making(NamedTuple):
    """What the body depends on beside the service: the stack, the engine, which of its containers.

    `inherited` are the anonymous volumes of the container that this one replaces, by their target.
    """

    document: Document
    origin: labels.Origin
    api_version: tuple[int, int]
    image_id: str = ""
    inherited: Mapping[str, str] = {}
    engine_socket: str = ""


class ContainerPlan(NamedTuple):
    """A container to be made, and what has to happen to it before it starts."""

    name: str
    body: Body
    later_networks: tuple[Attachment, ...]
    files: tuple[CopiedFile, ...]


def container_plan(service: Service, number: int, making: Making) -> ContainerPlan:
    """The container `number` of a service.

    Raises PermanentFailure for what the engine is too old for.
    """
    document, stack_name = making.document, making.origin.stack_name
    container = service.container
    name = names.container_name(stack_name, service, number)
    network = attachments(document, stack_name, service, name=name, api_version=making.api_version)
    files = file_system(
        document,
        service,
        making.api_version,
        inherited=making.inherited,
        engine_socket=making.engine_socket,
    )
    exposed, bindings = port_bindings(service)
    host: Body = {
        "NetworkMode": network.mode,
        "RestartPolicy": restart_policy(service),
        **_limits(service),
        **_passed_on(service, making),
    }
    optional_host: Body = {
        "Mounts": list(files.mounts),
        "Binds": list(files.binds),
        "Tmpfs": dict(files.tmpfs),
        "PortBindings": bindings,
    }
    host.update({key: value for key, value in optional_host.items() if value})
    body: Body = {
        "Image": names.image_of(stack_name, service),
        "Env": list(container.environment),
        "Labels": container_labels(service, number, making),
        "Tty": container.tty,
        "OpenStdin": container.stdin_open,
        "HostConfig": host,
        "NetworkingConfig": {
            "EndpointsConfig": {it.network: it.body for it in network.at_creation}
        },
    }
    optional: Body = {
        "Hostname": container.hostname,
        "Domainname": container.domainname,
        "User": container.user,
        "WorkingDir": container.working_dir,
        "StopSignal": container.stop_signal,
        "ExposedPorts": exposed,
        "Healthcheck": engine_body.healthcheck_body(container.healthcheck, making.api_version),
        "MacAddress": network.mac_address,
    }
    body.update({key: value for key, value in optional.items() if value})
    if container.entrypoint is not None:
        body["Entrypoint"] = list(container.entrypoint)
    if container.command is not None:
        body["Cmd"] = list(container.command)
    if container.stop_grace_period_seconds is not None:
        body["StopTimeout"] = math.ceil(container.stop_grace_period_seconds)
    return ContainerPlan(name, body, network.later, files.copied)


def container_labels(service: Service, number: int, making: Making) -> dict[str, str]:
    """The user's labels and Compose's; Compose's win, because containers are found by them."""
    depends = ",".join(
        f"{it.key}:{it.condition.value}:{str(it.restart).lower()}"
        for it in dependencies_of(service)
    )
    contents = contents_digest(making.document, service)
    return {
        **service.container.labels,
        **labels.stack_labels(making.origin),
        **({labels.CONTENTS: contents} if contents else {}),
        labels.SERVICE: service.key,
        labels.NUMBER: str(number),
        labels.ONE_OFF: "False",
        labels.CONFIG_HASH: service_hash(service),
        labels.IMAGE: making.image_id,
        labels.DEPENDS_ON: depends,
    }


def restart_policy(service: Service) -> Body:
    """`RestartPolicy`: what `deploy` says wins over `restart`."""
    if service.deploy.restart is not None:
        policy = service.deploy.restart
        word = _RESTARTS[policy.condition]
        attempts = policy.attempts_max if word == "on-failure" else 0
    else:
        word, _, count = (service.restart_word or "no").partition(":")
        attempts = int(count) if count.isdigit() else 0
    body: Body = {"Name": word}
    if attempts:
        body["MaximumRetryCount"] = attempts
    return body


def _limits(service: Service) -> Body:
    limits, reservations = service.deploy.limits, service.deploy.reservations
    optional: Body = {
        "NanoCpus": limits.nano_cpus,
        "Memory": limits.memory_bytes,
        "MemoryReservation": reservations.memory_bytes,
        "PidsLimit": limits.pids,
    }
    return {key: value for key, value in optional.items() if value}


def _passed_on(service: Service, making: Making) -> Body:
    document, stack_name = making.document, making.origin.stack_name
    container = msgspec.structs.replace(
        service.container,
        **{
            key: shared_mode(document, stack_name, getattr(service.container, key))
            for key in ("ipc", "pid", "uts", "cgroup")
        },
    )
    optional: Body = {
        "Dns": list(container.dns),
        "DnsSearch": list(container.dns_search),
        "DnsOptions": list(container.dns_options),
        "ExtraHosts": list(container.extra_hosts),
        "GroupAdd": list(container.groups),
        "CapAdd": list(container.cap_add),
        "CapDrop": list(container.cap_drop),
        "SecurityOpt": list(container.security_options),
        "Sysctls": dict(container.sysctls),
        "Ulimits": [
            {"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard}
            for limit in container.ulimits
        ],
        "ShmSize": container.shm_size_bytes,
        "ReadonlyRootfs": container.read_only,
        "Privileged": container.privileged,
        "LogConfig": engine_body.log_config(container.log_driver),
        "VolumesFrom": _volumes_from(service, document, stack_name),
    }
    body = {key: value for key, value in optional.items() if value}
    if container.init is not None:
        body["Init"] = container.init
    return {**body, **engine_options(container, making.api_version)}


def _volumes_from(service: Service, document: Document, stack_name: str) -> list[str]:
    found = []
    for use in service.volumes_from:
        name = use.source
        if not use.is_container:
            name = first_container(document, stack_name, use.source)
        found.append(f"{name}:ro" if use.read_only else name)
    return found
