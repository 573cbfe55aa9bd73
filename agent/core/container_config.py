"""The body of the engine's container creation, from a task's assignment: pure, compared with golden
files.

The body is written by hand instead of through the SDK's types, so that every field of the engine
can be sent. Engines differ by API version; the version is an argument, and what depends on it
stands here and nowhere else:

    from 1.44  MAC addresses belong to the endpoint, and all networks can be given at creation;
               before, one network is given, with the MAC address beside the host name, and the
               others are connected before the start. (Their MAC address cannot be chosen there, but
               engines before 1.44 derive it from the address exactly as `mac_address` does.)
    from 1.44  health checks know a start interval, read-only binds what is mounted below them
    from 1.45  a volume can be mounted by a path inside it
    from 1.48  an image can be mounted
"""

import math
from collections.abc import Mapping

from agent.core import observed, templates
from agent.core.engine_options import Body, engine_options, too_old
from agent.core.generic_resources import environment
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.assignment import NetworkAssignment, TaskAssignment, mac_address
from stackctl.model.structs import Model

NANOSECONDS = 1_000_000_000
API_ENDPOINT_MAC = (1, 44)
API_START_INTERVAL = (1, 44)
API_BIND_RECURSION = (1, 44)
API_VOLUME_SUBPATH = (1, 45)
API_IMAGE_MOUNT = (1, 48)

NO_NETWORK = "none"

# `recursive` of a bind mount in the engine's words; `enabled` is what it does anyway.
_RECURSION_OPTIONS = {
    "disabled": "NonRecursive",
    "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}


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
        "Healthcheck": _healthcheck(container.healthcheck, place.api_version),
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
        templates.expand(mount.target, places): _tmpfs_options(mount)
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
        "LogConfig": _log_config(container.log_driver),
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
            binds.append(_short_bind(mount, source, target))
        else:
            mounts.append(_mount(mount, source, target, place.api_version))
    mounts.extend(
        {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}
        for target, source in sorted(place.config_sources.items())
    )
    return mounts, binds


def _short_bind(mount: specs.Mount, source: str, target: str) -> str:
    # The long form refuses an absent source on every engine; the short form makes the folder. Only
    # the short form can label it for SELinux, too.
    if ":" in source + target:
        raise PermanentFailure(
            f"bind mount {source} at {target}: a folder that is to be created or labelled on the "
            "node cannot have ':' in its path"
        )
    if mount.recursive not in ("", "enabled"):
        raise PermanentFailure(
            f"bind mount {source} at {target}: recursive: {mount.recursive} excludes a folder that "
            "is to be created or labelled on the node"
        )
    options = ["ro"] if mount.read_only else ["rw"]
    if mount.propagation:
        options.append(mount.propagation)
    if mount.selinux:
        options.append(mount.selinux)
    return f"{source}:{target}:{','.join(options)}"


def _mount(mount: specs.Mount, source: str, target: str, api_version: tuple[int, int]) -> Body:
    body: Body = {"Type": mount.kind.value, "Target": target}
    if source:
        body["Source"] = source
    if mount.read_only:
        body["ReadOnly"] = True
    if mount.kind is specs.MountKind.BIND:
        options = _bind_options(mount, api_version)
        body.update({"BindOptions": options} if options else {})
    if mount.kind is specs.MountKind.IMAGE:
        if api_version < API_IMAGE_MOUNT:
            raise too_old(f"image {source} at {target}", API_IMAGE_MOUNT, api_version)
        body.update({"ImageOptions": {"Subpath": mount.subpath}} if mount.subpath else {})
    if mount.kind is specs.MountKind.TMPFS:
        options = {"SizeBytes": mount.tmpfs_size_bytes, "Mode": mount.tmpfs_mode}
        body["TmpfsOptions"] = {key: value for key, value in options.items() if value}
    if mount.kind is specs.MountKind.VOLUME:
        body["VolumeOptions"] = _volume_options(mount, api_version)
    return body


def _tmpfs_options(mount: specs.Mount) -> str:
    """The options of mount(8), which the engine's long form has no place for."""
    options = ["ro"] if mount.read_only else []
    if mount.tmpfs_size_bytes:
        options.append(f"size={mount.tmpfs_size_bytes}")
    if mount.tmpfs_mode:
        options.append(f"mode={mount.tmpfs_mode:o}")
    return ",".join((*options, *mount.tmpfs_options))


def _bind_options(mount: specs.Mount, api_version: tuple[int, int]) -> Body:
    options: Body = {"Propagation": mount.propagation} if mount.propagation else {}
    recursion = _RECURSION_OPTIONS.get(mount.recursive)
    if recursion is None:
        return options
    if mount.recursive != "disabled" and api_version < API_BIND_RECURSION:
        what = f"bind mount {mount.source} with recursive: {mount.recursive}"
        raise too_old(what, API_BIND_RECURSION, api_version)
    return {**options, recursion: True}


def _volume_options(mount: specs.Mount, api_version: tuple[int, int]) -> Body:
    options: Body = {}
    if mount.no_copy:
        options["NoCopy"] = True
    if mount.volume_labels:
        options["Labels"] = dict(mount.volume_labels)
    if mount.volume_driver or mount.volume_driver_options:
        options["DriverConfig"] = {
            "Name": mount.volume_driver or "local",
            "Options": dict(mount.volume_driver_options),
        }
    if mount.subpath:
        if api_version < API_VOLUME_SUBPATH:
            what = f"volume {mount.source} at {mount.target} by a path inside it"
            raise too_old(what, API_VOLUME_SUBPATH, api_version)
        options["Subpath"] = mount.subpath
    return options


def _healthcheck(check: specs.Healthcheck | None, api_version: tuple[int, int]) -> Body:
    if check is None:
        return {}
    body: Body = {
        "Test": list(check.test),
        "Interval": _nanoseconds(check.interval_seconds),
        "Timeout": _nanoseconds(check.timeout_seconds),
        "Retries": check.retries,
        "StartPeriod": _nanoseconds(check.start_period_seconds),
    }
    if api_version >= API_START_INTERVAL:
        body["StartInterval"] = _nanoseconds(check.start_interval_seconds)
    return {key: value for key, value in body.items() if value}


def _port_bindings(ports: tuple[specs.PortSpec, ...]) -> Body:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        bindings.setdefault(_port_key(port), []).append({"HostPort": str(port.published)})
    return bindings


def _port_key(port: specs.PortSpec) -> str:
    return f"{port.target}/{port.protocol}"


def _log_config(driver: specs.LogDriver | None) -> Body:
    if driver is None or not (driver.name or driver.options):
        return {}
    # Options without a name are meant for the engine's default driver.
    return {"Type": driver.name or "json-file", "Config": dict(driver.options)}


def _expand_value(variable: str, places: Mapping[str, str]) -> str:
    name, equals, value = variable.partition("=")
    return f"{name}{equals}{templates.expand(value, places)}"


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
