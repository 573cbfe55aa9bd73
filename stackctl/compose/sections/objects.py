"""The top-level sections beside services: networks, volumes and configs."""

import ipaddress

from stackctl.compose.document import Config, Network, Volume
from stackctl.compose.grammar.names import (
    CONFIG_NAME_LENGTH_MAX,
    NETWORK_NAME_LENGTH_MAX,
    RESERVED_NETWORK_NAMES,
    full_name,
    object_name_complaint,
)
from stackctl.compose.problems import shown
from stackctl.compose.read import read_bytes
from stackctl.compose.sections import unsupported
from stackctl.compose.sections.paths import absolute_path
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import boolean, filled_text, labels, options, text
from stackctl.model.specs import ConfigSpec, NetworkSpec

CONFIG_BYTES_MAX = 1000 << 10

_OVERLAY_DRIVERS = ("overlay", "default", "")
_SMALLEST_PREFIX = 29  # gateways of three nodes, a virtual IP, and a task


def read_network(key: str, value: Value, stack_name: str) -> Network:
    """One network; without settings it is an overlay whose subnet the manager chooses."""
    if value.is_null:
        name = _checked_name(value, full_name(stack_name, key), NETWORK_NAME_LENGTH_MAX)
        return Network(key, value.key_place, NetworkSpec(name=name))
    fields = Fields(value)
    given_name = fields.get("name")
    driver = fields.get("driver")
    if driver is not None:
        _check_network_driver(driver)
    spec = NetworkSpec(
        name=_object_name(key, value, given_name, stack_name, NETWORK_NAME_LENGTH_MAX),
        labels=fields.read("labels", labels, {}),
        internal=fields.read("internal", boolean, False),
        attachable=fields.read("attachable", boolean, False),
        subnet=fields.read("ipam", _ipam, ""),
        driver_options=fields.read("driver_opts", options, {}),
    )
    _refuse_external(fields, "let the stack make the network; name: gives it an exact name")
    fields.finish(unsupported.NETWORK)
    if given_name is not None and spec.name in RESERVED_NETWORK_NAMES:
        given_name.problem(f"{spec.name} is a network of the engine itself", "choose another name")
    return Network(key, value.key_place, spec)


def read_volume(key: str, value: Value, stack_name: str) -> Volume:
    """One named volume, which each node makes for itself."""
    if value.is_null:
        name = _checked_name(value, full_name(stack_name, key), NETWORK_NAME_LENGTH_MAX)
        return Volume(key, value.key_place, name, {})
    fields = Fields(value)
    given_name = fields.get("name")
    driver = fields.get("driver")
    if driver is not None and text(driver) != "local" and isinstance(driver.written, str):
        driver.problem(
            f"volume driver {shown(text(driver))!r} is not supported yet by deploy",
            "use driver: local",
        )
    cluster_volume = fields.get("x-cluster-spec")
    if cluster_volume is not None:
        cluster_volume.problem("cluster volumes are not supported", "use driver: local")
    volume = Volume(
        key,
        value.key_place,
        name=_object_name(key, value, given_name, stack_name, NETWORK_NAME_LENGTH_MAX),
        labels=fields.read("labels", labels, {}),
        driver="" if driver is None else text(driver),
        driver_options=fields.read("driver_opts", _volume_options, {}),
    )
    _refuse_external(fields, "remove it, and give the volume's exact name with name:")
    fields.finish({})
    return volume


def read_config(key: str, value: Value, stack_name: str) -> Config:
    """One config with its content."""
    fields = Fields(value)
    given_name = fields.get("name")
    file = fields.get("file")
    content = fields.get("content")
    spec = ConfigSpec(
        name=_object_name(key, value, given_name, stack_name, CONFIG_NAME_LENGTH_MAX),
        content=_config_content(value, file, content, fields),
        labels=fields.read("labels", labels, {}),
    )
    fields.finish(unsupported.CONFIG)
    return Config(key, value.key_place, spec)


def _refuse_external(fields: Fields, hint: str) -> bool:
    """Whether an object of somebody else is meant, which this cut cannot use; reports it."""
    external = fields.get("external")
    if external is None or not (external.is_mapping() or boolean(external)):
        return False
    external.key_problem("not supported yet by deploy", hint)
    return True


def _check_network_driver(driver: Value) -> None:
    written = text(driver)
    if isinstance(driver.written, str) and written not in _OVERLAY_DRIVERS:
        driver.problem(
            f"network driver {shown(written)!r} is not supported by deploy",
            "remove driver: the networks of a stack are overlays",
        )


def _object_name(
    key: str, value: Value, given: Value | None, stack_name: str, length_max: int
) -> str:
    """`name:` as it is, or STACK_KEY."""
    if given is None:
        return _checked_name(value, full_name(stack_name, key), length_max)
    return _checked_name(given, filled_text(given), length_max)


def _checked_name(value: Value, name: str, length_max: int) -> str:
    complaint = object_name_complaint(name, length_max) if name else None
    if complaint:
        value.key_problem(complaint)
    return name


def _ipam(value: Value) -> str:
    fields = Fields(value)
    driver = fields.get("driver")
    if driver is not None and driver.written != "default":
        driver.expected("default")
    subnet = fields.read("config", _ipam_config, "")
    fields.finish(unsupported.IPAM)
    return subnet


def _ipam_config(value: Value) -> str:
    items = value.items("a list with one subnet")
    subnets = [_subnet(item) for item in items]
    if len(items) > 1:
        items[1].problem("a network has one subnet")
    return subnets[0] if subnets else ""


def _subnet(item: Value) -> str:
    fields = Fields(item)
    subnet = fields.get("subnet")
    fields.finish(unsupported.IPAM_CONFIG)
    if subnet is None:
        return ""
    written = text(subnet)
    if not isinstance(subnet.written, str):
        return ""
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        subnet.problem(f"{shown(written)!r} is no subnet such as 10.7.0.0/24")
        return ""
    if network.version != 4:
        subnet.problem("an IPv6 subnet is not supported yet by deploy")
    elif ipaddress.ip_interface(written).ip != network.network_address:
        subnet.problem(f"{written} has bits behind its prefix", f"did you mean {network}?")
    elif network.prefixlen > _SMALLEST_PREFIX:
        subnet.problem(f"a subnet smaller than /{_SMALLEST_PREFIX} has no room for tasks")
    elif network.is_multicast or network.is_loopback or network.prefixlen == 0:
        subnet.problem(f"{written} cannot be used for containers")
    return str(network)


def _volume_options(value: Value) -> dict[str, str]:
    """Driver options; the relative folder of a local bind becomes an absolute one."""
    found = options(value)
    device = found.get("device", "")
    if "bind" in found.get("o", "").split(",") and device[:1] in (".", "~"):
        try:
            found["device"] = absolute_path(device, value.reading)
        except ValueError as error:
            value.problem(str(error))
    return found


def _config_content(
    value: Value, file: Value | None, content: Value | None, fields: Fields
) -> bytes:
    if _refuse_external(fields, "use file: or content:"):
        return b""
    if file is not None and content is not None:
        content.problem("excludes file", "keep one of the two")
    elif file is not None:
        return _file_content(file)
    elif content is not None:
        found = text(content).encode()
        if len(found) > CONFIG_BYTES_MAX:
            content.problem(_too_large(len(found)))
        return found
    elif value.is_mapping() and not any(key in fields for key in unsupported.CONFIG):
        value.key_problem("has neither file nor content", "add file: PATH")
    return b""


def _file_content(file: Value) -> bytes:
    written = filled_text(file)
    if not written:
        return b""
    reading = file.reading
    try:
        path = reading.base / absolute_path(written, reading)
        return read_bytes(path, bytes_max=CONFIG_BYTES_MAX)
    except ValueError as error:
        file.problem(str(error))
    return b""


def _too_large(size: int) -> str:
    return f"a config has at most {CONFIG_BYTES_MAX >> 10} KiB, and this one has {size >> 10}"
