"""No field of a container's spec is lost on the way to the engine.

Each field is taken back to its default in turn. Where the body stays as it is, the field must be
one that other parts of the agent see to.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agent.core.container_config import ContainerPlace, container_body
from stackctl.model import specs
from stackctl.model.devices import BlockIo, Device, DeviceRate, DeviceRequest, DeviceWeight
from tests.assignments import task

BIND, VOLUME = specs.MountKind.BIND, specs.MountKind.VOLUME
TMPFS, IMAGE = specs.MountKind.TMPFS, specs.MountKind.IMAGE

OPTIONS: dict[str, Any] = {
    "image": "shop/web:1",
    "entrypoint": ("/bin/entry",),
    "command": ("serve",),
    "environment": ("NAME=web",),
    "labels": {"team": "shop"},
    "hostname": "web",
    "working_dir": "/srv",
    "user": "1000:1000",
    "groups": ("mail",),
    "init": True,
    "tty": True,
    "stdin_open": True,
    "read_only": True,
    "privileged": True,
    "stop_signal": "SIGQUIT",
    "stop_grace_period_seconds": 3.0,
    "healthcheck": specs.Healthcheck(
        test=("CMD", "check"),
        interval_seconds=2,
        timeout_seconds=1,
        retries=3,
        start_period_seconds=10,
        start_interval_seconds=0.5,
    ),
    "mounts": (
        specs.Mount(kind=BIND, source="/a", target="/a", read_only=True, propagation="rprivate"),
        specs.Mount(kind=BIND, source="/b", target="/b", create_source=True),
        specs.Mount(kind=BIND, source="/c", target="/c", selinux="Z"),
        specs.Mount(kind=BIND, source="/d", target="/d", read_only=True, recursive="readonly"),
        specs.Mount(
            kind=VOLUME,
            source="shop_db",
            target="/db",
            no_copy=True,
            subpath="inside",
            volume_driver="nfs",
            volume_driver_options={"type": "nfs"},
            volume_labels={"a": "b"},
        ),
        specs.Mount(kind=IMAGE, source="tools:1", target="/tools", subpath="bin"),
        specs.Mount(kind=TMPFS, target="/tmp", tmpfs_size_bytes=1 << 20, tmpfs_mode=0o1777),
        specs.Mount(kind=TMPFS, target="/run", tmpfs_options=("exec",)),
    ),
    "extra_hosts": ("db:10.0.0.9",),
    "dns_search": ("example.org",),
    "dns_options": ("ndots:2",),
    "cap_add": ("CAP_NET_ADMIN",),
    "cap_drop": ("ALL",),
    "security_options": ("no-new-privileges",),
    "sysctls": {"net.core.somaxconn": "1024"},
    "ulimits": (specs.Ulimit(name="nofile", soft=1024, hard=2048),),
    "shm_size_bytes": 1 << 26,
    "log_driver": specs.LogDriver(name="local", options={"max-size": "10m"}),
    "annotations": {"org.example.note": "yes"},
    "block_io": BlockIo(
        weight=300,
        device_weights=(DeviceWeight(path="/dev/sda", weight=500),),
        read_bytes=(DeviceRate(path="/dev/sda", rate=1),),
        write_bytes=(DeviceRate(path="/dev/sda", rate=2),),
        read_operations=(DeviceRate(path="/dev/sda", rate=3),),
        write_operations=(DeviceRate(path="/dev/sda", rate=4),),
    ),
    "cgroup": "private",
    "cgroup_parent": "shop",
    "cpu_shares": 512,
    "cpu_quota": 50_000,
    "cpu_period": 100_000,
    "cpu_realtime_runtime": 95_000,
    "cpu_realtime_period": 100_000,
    "cpuset": "0-1",
    "devices": (
        Device(source="/dev/fuse", target="/dev/fuse", permissions="rw"),
        Device(source="vendor.org/class=one"),
    ),
    "device_requests": (
        DeviceRequest(driver="nvidia", count=2, capabilities=(("gpu",),), options={"a": "b"}),
        DeviceRequest(device_ids=("0",), capabilities=(("gpu",),)),
    ),
    "device_cgroup_rules": ("c 1:3 mr",),
    "domainname": "example.org",
    "ipc": "shareable",
    "pid": "host",
    "uts": "host",
    "userns_mode": "host",
    "network_mode": "bridge",
    "mac_address": "02:42:ac:11:65:43",
    "memory_swappiness": 0,
    "memory_swap_bytes": -1,
    "oom_kill_disable": True,
    "oom_score_adjustment": -500,
    "runtime": "runc",
    "storage_options": {"size": "1G"},
}
OF_OTHER_PARTS = {
    # Files are written on the node first; the body has their places from there.
    *("configs", "secrets"),
    # The node's own name server asks them for a task on a network.
    "dns",
    # When an image is fetched, and for what platform: beside the body.
    *("platform", "pull_policy", "pull_refresh_seconds"),
}
# Of a mount: whether the node must have the volume already is asked before.
OF_MOUNTS_ELSEWHERE = {"external"}


def body(**container: Any) -> dict[str, Any]:
    place = ContainerPlace(cluster_id="cluster1", node_id="node1", api_version=(1, 48))
    return container_body(task("t1", container=container), place)


def taken_back(item: msgspec.Struct) -> Iterator[tuple[str, msgspec.Struct]]:
    """The struct with each of its set fields at its default, by the field's name."""
    for field in msgspec.structs.fields(type(item)):
        if field.required:
            continue
        is_made = field.default is msgspec.NODEFAULT
        default = field.default_factory() if is_made else field.default
        if getattr(item, field.name) != default:
            yield field.name, msgspec.structs.replace(item, **{field.name: default})


def test_the_options_are_all_fields_but_those_of_other_parts() -> None:
    names = {field.name for field in msgspec.structs.fields(specs.ContainerSpec)}
    assert names - set(OPTIONS) == OF_OTHER_PARTS


def test_all_fields_of_mounts_are_among_the_options() -> None:
    names = {field.name for field in msgspec.structs.fields(specs.Mount) if not field.required}
    used = {name for mount in OPTIONS["mounts"] for name, _ in taken_back(mount)}
    assert names - used == OF_MOUNTS_ELSEWHERE


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - {"image"}))
def test_a_field_reaches_the_engine(name: str) -> None:
    others = {key: value for key, value in OPTIONS.items() if key != name}
    assert body(**others) != body(**OPTIONS)


@pytest.mark.parametrize("name", ["healthcheck", "log_driver", "block_io"])
def test_a_field_of_an_option_reaches_the_engine(name: str) -> None:
    for field, changed in taken_back(OPTIONS[name]):
        assert body(**{**OPTIONS, name: changed}) != body(**OPTIONS), field


@pytest.mark.parametrize("name", ["mounts", "devices", "device_requests"])
def test_a_field_of_an_item_reaches_the_engine(name: str) -> None:
    items = OPTIONS[name]
    for index, item in enumerate(items):
        for field, changed in taken_back(item):
            changed_items = (*items[:index], changed, *items[index + 1 :])
            assert body(**{**OPTIONS, name: changed_items}) != body(**OPTIONS), (index, field)
