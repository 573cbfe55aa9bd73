"""`deploy.resources`: what a task may use at most, and what must be free on its node."""

from typing import NamedTuple

from stackctl.compose.problems import shown
from stackctl.compose.sections.amounts import check_reserved, read_cpus, read_memory, read_pids
from stackctl.compose.sections.devices import read_device_requests
from stackctl.compose.sections.reading import Fields, Value
from stackctl.compose.sections.scalars import filled_text, integer
from stackctl.model.devices import DeviceRequest
from stackctl.model.specs import Resources

GENERIC_MAX = 1_000_000


class ReadResources(NamedTuple):
    """The amounts, and the devices that a driver chooses."""

    limits: Resources = Resources()
    reservations: Resources = Resources()
    devices: tuple[DeviceRequest, ...] = ()


def read_resources(value: Value) -> ReadResources:
    """The section `resources`."""
    fields = Fields(value)
    limits = fields.read("limits", _limits, Resources())
    reservations = fields.get("reservations")
    fields.finish()
    if reservations is None:
        return ReadResources(limits)
    reserved, devices = _reservations(reservations)
    check_reserved(reservations, limits, reserved)
    return ReadResources(limits, reserved, devices)


def _limits(value: Value) -> Resources:
    fields = Fields(value)
    resources = Resources(
        nano_cpus=fields.read("cpus", read_cpus, 0),
        memory_bytes=fields.read("memory", read_memory, 0),
        pids=fields.read("pids", read_pids, 0),
    )
    fields.finish()
    return resources


def _reservations(value: Value) -> tuple[Resources, tuple[DeviceRequest, ...]]:
    fields = Fields(value)
    resources = Resources(
        nano_cpus=fields.read("cpus", read_cpus, 0),
        memory_bytes=fields.read("memory", read_memory, 0),
        generic=fields.read("generic_resources", _generic, {}),
    )
    devices = fields.read("devices", read_device_requests, ())
    pids = fields.get("pids")
    if pids is not None:
        pids.key_problem(
            "processes can be limited, not reserved", "use deploy.resources.limits.pids"
        )
    fields.finish()
    return resources, devices


def _generic(value: Value) -> dict[str, int]:
    """Kinds of resources that the nodes' administrators have named, and how many are needed."""
    found: dict[str, int] = {}
    for item in value.items("a list of discrete_resource_spec"):
        fields = Fields(item)
        spec = fields.get("discrete_resource_spec")
        fields.finish()
        if spec is None:
            if item.is_mapping():
                item.problem("no discrete_resource_spec is given", "add it with kind: and value:")
            continue
        inner = Fields(spec)
        kind = inner.read("kind", filled_text, "")
        count = inner.read("value", integer(maximum=GENERIC_MAX), None)
        inner.finish()
        if spec.is_mapping() and (not kind or count is None):
            spec.problem("needs both kind and value")
        if kind in found:
            spec.problem(f"{shown(kind)} is named twice")
        found[kind] = count or 0
    return dict(sorted(found.items()))
