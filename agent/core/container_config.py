"""The body of the engine's container creation, from a task's assignment: pure, compared with golden
files.

The body is written by hand instead of through the SDK's types, so that every field of the engine
can be sent. Engines differ by API version; the version is an argument, and what depends on it
stands here and nowhere else:

    from 1.44  MAC addresses belong to the endpoint, and all networks can be given at creation;
               before, one network is given, with the MAC address beside the host name, and the
               others are connected before the start. (Their MAC address cannot be chosen there, but
               engines before 1.44 derive it from the address exactly as `mac_address` does.)

Mounts, health checks and what is passed on as the spec has it stand in `stackctl.model`, because a
stack on one engine needs them, too.
"""

import math
from collections.abc import Mapping

from agent.core import observed, templates
from agent.core.generic_resources import environment
from stackctl.model import engine_body, specs
from stackctl.model.assignment import NetworkAssignment, TaskAssignment, mac_address
from stackctl.model.engine_options import Body, engine_options
from stackctl.model.structs import Model

API_ENDPOINT_MAC = (1, 44)

NO_NETWORK = "none"


class TaskNetwork(Model, frozen=True, kw_only=True):
    """One network of a task, in the order of its spec."""

    network_id: str
    engine_name: str
    address: str


class ContainerPlace(Model, frozen=True, kw_only=True):
    """What the body depends on beside the task: the node, its engine, its networks, its files."""

    cluster_id: str
    node_id: str
    api_version: tuple[int, int]
    networks: tuple[TaskNetwork, ...] = ()
    dns_servers: tuple[str, ...] = ()
    config_sources: Mapping[str, str] = {}  # target in the container -> file on the node


def told_contents(task: TaskAssignment) -> Mapping[str, str]:
    """The ids of the contents of whose changes the task's process is told, by kind and name."""
    container = task.spec.container
    return {
        f"{kind} {reference.name}": ids.get(reference.name, "")
        for kind, references, ids in (
            ("config", container.configs, task.config_ids),
            ("secret", container.secrets, task.secret_ids),
        )
        for reference in references
        if reference.on_change
    }


def telling_signals(task: TaskAssignment, told: Mapping[str, str]) -> tuple[str, ...]:
    """The signals for the contents that are others than those it was told of, each once."""
    container, wanted = task.spec.container, told_contents(task)
    signals = (
        reference.on_change
        for kind, references in (("config", container.configs), ("secret", container.secrets))
        for reference in references
        if reference.on_change and told.get(key := f"{kind} {reference.name}") != wanted[key]
    )
    return tuple(dict.fromkeys(signals))


def networks_of(
    task: TaskAssignment,
    assigned: Mapping[str, NetworkAssignment],
    engine_names: Mapping[str, str],
) -> tuple[TaskNetwork, ...]:
    """The networks of a task in the order of its spec, as far as they are there.

    `assigned` are the node's networks by name, `engine_names` the engine's names by network id.
    """
    found = []
    for attachment in task.spec.networks:
        network = assigned.get(attachment.network)
        if network is None or network.id not in task.addresses or network.id not in engine_names:
            continue
        found.append(
            TaskNetwork(
                network_id=network.id,
                engine_name=engine_names[network.id],
                address=task.addresses[network.id],
            )
        )
    return tuple(found)


def container_labels(task: TaskAssignment, place: ContainerPlace) -> dict[str, str]:
    """The user's labels and ours; ours win, because the agent finds its containers by them."""
    return {
        **task.spec.container.labels,
        observed.LABEL_TASK_ID: task.id,
        observed.LABEL_TASK_NAME: task.name,
        observed.LABEL_CLUSTER_ID: place.cluster_id,
        observed.LABEL_NODE_ID: place.node_id,
        "stackctl.service.id": task.service_id,
        "stackctl.service.name": task.service_name,
        "stackctl.revision": str(task.revision),
        "stackctl.stack": task.stack_name,
        specs.NAMESPACE_LABEL: task.stack_name,
    }


def container_body(task: TaskAssignment, place: ContainerPlace) -> Body:
    """The JSON body of `POST /containers/create` for this task.

    Raises PermanentFailure, with the reason in words, for a spec that this node's engine cannot
    carry out.
    """
    container = task.spec.container
    places = templates.places_of(task, node_id=place.node_id)
    body: Body = {
        "Image": container.image,
        "Env": [
            *(_expand_value(variable, places) for variable in container.environment),
            *environment(task.spec.reservations.generic, task.generic_named),
        ],
        "Labels": container_labels(task, place),
        "Tty": container.tty,
        "OpenStdin": container.stdin_open,
        "StopTimeout": math.ceil(grace_seconds(container)),
        "HostConfig": _host_config(task, place, places),
        "NetworkingConfig": {"EndpointsConfig": _endpoints(container, place)},
    }
    if container.entrypoint is not None:
        body["Entrypoint"] = list(container.entrypoint)
    if container.command is not None:
        body["Cmd"] = list(container.command)
    optional = {
        "Hostname": templates.expand(container.hostname, places),
        "Domainname": container.domainname,
        "User": container.user,
        "WorkingDir": container.working_dir,
        "StopSignal": container.stop_signal,
        "ExposedPorts": {_port_key(port): {} for port in task.ports},
        "Healthcheck": engine_body.healthcheck_body(container.healthcheck, place.api_version),
    }
    body.update({key: value for key, value in optional.items() if value})
    if place.api_version < API_ENDPOINT_MAC:
        chosen = mac_address(place.networks[0].address) if place.networks else container.mac_address
        body.update({"MacAddress": chosen} if chosen else {})
    return body


def endpoint_body(network: TaskNetwork, api_version: tuple[int, int]) -> Body:
    """The endpoint of a container on one network: the address and MAC that the manager chose."""
    endpoint: Body = {"IPAMConfig": {"IPv4Address": network.address}}
    if api_version >= API_ENDPOINT_MAC:
        endpoint["MacAddress"] = mac_address(network.address)
    return endpoint


def grace_seconds(container: specs.ContainerSpec) -> float:
    """How long a container has between its stop signal and SIGKILL."""
    if container.stop_grace_period_seconds is None:
        return observed.DEFAULT_GRACE_SECONDS
    return container.stop_grace_period_seconds


def _endpoints(container: specs.ContainerSpec, place: ContainerPlace) -> Body:
    if not place.networks and container.mac_address and place.api_version >= API_ENDPOINT_MAC:
        return {container.network_mode: {"MacAddress": container.mac_address}}
    at_creation = place.networks if place.api_version >= API_ENDPOINT_MAC else place.networks[:1]
    return {
        network.engine_name: endpoint_body(network, place.api_version) for network in at_creation
    }


def _host_config(task: TaskAssignment, place: ContainerPlace, places: Mapping[str, str]) -> Body:
    container = task.spec.container
    limits = task.spec.limits
    mounts, binds = _mounts(container, place, places)
    tmpfs = {
        templates.expand(mount.target, places): engine_body.tmpfs_options(mount)
        for mount in container.mounts
        if mount.tmpfs_options
    }
    network_mode = container.network_mode or NO_NETWORK
    config: Body = {
        "NetworkMode": place.networks[0].engine_name if place.networks else network_mode,
        # The managers decide about restarts; an engine that restarts on its own hides the end.
        "RestartPolicy": {"Name": "no"},
    }
    optional: Body = {
        "Mounts": mounts,
        "Binds": binds,
        "Tmpfs": tmpfs,
        "NanoCpus": limits.nano_cpus,
        "Memory": limits.memory_bytes,
        "PidsLimit": limits.pids,
        "Dns": list(place.dns_servers),
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
        "PortBindings": _port_bindings(task.ports),
        "LogConfig": engine_body.log_config(container.log_driver),
    }
    config.update({key: value for key, value in optional.items() if value})
    config.update(engine_options(container, place.api_version))
    if container.init is not None:
        config["Init"] = container.init
    return config


def _mounts(
    container: specs.ContainerSpec, place: ContainerPlace, places: Mapping[str, str]
) -> tuple[list[Body], list[str]]:
    """The mounts in the engine's long form, and those that only its short form can express."""
    mounts: list[Body] = []
    binds: list[str] = []
    for mount in container.mounts:
        if mount.tmpfs_options:
            continue  # only a field of its own takes them
        source = templates.expand(mount.source, places)
        target = templates.expand(mount.target, places)
        if mount.kind is specs.MountKind.BIND and (mount.create_source or mount.selinux):
            binds.append(engine_body.short_bind(mount, source, target))
        else:
            mounts.append(engine_body.mount_body(mount, source, target, place.api_version))
    mounts.extend(
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
        for target, source in sorted(place.config_sources.items())
    )
    return mounts, binds


def _port_bindings(ports: tuple[specs.PortSpec, ...]) -> Body:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        bindings.setdefault(_port_key(port), []).append({"HostPort": str(port.published)})
    return bindings


def _port_key(port: specs.PortSpec) -> str:
    return f"{port.target}/{port.protocol}"


def _expand_value(variable: str, places: Mapping[str, str]) -> str:
    name, equals, value = variable.partition("=")
    return f"{name}{equals}{templates.expand(value, places)}"
