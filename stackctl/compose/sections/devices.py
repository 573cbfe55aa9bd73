"""Devices of the node in a container: `devices`, `gpus`, `device_cgroup_rules`, `blkio_config`."""

import re

from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import (
    byte_size,
    filled_text,
    integer,
    options,
    text,
    text_list,
)
from stackctl.model.devices import (
    COUNT_ALL,
    BlockIo,
    Device,
    DeviceRate,
    DeviceRequest,
    DeviceWeight,
)

ALL = "all"
GPU = "gpu"
PERMISSIONS = "rwm"
WEIGHT_MIN = 10
WEIGHT_MAX = 1000

_CDI_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*/[A-Za-z0-9][-A-Za-z0-9_.]*=[-A-Za-z0-9_.:]+")
_RULE = re.compile(r"[abc] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}")
_PERMISSIONS = re.compile(r"[rwm]{1,3}")
_COUNT_MAX = 1_000_000


def read_devices(value: Value) -> tuple[Device, ...]:
    """The devices under `devices`, in both forms, sorted by their place in the container."""
    found = [
        _long_device(item) if item.is_mapping() else _short_device(item)
        for item in value.items("a list of devices")
    ]
    places: dict[str, None] = {}
    for item, device in zip(value.items(), found, strict=True):
        if device.target and device.target in places:
            item.problem(f"there is another device at {shown(device.target)}")
        places[device.target] = None
    return tuple(sorted(found, key=lambda it: (it.target, it.source)))


def read_gpus(value: Value) -> tuple[DeviceRequest, ...]:
    """`gpus`: `all`, or a list of requests that all have the capability gpu."""
    if value.written == ALL:
        return (DeviceRequest(count=COUNT_ALL, capabilities=((GPU,),)),)
    what = "all or a list of device requests"
    if not value.is_list():
        value.expected(what)
    return tuple(_gpu_request(item) for item in (value.items(what) if value.is_list() else []))


def read_device_requests(value: Value) -> tuple[DeviceRequest, ...]:
    """`deploy.resources.reservations.devices`: requests that name their capabilities."""
    return tuple(_request(item, needed=True) for item in value.items("a list of device requests"))


def read_device_cgroup_rules(value: Value) -> tuple[str, ...]:
    """Rules of the control group for devices, such as `c 1:3 mr`."""
    found: list[str] = []
    for item in value.items("a list of rules"):
        written = text(item)
        if isinstance(item.written, str) and not _RULE.fullmatch(written):
            item.problem(
                f"{shown(written)!r} is no rule for devices",
                "write the kind (a, b or c), MAJOR:MINOR, and which of r, w and m, as in c 1:3 mr",
            )
        found.append(written)
    return tuple(found)


def read_block_io(value: Value) -> BlockIo:
    """`blkio_config`: shares and rates on the node's block devices."""
    fields = Fields(value)
    block_io = BlockIo(
        weight=fields.read("weight", _weight, 0),
        device_weights=fields.read("weight_device", _device_weights, ()),
        read_bytes=fields.read("device_read_bps", _rates(byte_size), ()),
        write_bytes=fields.read("device_write_bps", _rates(byte_size), ()),
        read_operations=fields.read("device_read_iops", _rates(integer()), ()),
        write_operations=fields.read("device_write_iops", _rates(integer()), ()),
    )
    fields.finish()
    return block_io


def _short_device(item: Value) -> Device:
    """`SRC[:DST[:PERMISSIONS]]` or a CDI name."""
    written = filled_text(item)
    if not isinstance(item.written, str) or not written:
        return Device(source="/")
    if _CDI_NAME.fullmatch(written):
        return Device(source=written, permissions="")
    parts = written.split(":")
    if len(parts) > 3:
        item.problem(f"too many colons in {shown(written)!r}", "write SOURCE:TARGET:PERMISSIONS")
        parts = parts[:3]
    source, target, permissions = [*parts, "", ""][:3]
    if _PERMISSIONS.fullmatch(target):
        item.problem(
            f"no place in the container in {shown(written)!r}", f"write {source}:{source}:{target}"
        )
        target = source
    return _device(item, source, target or source, permissions=permissions or PERMISSIONS)


def _long_device(item: Value) -> Device:
    fields = Fields(item)
    source = fields.get("source")
    target = fields.read("target", filled_text, "")
    permissions = fields.read("permissions", filled_text, PERMISSIONS)
    fields.finish()
    if source is None:
        item.problem("no source is given", "add source: and a device of the node")
        return Device(source="/")
    written = filled_text(source)
    if _CDI_NAME.fullmatch(written):
        if "target" in fields or "permissions" in fields:
            item.problem("a device with a CDI name has no target and no permissions")
        return Device(source=written, permissions="")
    return _device(item, written, target or written, permissions=permissions)


def _device(item: Value, source: str, target: str, *, permissions: str) -> Device:
    for path in dict.fromkeys((source, target)):
        if path and not path.startswith("/"):
            item.problem(
                f"the path of a device must be absolute, not {shown(path)!r}",
                "write /dev/NAME, or VENDOR/CLASS=NAME",
            )
    if not _PERMISSIONS.fullmatch(permissions) or len(set(permissions)) != len(permissions):
        item.problem(f"permissions are some of r, w and m, not {shown(permissions)!r}")
    return Device(source=source, target=target, permissions=permissions)


def _gpu_request(item: Value) -> DeviceRequest:
    request = _request(item, needed=False)
    chosen = request.capabilities[0] if request.capabilities else ()
    if GPU in chosen:
        return request
    return DeviceRequest(
        driver=request.driver,
        count=request.count,
        device_ids=request.device_ids,
        capabilities=((*chosen, GPU),),
        options=request.options,
    )


def _request(item: Value, *, needed: bool) -> DeviceRequest:
    fields = Fields(item)
    capabilities = fields.get("capabilities")
    count = fields.get("count")
    device_ids = fields.get("device_ids")
    driver = fields.read("driver", text, "")
    driver_options = fields.read("options", _options, {})
    fields.finish()
    if needed and item.is_mapping() and capabilities is None:
        item.problem("no capabilities are given", "add capabilities: [gpu], for example")
    if count is not None and device_ids is not None:
        device_ids.key_problem("excludes count", "remove one of the two")
    ids = () if device_ids is None else text_list(device_ids)
    number = 0 if ids else COUNT_ALL
    if count is not None:
        number = _count(count)
    wanted = () if capabilities is None else text_list(capabilities)
    return DeviceRequest(
        driver=driver,
        count=number,
        device_ids=ids,
        capabilities=(wanted,) if wanted else (),
        options=driver_options,
    )


def _count(value: Value) -> int:
    if value.written == ALL:
        return COUNT_ALL
    if isinstance(value.written, str) and not value.written.lstrip("+-").isdecimal():
        value.expected("a number of devices or all")
        return COUNT_ALL
    return integer(minimum=COUNT_ALL, maximum=_COUNT_MAX)(value)


def _options(value: Value) -> dict[str, str]:
    if value.is_mapping():
        return options(value)
    found: dict[str, str] = {}
    for item in value.items("a mapping or a list of NAME=value"):
        name, _, content = text(item).partition("=")
        found[name] = content
    return found


def _weight(value: Value) -> int:
    weight = integer()(value)
    if weight and not WEIGHT_MIN <= weight <= WEIGHT_MAX:
        value.problem(f"a weight is from {WEIGHT_MIN} to {WEIGHT_MAX}, or 0 for none")
    return weight


def _device_weights(value: Value) -> tuple[DeviceWeight, ...]:
    found = [
        DeviceWeight(path=path, weight=number)
        for path, number in _by_path(value, "weight", _weight)
    ]
    return tuple(sorted(found, key=lambda it: it.path))


def _rates(rate: Reader[int]) -> Reader[tuple[DeviceRate, ...]]:
    def read(value: Value) -> tuple[DeviceRate, ...]:
        found = [
            DeviceRate(path=path, rate=number) for path, number in _by_path(value, "rate", rate)
        ]
        return tuple(sorted(found, key=lambda it: it.path))

    return read


def _by_path(value: Value, name: str, reader: Reader[int]) -> list[tuple[str, int]]:
    """Pairs of a device and its number under `name`."""
    found: dict[str, int] = {}
    for item in value.items(f"a list of path and {name}"):
        fields = Fields(item)
        path = fields.read("path", filled_text, "")
        number = fields.get(name)
        fields.finish()
        if item.is_mapping() and (not path or number is None):
            item.problem(f"needs both path and {name}")
        if path and not path.startswith("/"):
            item.problem(f"the path of a device must be absolute, not {shown(path)!r}")
        if path in found:
            item.problem(f"{shown(path)} is named twice")
        found[path] = 0 if number is None else reader(number)
    return list(found.items())
