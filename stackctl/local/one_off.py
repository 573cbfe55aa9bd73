"""A container beside those of a service, for one command: what `run` makes. Pure.

It is made as a container of the service, then changed by what the command line says: its published
ports and its names on networks belong to the service's own containers, so it has neither.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stackctl.compose.document import Document, Service
from stackctl.errors import InputError
from stackctl.local import labels
from stackctl.local.container_body import ContainerPlan, Making, container_plan
from stackctl.local.container_networks import Attachment

Body = dict[str, Any]

_PORT = re.compile(
    r"(?:(?:(?P<address>\[[^]]+\]|[^:\[]+):)?(?P<published>\d*):)?"
    r"(?P<target>\d+)(?:/(?P<protocol>tcp|udp|sctp))?"
)


class OneOffOptions(NamedTuple):
    """What the command line says. None and "" leave it to the service.

    `environment` are whole `NAME=value`; `ports` and `volumes` are as they were written.
    """

    command: Sequence[str] = ()
    entrypoint: Sequence[str] | None = None
    environment: Sequence[str] = ()
    labels: Mapping[str, str] = {}
    cap_add: Sequence[str] = ()
    cap_drop: Sequence[str] = ()
    name: str = ""
    ports: Sequence[str] = ()
    service_ports: bool = False
    use_aliases: bool = False
    user: str = ""
    volumes: Sequence[str] = ()
    working_directory: str = ""
    tty: bool = False
    is_interactive: bool = True
    is_detached: bool = False
    is_removed: bool = False


def one_off_plan(
    service: Service, making: Making, options: OneOffOptions, *, slug: str
) -> ContainerPlan:
    """The container of one run; `slug` makes its name unlike all others. Raises InputError."""
    changed = _changed_service(service, options)
    made = container_plan(changed, 1, making)
    parts = (making.origin.stack_name, service.key, "run", slug[:12])
    name = options.name or service.name_separator.join(parts)
    body = made.body
    body["Labels"] = {
        **body["Labels"],
        **options.labels,
        labels.ONE_OFF: "True",
        labels.SLUG: slug,
    }
    attached = not options.is_detached
    body.update(
        Tty=options.tty,
        OpenStdin=options.is_interactive,
        StdinOnce=options.is_interactive and attached,
        AttachStdin=options.is_interactive and attached,
        AttachStdout=attached,
        AttachStderr=attached,
    )
    host = body["HostConfig"]
    host["RestartPolicy"] = {"Name": "no"}
    if options.is_detached and options.is_removed:
        host["AutoRemove"] = True
    _publish(body, options.ports)
    _mount(body, making.document, options.volumes)
    endpoints = body["NetworkingConfig"]["EndpointsConfig"]
    later = made.later_networks
    own_names = (made.name, name) if options.use_aliases else None
    for network, endpoint in endpoints.items():
        endpoints[network] = _renamed(endpoint, own_names)
    later = tuple(Attachment(it.network, _renamed(it.body, own_names)) for it in later)
    return ContainerPlan(name, body, later, made.files)


def _changed_service(service: Service, options: OneOffOptions) -> Service:
    container = service.container
    variables = {word.partition("=")[0]: word for word in container.environment}
    variables.update({word.partition("=")[0]: word for word in options.environment})
    command = tuple(options.command) or container.command
    entrypoint = container.entrypoint
    if options.entrypoint is not None:
        entrypoint, command = tuple(options.entrypoint), tuple(options.command)
    changed = msgspec.structs.replace(
        container,
        environment=tuple(sorted(variables.values())),
        command=command,
        entrypoint=entrypoint,
        user=options.user or container.user,
        working_dir=options.working_directory or container.working_dir,
        cap_add=(*container.cap_add, *options.cap_add),
        cap_drop=(*container.cap_drop, *options.cap_drop),
    )
    return msgspec.structs.replace(
        service,
        container=changed,
        container_name="",
        ports=service.ports if options.service_ports else (),
    )


def _publish(body: Body, ports: Sequence[str]) -> None:
    for written in ports:
        found = _PORT.fullmatch(written)
        if found is None:
            raise InputError(
                f"--publish {written}: this is no port", hint="write [[ADDRESS:]PORT:]PORT[/udp]"
            )
        key = f"{found['target']}/{found['protocol'] or 'tcp'}"
        binding = {
            "HostIp": (found["address"] or "").strip("[]"),
            "HostPort": found["published"] or "",
        }
        body.setdefault("ExposedPorts", {})[key] = {}
        body["HostConfig"].setdefault("PortBindings", {}).setdefault(key, []).append(binding)


def _mount(body: Body, document: Document, volumes: Sequence[str]) -> None:
    host = body["HostConfig"]
    for written in volumes:
        source, colon, rest = written.partition(":")
        target = (rest if colon else source).partition(":")[0]
        if not target.startswith("/"):
            raise InputError(
                f"--volume {written}: {target or 'nothing'} is no absolute path in the container",
                hint="write SOURCE:TARGET[:ro], or TARGET alone",
            )
        _unmount(host, target)
        if not colon:
            body.setdefault("Volumes", {})[target] = {}
            continue
        host.setdefault("Binds", []).append(f"{_source(source, document)}:{rest}")


def _source(source: str, document: Document) -> str:
    if source.startswith((".", "~")):
        return str(Path(source).expanduser().absolute())
    volume = document.volumes.get(source)
    return volume.name if volume else source


def _unmount(host: Body, target: str) -> None:
    """What the service has at a path gives way to what the command line says."""
    host["Mounts"] = [it for it in host.get("Mounts", ()) if it.get("Target") != target]
    host["Binds"] = [it for it in host.get("Binds", ()) if it.split(":")[1] != target]
    host.get("Tmpfs", {}).pop(target, None)


def _renamed(endpoint: Body, own_names: tuple[str, str] | None) -> Body:
    """The endpoint without names that belong to the service, or with its own beside them."""
    others = {key: value for key, value in endpoint.items() if key != "Aliases"}
    # A fixed address is the service's as well: two containers cannot have it.
    others.pop("IPAMConfig", None)
    others.pop("MacAddress", None)
    if own_names is None:
        return others
    usual, name = own_names
    aliases = [name if alias == usual else alias for alias in endpoint.get("Aliases", ())]
    return {**others, "Aliases": aliases}
