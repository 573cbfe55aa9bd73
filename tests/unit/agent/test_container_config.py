"""The body of a container's creation, compared whole with golden files.

`STACKCTL_REWRITE=1 pytest tests/unit/agent/test_container_config.py` writes them anew; review the
difference.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agent.core.container_config import (
    ContainerPlace,
    TaskNetwork,
    container_body,
    endpoint_body,
    networks_of,
)
from stackctl.errors import PermanentFailure
from stackctl.model import specs
from stackctl.model.assignment import TaskAssignment
from tests.assignments import network, task

GOLDEN = Path(__file__).parents[2] / "golden" / "container_config"

FRONT = TaskNetwork(network_id="front-id", engine_name="shop_front", address="10.1.0.5")
BACK = TaskNetwork(network_id="back-id", engine_name="shop_back", address="10.2.0.5")


def place(api_version: tuple[int, int] = (1, 41), **fields: Any) -> ContainerPlace:
    return ContainerPlace(cluster_id="cluster1", node_id="node1", api_version=api_version, **fields)


FULL_CONTAINER: dict[str, Any] = {
    "entrypoint": ("/bin/entry",),
    "command": ("serve", "--port", "80"),
    "environment": ("NAME={{.Task.Name}}", "SLOT={{ .Task.Slot }}"),
    "labels": {"team": "shop", "stackctl.task.id": "forged"},
    "hostname": "web-{{.Task.Slot}}",
    "working_dir": "/srv",
    "user": "1000:1000",
    "groups": ("dialout",),
    "init": True,
    "tty": True,
    "stdin_open": True,
    "read_only": True,
    "privileged": True,
    "stop_signal": "SIGQUIT",
    "stop_grace_period_seconds": 2.5,
    "healthcheck": specs.Healthcheck(
        test=("CMD-SHELL", "curl -f localhost"),
        interval_seconds=2,
        timeout_seconds=0.5,
        retries=3,
        start_period_seconds=10,
        start_interval_seconds=0.5,
    ),
    "mounts": (
        specs.Mount(
            kind=specs.MountKind.BIND,
            source="/srv/{{.Node.Hostname}}",
            target="/data",
            read_only=True,
            propagation="rslave",
        ),
        specs.Mount(
            kind=specs.MountKind.BIND, source="/srv/new", target="/new", create_source=True
        ),
        specs.Mount(
            kind=specs.MountKind.VOLUME,
            source="shop_db",
            target="/var/lib/db",
            no_copy=True,
            volume_driver="local",
            volume_driver_options={"type": "nfs"},
            volume_labels={"a": "b"},
        ),
        specs.Mount(
            kind=specs.MountKind.TMPFS,
            target="/tmp",
            tmpfs_size_bytes=1 << 20,
            tmpfs_mode=0o1777,
        ),
    ),
    "configs": (specs.ConfigReference(name="motd", target="/etc/motd"),),
    "extra_hosts": ("db:10.0.0.9",),
    "dns": ("9.9.9.9",),
    "dns_search": ("example.org",),
    "dns_options": ("ndots:2",),
    "cap_add": ("CAP_NET_ADMIN",),
    "cap_drop": ("ALL",),
    "security_options": ("no-new-privileges",),
    "sysctls": {"net.core.somaxconn": "1024"},
    "ulimits": (specs.Ulimit(name="nofile", soft=1024, hard=2048),),
    "shm_size_bytes": 1 << 26,
    "log_driver": specs.LogDriver(name="local", options={"max-size": "10m"}),
}


def full_task() -> TaskAssignment:
    """A task that uses every field of its spec."""
    limits = specs.Resources(nano_cpus=500_000_000, memory_bytes=64 << 20, pids=100)
    ports = (
        specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST),
        specs.PortSpec(target=80, published=8081, mode=specs.PortMode.HOST),
        specs.PortSpec(target=53, published=5353, protocol="udp", mode=specs.PortMode.HOST),
    )
    return task(
        "t1", container=FULL_CONTAINER, spec={"limits": limits}, ports=ports, node_hostname="host1"
    )


FULL_PLACE = {
    "networks": (FRONT, BACK),
    "dns_servers": ("10.1.0.1", "10.2.0.1"),
    "config_sources": {"/etc/motd": "/state/configs/c1/0-0-444"},
}
CASES = {
    "minimal": (task("t1"), place()),
    "full-1.41": (full_task(), place((1, 41), **FULL_PLACE)),
    "full-1.48": (full_task(), place((1, 48), **FULL_PLACE)),
}


@pytest.mark.parametrize("name", CASES)
def test_body_is_the_golden_one(name: str) -> None:
    assigned, where = CASES[name]
    text = json.dumps(container_body(assigned, where), indent=2, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("STACKCTL_REWRITE"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_empty_entrypoint_resets_that_of_the_image() -> None:
    body = container_body(task("t1", container={"entrypoint": ()}), place())
    assert body["Entrypoint"] == []
    assert "Entrypoint" not in container_body(task("t1"), place())


@pytest.mark.parametrize(
    ("api_version", "has_mac"), [((1, 43), False), ((1, 44), True)], ids=["1.43", "1.44"]
)
def test_mac_address_belongs_to_the_endpoint_on_newer_engines(
    api_version: tuple[int, int], has_mac: bool
) -> None:
    assert endpoint_body(FRONT, api_version).get("MacAddress") == (
        "02:42:0a:01:00:05" if has_mac else None
    )


def test_volume_path_needs_a_newer_engine() -> None:
    mount = specs.Mount(kind=specs.MountKind.VOLUME, source="db", target="/data", subpath="2026")
    wanted = task("t1", container={"mounts": (mount,)})
    with pytest.raises(PermanentFailure, match=r"needs engine API 1\.45.*has 1\.41"):
        container_body(wanted, place())
    mounts = container_body(wanted, place((1, 45)))["HostConfig"]["Mounts"]
    assert mounts[0]["VolumeOptions"] == {"Subpath": "2026"}


def test_folder_to_be_created_cannot_have_a_colon() -> None:
    mount = specs.Mount(
        kind=specs.MountKind.BIND, source="/a:b", target="/data", create_source=True
    )
    with pytest.raises(PermanentFailure, match="cannot have ':'"):
        container_body(task("t1", container={"mounts": (mount,)}), place())


def test_unknown_template_is_refused_by_name() -> None:
    wanted = task("t1", container={"environment": ("A={{.Service.Nope}}",)})
    with pytest.raises(PermanentFailure, match=r"unknown template \{\{\.Service\.Nope\}\}"):
        container_body(wanted, place())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.Service.ID}}/{{.Service.Name}}", "s1/web"),
        ("{{.Node.ID}}@{{.Node.Hostname}}", "node1@host1"),
        ('{{index .Service.Labels "tier"}}', "gold"),
        ('{{index .Service.Labels "absent"}}', ""),
        ("{{.Task.ID}}", "t1"),
        ("plain }} text", "plain }} text"),
    ],
)
def test_templates_know_service_node_and_task(text: str, expected: str) -> None:
    wanted = task(
        "t1",
        container={"environment": (f"A={text}",)},
        labels={"tier": "gold"},
        node_hostname="host1",
    )
    assert container_body(wanted, place())["Env"] == [f"A={expected}"]


def test_networks_keep_the_order_of_the_spec() -> None:
    attachments = tuple(
        specs.NetworkAttachment(network=name) for name in ("front", "back", "absent")
    )
    wanted = task(
        "t1",
        spec={"networks": attachments},
        addresses={"front-id": "10.1.0.5", "back-id": "10.2.0.5"},
    )
    assigned = {name: network(name, number) for name, number in (("back", 2), ("front", 1))}
    found = networks_of(wanted, assigned, {"front-id": "front", "back-id": "back"})
    assert [item.engine_name for item in found] == ["front", "back"]
