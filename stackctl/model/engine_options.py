"""The part of a container's host configuration that is passed on as the spec has it.

Namespaces, devices, shares of processors and block devices: neither the agent nor a stack on one
engine has an opinion about them. What an engine is too old for is refused in words.

    from 1.43  annotations for the runtime
"""

from typing import Any

from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.devices import CDI_DRIVER, BlockIo, Device, DeviceRate, DeviceRequest

API_ANNOTATIONS = (1, 43)

Body = dict[str, Any]


def engine_options(container: specs.ContainerSpec, api_version: tuple[int, int]) -> Body:
    """The fields of `HostConfig` for what is set; raises PermanentFailure for an old engine."""
    if container.annotations and api_version < API_ANNOTATIONS:
        raise too_old("annotations", API_ANNOTATIONS, api_version)
    requests = (*container.device_requests, *_cdi_requests(container.devices))
    optional: Body = {
        "Annotations": dict(container.annotations),
        "CgroupnsMode": container.cgroup,
        "CgroupParent": container.cgroup_parent,
        "CpuShares": container.cpu_shares,
        "CpuQuota": container.cpu_quota,
        "CpuPeriod": container.cpu_period,
        "CpuRealtimeRuntime": container.cpu_realtime_runtime,
        "CpuRealtimePeriod": container.cpu_realtime_period,
        "CpusetCpus": container.cpuset,
        "Devices": [_device(device) for device in container.devices if not device.is_cdi],
        "DeviceRequests": [_device_request(request) for request in requests],
        "DeviceCgroupRules": list(container.device_cgroup_rules),
        "IpcMode": container.ipc,
        "PidMode": container.pid,
        "UTSMode": container.uts,
        "UsernsMode": container.userns_mode,
        "MemorySwap": container.memory_swap_bytes,
        "OomKillDisable": container.oom_kill_disable,
        "OomScoreAdj": container.oom_score_adjustment,
        "Runtime": container.runtime,
        "StorageOpt": dict(container.storage_options),
        **_block_io(container.block_io or BlockIo()),
    }
    options = {key: value for key, value in optional.items() if value}
    if container.memory_swappiness is not None:  # 0 has a meaning
        options["MemorySwappiness"] = container.memory_swappiness
    return options


def too_old(what: str, needed: tuple[int, int], api_version: tuple[int, int]) -> PermanentFailure:
    """The refusal of what this node's engine does not know yet."""
    return PermanentFailure(
        f"{what}: needs engine API {needed[0]}.{needed[1]}, "
        f"the engine has {api_version[0]}.{api_version[1]}"
    )


def _block_io(block_io: BlockIo) -> Body:
    return {
        "BlkioWeight": block_io.weight,
        "BlkioWeightDevice": [
            {"Path": device.path, "Weight": device.weight} for device in block_io.device_weights
        ],
        "BlkioDeviceReadBps": _rates(block_io.read_bytes),
        "BlkioDeviceWriteBps": _rates(block_io.write_bytes),
        "BlkioDeviceReadIOps": _rates(block_io.read_operations),
        "BlkioDeviceWriteIOps": _rates(block_io.write_operations),
    }


def _rates(rates: tuple[DeviceRate, ...]) -> list[Body]:
    return [{"Path": rate.path, "Rate": rate.rate} for rate in rates]


def _device(device: Device) -> Body:
    return {
        "PathOnHost": device.source,
        "PathInContainer": device.target,
        "CgroupPermissions": device.permissions,
    }


def _cdi_requests(devices: tuple[Device, ...]) -> tuple[DeviceRequest, ...]:
    names = tuple(device.source for device in devices if device.is_cdi)
    return (DeviceRequest(driver=CDI_DRIVER, device_ids=names),) if names else ()


def _device_request(request: DeviceRequest) -> Body:
    body: Body = {
        "Driver": request.driver,
        "Count": request.count,
        "DeviceIDs": list(request.device_ids),
        "Capabilities": [list(group) for group in request.capabilities],
        "Options": dict(request.options),
    }
    return {key: value for key, value in body.items() if value}
