"""One service of the file."""

import re
from typing import NamedTuple

import msgspec

from stackctl.compose.document import Deploy, Service, WindowsOptions
from stackctl.compose.grammar.names import service_key_complaint
from stackctl.compose.parts.attachments import NetworkUse
from stackctl.compose.problems import shown
from stackctl.compose.sections import lifecycle, relations
from stackctl.compose.sections.amounts import check_quota, check_swap, with_own_amounts
from stackctl.compose.sections.attachments import (
    DEFAULT_NETWORK,
    read_configs,
    read_credential_spec,
    read_networks,
    read_secrets,
)
from stackctl.compose.sections.build import read_build
from stackctl.compose.sections.container import read_container
from stackctl.compose.sections.deploy import ReadDeploy, read_deploy, read_restart
from stackctl.compose.sections.devices import read_gpus
from stackctl.compose.sections.image import read_pulling
from stackctl.compose.sections.models import read_model_uses
from stackctl.compose.sections.mounts import read_tmpfs, read_volumes
from stackctl.compose.sections.namespaces import check_sharing
from stackctl.compose.sections.own_keys import check_own_keys
from stackctl.compose.sections.ports import parse_range, read_ports
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, filled_text, integer, percentage, text
from stackctl.model.specs import ContainerSpec, RestartPolicy

_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_PROFILE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_PROTOCOLS = ("tcp", "udp", "sctp")


class _Body(NamedTuple):
    """The parts of a service that look at each other's keys."""

    container: ContainerSpec
    deploy: Deploy
    builds: bool


def read_service(key: str, value: Value, stack_name: str) -> Service:  # noqa: ARG001 - all readers alike
    """Everything that the file says about one service."""
    complaint = service_key_complaint(key)
    if complaint:
        value.key_problem(complaint)
    fields = Fields(value, "a mapping with at least image:")
    body = _read_body(fields, value)
    restart = fields.get("restart")
    networks = fields.read("networks", read_networks, ())
    if not networks and not body.container.network_mode:
        networks = (NetworkUse(DEFAULT_NETWORK, value.key_place),)
    service = Service(
        key=key,
        place=value.key_place,
        key_places=fields.places(),
        container=body.container,
        deploy=body.deploy,
        restart=_restart(restart, body.deploy),
        restart_word="" if restart is None else str(restart.written or ""),
        ports=fields.read("ports", read_ports, ()),
        expose=fields.read("expose", _expose, ()),
        networks=networks,
        mounts=(
            *fields.read("volumes", read_volumes, ()),
            *fields.read("tmpfs", read_tmpfs, ()),
        ),
        configs=fields.read("configs", read_configs, ()),
        secrets=fields.read("secrets", read_secrets, ()),
        models=fields.read("models", read_model_uses, ()),
        container_name=fields.read("container_name", _container_name, ""),
        profiles=fields.read("profiles", _profiles, ()),
        attach=fields.read("attach", boolean, True),
        build=fields.read("build", read_build, None),
        pull_builds=body.builds,
        develop=fields.read("develop", lifecycle.read_develop, None),
        provider=fields.read("provider", lifecycle.read_provider, None),
        depends_on=fields.read("depends_on", relations.read_depends_on, ()),
        links=fields.read("links", relations.read_links, ()),
        external_links=fields.read("external_links", relations.read_external_links, ()),
        volumes_from=fields.read("volumes_from", relations.read_volumes_from, ()),
        pre_start=fields.read("pre_start", lifecycle.read_start_hooks, ()),
        post_start=fields.read("post_start", lifecycle.read_hooks, ()),
        pre_stop=fields.read("pre_stop", lifecycle.read_hooks, ()),
        use_api_socket=fields.read("use_api_socket", boolean, False),
        windows=_windows(fields),
        extensions=fields.extensions(),
    )
    check_own_keys(fields)
    legacy = fields.get("volume_driver")
    if legacy is not None:
        legacy.note("volume_driver belongs to version 1 of the format and has no effect")
    fields.finish()
    return service


def _read_body(fields: Fields, value: Value) -> _Body:
    section = fields.get("deploy")
    read = ReadDeploy() if section is None else read_deploy(section)
    deploy = with_own_amounts(fields, read.deploy, section)
    pulling = read_pulling(fields)
    container = msgspec.structs.replace(
        read_container(fields, value),
        device_requests=(*fields.read("gpus", read_gpus, ()), *read.devices),
        pull_policy=pulling.policy,
        pull_refresh_seconds=pulling.refresh_seconds,
    )
    check_swap(fields, container.memory_swap_bytes, deploy.limits)
    check_quota(fields, deploy.limits)
    check_sharing(fields)
    return _Body(container, deploy, pulling.builds)


def _restart(restart: Value | None, deploy: Deploy) -> RestartPolicy:
    """`deploy.restart_policy` where there is one, otherwise what `restart` says."""
    said = RestartPolicy() if restart is None else read_restart(restart)
    if deploy.restart is None:
        return said
    if restart is not None:
        restart.note("restart is not used, because deploy.restart_policy is given")
    return deploy.restart


def _windows(fields: Fields) -> WindowsOptions | None:
    """What only containers of Windows have, if anything of it is said."""
    options = WindowsOptions(
        isolation=fields.read("isolation", text, ""),
        cpu_count=fields.read("cpu_count", integer(), 0),
        cpu_percent=fields.read("cpu_percent", percentage, 0.0),
        credential_spec=fields.read("credential_spec", read_credential_spec, None),
    )
    return None if options == WindowsOptions() else options


def _container_name(value: Value) -> str:
    written = filled_text(value)
    if written and not _CONTAINER_NAME.fullmatch(written):
        value.problem(
            f"{shown(written)!r} is no name: two or more letters, digits, _, . and -, "
            "beginning with a letter or digit"
        )
    return written


def _profiles(value: Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_profile(item) for item in value.items("a list of profiles")))


def _profile(value: Value) -> str:
    written = filled_text(value)
    if written and not _PROFILE.fullmatch(written):
        value.problem(
            f"{shown(written)!r} is no name: letters, digits, _, . and -, "
            "beginning with a letter or digit"
        )
    return written


def _expose(value: Value) -> tuple[str, ...]:
    """Ports as PORT/PROTOCOL or FIRST-LAST/PROTOCOL, each once, in the order of the file."""
    found: dict[str, None] = {}
    for item in value.items("a list of ports"):
        written = item.written
        if isinstance(written, bool | float) or written is None:
            item.expected("a port")
            continue
        port, _, protocol = str(written).partition("/")
        try:
            parse_range(port)
        except ValueError as error:
            item.problem(str(error))
        if protocol and protocol.lower() not in _PROTOCOLS:
            item.problem(f"the protocol is {shown(protocol)!r}, not tcp, udp or sctp")
        found[f"{port}/{protocol.lower() or 'tcp'}"] = None
    return tuple(found)
