"""Devices of a node in a container, and how much of the block devices a container may use.

Rates are per second: bytes, or operations. A device is named by its path on the node, or by a CDI
name (`vendor.example/class=name`), which the engine resolves by itself.
"""

from collections.abc import Mapping

from stackctl.model.structs import StrictModel

COUNT_ALL = -1
CDI_DRIVER = "cdi"


class Device(StrictModel, frozen=True, kw_only=True):
    """One device; `target` is its path in the container. Of a CDI name only `source` is set."""

    source: str
    target: str = ""
    permissions: str = "rwm"

    @property
    def is_cdi(self) -> bool:
        """Whether `source` is a CDI name and not a path."""
        return not self.source.startswith("/")


class DeviceRequest(StrictModel, frozen=True, kw_only=True):
    """Devices that a driver of the engine chooses: `count` of them (-1 is all), or those named.

    One of the lists in `capabilities` must be met as a whole.
    """

    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, str] = {}


class DeviceWeight(StrictModel, frozen=True, kw_only=True):
    """The share of one block device, from 10 to 1000."""

    path: str
    weight: int


class DeviceRate(StrictModel, frozen=True, kw_only=True):
    """The most that a container does with one block device in a second."""

    path: str
    rate: int


class BlockIo(StrictModel, frozen=True, kw_only=True):
    """What a container may do with the block devices of its node; a weight of 0 is not stated."""

    weight: int = 0
    device_weights: tuple[DeviceWeight, ...] = ()
    read_bytes: tuple[DeviceRate, ...] = ()
    write_bytes: tuple[DeviceRate, ...] = ()
    read_operations: tuple[DeviceRate, ...] = ()
    write_operations: tuple[DeviceRate, ...] = ()
