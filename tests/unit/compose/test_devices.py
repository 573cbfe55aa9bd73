"""Devices of the node: `devices`, `gpus`, those that `deploy` reserves, and `blkio_config`."""

import pytest

from stackctl.model.devices import BlockIo, Device, DeviceRate, DeviceRequest, DeviceWeight
from tests.unit.compose.document_reading import read_service, service_problems


@pytest.mark.parametrize(
    ("written", "device"),
    [
        ("/dev/ttyUSB0", Device(source="/dev/ttyUSB0", target="/dev/ttyUSB0")),
        ("/dev/a:/dev/b", Device(source="/dev/a", target="/dev/b")),
        ("/dev/a:/dev/b:rw", Device(source="/dev/a", target="/dev/b", permissions="rw")),
        ("vendor1.com/device=gpu0", Device(source="vendor1.com/device=gpu0", permissions="")),
        ("{source: /dev/a}", Device(source="/dev/a", target="/dev/a")),
        (
            "{source: /dev/a, target: /dev/b, permissions: r}",
            Device(source="/dev/a", target="/dev/b", permissions="r"),
        ),
        (
            "{source: vendor1.com/device=all}",
            Device(source="vendor1.com/device=all", permissions=""),
        ),
    ],
)
def test_devices(written: str, device: Device) -> None:
    assert read_service(f"devices:\n  - {written}").container.devices == (device,)


def test_a_cdi_name_is_told_from_a_path() -> None:
    kinds = [
        device.is_cdi for device in read_service("devices: [/dev/a, v.org/c=d]").container.devices
    ]
    assert sorted(kinds) == [False, True]


@pytest.mark.parametrize(
    ("body", "requests"),
    [
        ("gpus: all", [DeviceRequest(count=-1, capabilities=(("gpu",),))]),
        ("gpus: [{}]", [DeviceRequest(count=-1, capabilities=(("gpu",),))]),
        ("gpus: [{count: 2}]", [DeviceRequest(count=2, capabilities=(("gpu",),))]),
        ("gpus: [{count: all}]", [DeviceRequest(count=-1, capabilities=(("gpu",),))]),
        (
            "gpus: [{device_ids: ['0', '3'], capabilities: [utility]}]",
            [DeviceRequest(device_ids=("0", "3"), capabilities=(("utility", "gpu"),))],
        ),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu, tpu]}]}}}",
            [DeviceRequest(count=-1, capabilities=(("gpu", "tpu"),))],
        ),
        (
            (
                "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: '1', "
                "driver: nvidia, options: {virtualization: false}}]}}}"
            ),
            [
                DeviceRequest(
                    count=1,
                    driver="nvidia",
                    capabilities=(("gpu",),),
                    options={"virtualization": "false"},
                )
            ],
        ),
        (
            (
                "gpus: all\n"
                "deploy: {resources: {reservations: {devices: [{capabilities: [tpu], options: "
                "[a=b]}]}}}"
            ),
            [
                DeviceRequest(count=-1, capabilities=(("gpu",),)),
                DeviceRequest(count=-1, capabilities=(("tpu",),), options={"a": "b"}),
            ],
        ),
    ],
)
def test_device_requests(body: str, requests: list[DeviceRequest]) -> None:
    assert list(read_service(body).container.device_requests) == requests


def test_block_io() -> None:
    body = """
    blkio_config:
      weight: 300
      weight_device: [{path: /dev/sdb, weight: '400'}, {path: /dev/sda, weight: 500}]
      device_read_bps: [{path: /dev/sda, rate: 12mb}]
      device_write_bps: [{path: /dev/sda, rate: 1024}]
      device_read_iops: [{path: /dev/sda, rate: 120}]
      device_write_iops: [{path: /dev/sda, rate: '30'}]
    """
    assert read_service(body).container.block_io == BlockIo(
        weight=300,
        device_weights=(
            DeviceWeight(path="/dev/sda", weight=500),
            DeviceWeight(path="/dev/sdb", weight=400),
        ),
        read_bytes=(DeviceRate(path="/dev/sda", rate=12 << 20),),
        write_bytes=(DeviceRate(path="/dev/sda", rate=1024),),
        read_operations=(DeviceRate(path="/dev/sda", rate=120),),
        write_operations=(DeviceRate(path="/dev/sda", rate=30),),
    )


_RESERVED = "deploy: {{resources: {{reservations: {{devices: [{}]}}}}}}"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("devices: [/dev/a:/dev/b:rx]", "devices[0]: permissions are some of r, w and m, not 'rx'"),
        ("devices: [/dev/a:/dev/b:rr]", "permissions are some of r, w and m, not 'rr'"),
        ("devices: [/dev/a:/dev/b:r:w]", "too many colons in '/dev/a:/dev/b:r:w'"),
        (
            "devices: [/dev/a:rw]",
            "no place in the container in '/dev/a:rw'; write /dev/a:/dev/a:rw",
        ),
        ("devices: [tty0]", "the path of a device must be absolute, not 'tty0'"),
        ("devices: ['']", "devices[0]: is empty"),
        ("devices: [{target: /dev/a}]", "devices[0]: no source is given"),
        ("devices: [{source: v.org/c=d, target: /x}]", "has no target and no permissions"),
        ("devices: [{source: /a, form: r}]", "devices[0].form: unknown key"),
        ("devices: [/dev/a:/dev/x, /dev/b:/dev/x]", "there is another device at /dev/x"),
        ("gpus: some", "gpus: must be all or a list of device requests, not text (some)"),
        ("gpus: [{count: 1, device_ids: ['0']}]", "gpus[0].device_ids: excludes count"),
        ("gpus: [{count: many}]", "gpus[0].count: must be a number of devices or all"),
        ("gpus: [{capability: []}]", "gpus[0].capability: unknown key; did you mean capabilities"),
        (_RESERVED.format("{count: 1}"), "devices[0]: no capabilities are given"),
        ("blkio_config: {weight: 5}", "blkio_config.weight: a weight is from 10 to 1000"),
        ("blkio_config: {weight_device: [{path: /a}]}", "needs both path and weight"),
        ("blkio_config: {device_read_bps: [{path: a, rate: 1}]}", "must be absolute, not 'a'"),
        (
            "blkio_config: {device_read_iops: [{path: /a, rate: 1}, {path: /a, rate: 2}]}",
            "device_read_iops[1]: /a is named twice",
        ),
        ("blkio_config: {device_write_iops: [{path: /a, rate: 1mb}]}", "must be a whole number"),
    ],
)
def test_mistakes(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert problem in found
