"""What is passed on to the engine as the spec has it, compared whole with golden files.

`STACKCTL_REWRITE=1 pytest tests/unit/agent/test_engine_options.py` writes them anew; review the
difference.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent.core.container_config import ContainerPlace, TaskNetwork, container_body
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.devices import (
    BlockIo,
    Device,
    DeviceRate,
    DeviceRequest,
    DeviceWeight,
)
from tests.assignments import task

GOLDEN = Path(__file__).parents[2] / "golden" / "container_config"
FRONT = TaskNetwork(network_id="front-id", engine_name="shop_front", address="10.1.0.5")

OPTIONS: dict[str, Any] = {
    "block_io": BlockIo(
        weight=300,
        device_weights=(DeviceWeight(path="/dev/sda", weight=500),),
        read_bytes=(DeviceRate(path="/dev/sda", rate=1 << 20),),
        write_bytes=(DeviceRate(path="/dev/sda", rate=2 << 20),),
        read_operations=(DeviceRate(path="/dev/sda", rate=120),),
        write_operations=(DeviceRate(path="/dev/sda", rate=30),),
    ),
    "cgroup": "private",
    "cgroup_parent": "services",
    "cpu_shares": 512,
    "cpu_quota": 50_000,
    "cpu_period": 100_000,
    "cpu_realtime_runtime": 95_000,
    "cpu_realtime_period": 100_000,
    "cpuset": "0-1",
    "devices": (
        Device(source="/dev/fuse", target="/dev/fuse", permissions="rw"),
        Device(source="vendor.org/class=one", permissions=""),
    ),
    "device_requests": (
        DeviceRequest(
            driver="nvidia", count=-1, capabilities=(("gpu", "utility"),), options={"a": "b"}
        ),
        DeviceRequest(device_ids=("0", "3"), capabilities=(("gpu",),)),
    ),
    "device_cgroup_rules": ("c 1:3 mr",),
    "domainname": "example.org",
    "groups": ("1000", "mail"),
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
    "platform": "linux/amd64",
    "runtime": "runc",
    "storage_options": {"size": "1G"},
    "mounts": (
        specs.Mount(kind=specs.MountKind.BIND, source="/srv", target="/srv", recursive="disabled"),
        specs.Mount(kind=specs.MountKind.BIND, source="/etc/a", target="/a", selinux="Z"),
        specs.Mount(
            kind=specs.MountKind.TMPFS,
            target="/run",
            read_only=True,
            tmpfs_size_bytes=1 << 20,
            tmpfs_mode=0o1777,
            tmpfs_options=("exec", "uid=1000"),
        ),
    ),
}
NEWER: dict[str, Any] = {
    **OPTIONS,
    "annotations": {"org.example.note": "yes"},
    "mounts": (
        specs.Mount(kind=specs.MountKind.IMAGE, source="tools:1", target="/tools", subpath="bin"),
        specs.Mount(
            kind=specs.MountKind.BIND,
            source="/srv",
            target="/srv",
            read_only=True,
            recursive="readonly",
        ),
        specs.Mount(
            kind=specs.MountKind.BIND,
            source="/opt",
            target="/opt",
            read_only=True,
            recursive="writable",
        ),
    ),
}


def place(api_version: tuple[int, int], **fields: Any) -> ContainerPlace:
    return ContainerPlace(cluster_id="cluster1", node_id="node1", api_version=api_version, **fields)


def body(api_version: tuple[int, int] = (1, 41), **container: Any) -> dict[str, Any]:
    return container_body(task("t1", container=container), place(api_version))


@pytest.mark.parametrize(
    ("name", "api_version", "container"),
    [("options-1.41", (1, 41), OPTIONS), ("options-1.48", (1, 48), NEWER)],
)
def test_body_is_the_golden_one(
    name: str, api_version: tuple[int, int], container: dict[str, Any]
) -> None:
    text = json.dumps(body(api_version, **container), indent=2, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("STACKCTL_REWRITE"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["host", "none", "bridge"])
def test_a_task_without_networks_has_the_network_mode_of_its_spec(mode: str) -> None:
    made = body(network_mode=mode)
    assert made["HostConfig"]["NetworkMode"] == mode
    assert made["NetworkingConfig"] == {"EndpointsConfig": {}}


def test_networks_of_the_cluster_win_over_a_network_mode() -> None:
    assigned = task("t1", container={"network_mode": "host"})
    made = container_body(assigned, place((1, 41), networks=(FRONT,)))
    assert made["HostConfig"]["NetworkMode"] == "shop_front"


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"annotations": {"a": "b"}}, r"annotations: needs engine API 1\.43, .* has 1\.41"),
        (
            {"mounts": NEWER["mounts"][:1]},
            r"image tools:1 at /tools: needs engine API 1\.48, .* has 1\.41",
        ),
        (
            {"mounts": NEWER["mounts"][1:2]},
            r"bind mount /srv with recursive: readonly: needs engine API 1\.44",
        ),
        (
            {
                "mounts": (
                    specs.Mount(
                        kind=specs.MountKind.BIND,
                        source="/a",
                        target="/a",
                        create_source=True,
                        recursive="disabled",
                    ),
                )
            },
            "recursive: disabled excludes a folder that is to be created or labelled",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_refused_in_words(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(PermanentFailure, match=message):
        body(**container)


def test_an_older_engine_leaves_writable_what_is_mounted_below_a_read_only_folder() -> None:
    (folder,) = NEWER["mounts"][2:]
    assert body((1, 43), mounts=(folder,))["HostConfig"]["Mounts"] == [
        {"Type": "bind", "Source": "/opt", "Target": "/opt", "ReadOnly": True}
    ]
    (mount,) = body((1, 44), mounts=(folder,))["HostConfig"]["Mounts"]
    assert mount["BindOptions"] == {"ReadOnlyNonRecursive": True}
