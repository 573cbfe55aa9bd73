"""The container of a service as Compose's keys."""

from collections.abc import Sequence

from stackctl.compose.document import MountUse, PortUse
from stackctl.compose.printing.values import (
    duration_text,
    mode_text,
    pairs,
    positive_duration,
    section,
    ulimits,
)
from stackctl.compose.printing.yaml_text import Plain
from stackctl.model.devices import COUNT_ALL, BlockIo, Device, DeviceRate, DeviceRequest
from stackctl.model.specs import (
    ContainerSpec,
    Healthcheck,
    LogDriver,
    Mount,
    MountKind,
    PortMode,
    PullPolicy,
)


def container_keys(container: ContainerSpec) -> dict[str, Plain]:
    """Everything of a container but its mounts, configs and secrets."""
    return section(
        {
            "image": container.image,
            "environment": pairs(container.environment),
            "labels": dict(container.labels),
            "hostname": container.hostname,
            "domainname": container.domainname,
            "working_dir": container.working_dir,
            "user": container.user,
            "group_add": list(container.groups),
            "tty": container.tty,
            "stdin_open": container.stdin_open,
            "read_only": container.read_only,
            "privileged": container.privileged,
            "stop_signal": container.stop_signal,
            "extra_hosts": list(container.extra_hosts),
            "dns": list(container.dns),
            "dns_search": list(container.dns_search),
            "dns_opt": list(container.dns_options),
            "cap_add": list(container.cap_add),
            "cap_drop": list(container.cap_drop),
            "security_opt": list(container.security_options),
            "sysctls": dict(container.sysctls),
            "ulimits": ulimits(container.ulimits),
            "shm_size": container.shm_size_bytes,
            "annotations": dict(container.annotations),
            "storage_opt": dict(container.storage_options),
            "cgroup": container.cgroup,
            "cgroup_parent": container.cgroup_parent,
            "cpuset": container.cpuset,
            "devices": [_device(device) for device in container.devices],
            "device_cgroup_rules": list(container.device_cgroup_rules),
            "ipc": container.ipc,
            "pid": container.pid,
            "uts": container.uts,
            "userns_mode": container.userns_mode,
            "network_mode": container.network_mode,
            "mac_address": container.mac_address,
            "memswap_limit": container.memory_swap_bytes,
            "oom_kill_disable": container.oom_kill_disable,
            "oom_score_adj": container.oom_score_adjustment,
            "platform": container.platform,
            "runtime": container.runtime,
            **_processor_keys(container),
            **_pull_keys(container),
        },
        {
            "entrypoint": None if container.entrypoint is None else list(container.entrypoint),
            "command": None if container.command is None else list(container.command),
            "init": container.init,
            "stop_grace_period": duration_text(container.stop_grace_period_seconds),
            "mem_swappiness": container.memory_swappiness,
            "healthcheck": _healthcheck(container.healthcheck),
            "logging": _logging(container.log_driver),
            "blkio_config": _block_io(container.block_io),
        },
    )


def device_requests(requests: Sequence[DeviceRequest]) -> list[Plain]:
    """The devices that a driver chooses, as `deploy.resources.reservations.devices` has them."""
    return [
        section(
            {
                "driver": request.driver,
                "count": "all" if request.count == COUNT_ALL else request.count,
                "device_ids": list(request.device_ids),
                "options": dict(request.options),
            },
            {"capabilities": [word for words in request.capabilities for word in words]},
        )
        for request in requests
    ]


def mounts(uses: Sequence[MountUse]) -> list[Plain]:
    """Mounts in their long form, up to the first one that `tmpfs` has to print."""
    return [_mount(use) for use in uses[: _long_count(uses)]]


def tmpfs(uses: Sequence[MountUse]) -> list[Plain]:
    """The rest of the mounts: those after one whose options only the short form has."""
    return [_tmpfs(use.mount) for use in uses[_long_count(uses) :]]


def _long_count(uses: Sequence[MountUse]) -> int:
    with_options = (number for number, use in enumerate(uses) if use.mount.tmpfs_options)
    return next(with_options, len(uses))


def _tmpfs(mount: Mount) -> str:
    options = ["ro"] if mount.read_only else []
    if mount.tmpfs_size_bytes:
        options.append(f"size={mount.tmpfs_size_bytes}")
    if mount.tmpfs_mode:
        options.append(f"mode={mount.tmpfs_mode:o}")
    written = ",".join((*options, *mount.tmpfs_options))
    return f"{mount.target}:{written}" if written else mount.target


def ports(uses: Sequence[PortUse]) -> list[Plain]:
    """Ports in their long form; the ports of a range over one port are one entry again."""
    found: list[Plain] = []
    ranges: set[object] = set()
    for use in uses:
        published = str(use.spec.published) if use.spec.published else ""
        if use.one_of is not None:
            published = f"{use.one_of[0]}-{use.one_of[1]}"
            entry = _port(use, published)
            if repr(entry) in ranges:
                continue
            ranges.add(repr(entry))
        found.append(_port(use, published))
    return found


def _port(use: PortUse, published: str) -> Plain:
    spec = use.spec
    return section(
        {
            "target": spec.target,
            "published": published,
            "protocol": spec.protocol if spec.protocol != "tcp" else "",
            "mode": spec.mode.value if spec.mode is not PortMode.INGRESS else "",
            "host_ip": use.host_ip,
            "name": use.name,
            "app_protocol": use.app_protocol,
        }
    )


def _mount(use: MountUse) -> Plain:
    mount = use.mount
    blocks: dict[str, Plain] = {
        "bind": section(
            {
                "propagation": mount.propagation,
                "recursive": mount.recursive,
                "selinux": mount.selinux,
            },
            {"create_host_path": use.create_host_path},
        ),
        "volume": section(
            {"nocopy": mount.no_copy, "labels": dict(mount.volume_labels)},
        ),
        "tmpfs": section(
            {
                "size": mount.tmpfs_size_bytes,
                "mode": mode_text(mount.tmpfs_mode) if mount.tmpfs_mode else "",
            }
        ),
    }
    if mount.subpath:
        name = "image" if mount.kind is MountKind.IMAGE else "volume"
        block = blocks.get(name)
        blocks[name] = {**(block if isinstance(block, dict) else {}), "subpath": mount.subpath}
    return section(
        {
            "type": mount.kind.value,
            "source": mount.source if use.volume_key is None else use.volume_key,
            "target": mount.target,
            "read_only": mount.read_only,
            "consistency": use.consistency,
            **blocks,
        }
    )


def _device(device: Device) -> Plain:
    if device.is_cdi:
        return device.source
    return section(
        {"source": device.source, "target": device.target, "permissions": device.permissions}
    )


def _processor_keys(container: ContainerSpec) -> dict[str, Plain]:
    return {
        "cpu_shares": container.cpu_shares,
        "cpu_quota": container.cpu_quota,
        "cpu_period": container.cpu_period,
        "cpu_rt_runtime": container.cpu_realtime_runtime,
        "cpu_rt_period": container.cpu_realtime_period,
    }


def _pull_keys(container: ContainerSpec) -> dict[str, Plain]:
    policy = container.pull_policy
    return {
        "pull_policy": "" if policy is PullPolicy.MISSING else policy.value,
        "pull_refresh_after": positive_duration(container.pull_refresh_seconds),
    }


def _healthcheck(check: Healthcheck | None) -> Plain:
    if check is None:
        return None
    return section(
        {
            "test": list(check.test),
            "interval": positive_duration(check.interval_seconds),
            "timeout": positive_duration(check.timeout_seconds),
            "retries": check.retries,
            "start_period": positive_duration(check.start_period_seconds),
            "start_interval": positive_duration(check.start_interval_seconds),
        }
    )


def _logging(driver: LogDriver | None) -> Plain:
    if driver is None:
        return None
    return section({"driver": driver.name, "options": dict(driver.options)})


def _block_io(limits: BlockIo | None) -> Plain:
    if limits is None:
        return None
    return section(
        {
            "weight": limits.weight,
            "weight_device": [
                {"path": device.path, "weight": device.weight} for device in limits.device_weights
            ],
            "device_read_bps": _rates(limits.read_bytes),
            "device_write_bps": _rates(limits.write_bytes),
            "device_read_iops": _rates(limits.read_operations),
            "device_write_iops": _rates(limits.write_operations),
        }
    )


def _rates(rates: Sequence[DeviceRate]) -> list[Plain]:
    return [{"path": rate.path, "rate": rate.rate} for rate in rates]
