"""A container with every option that a real engine of this machine carries out, as it shows it."""

import json
import subprocess
from typing import Any

import pytest

from agent.core import observed
from agent.core.container_config import ContainerPlace, container_body
from agent.drivers.docker_engine import DockerEngine
from stackctl.model import specs
from stackctl.model.devices import BlockIo, Device, DeviceRate
from tests.assignments import task
from tests.engines import EngineForTests
from tests.eventually import eventually

pytestmark = pytest.mark.integration

CONTAINER: dict[str, Any] = {
    "command": (
        "sh",
        "-c",
        "cat /proc/self/oom_score_adj; ls /dev/nothing; stat -c %u /run; sleep 1000",
    ),
    "cgroup": "host",
    "cpu_shares": 512,
    "cpu_quota": 50_000,
    "cpu_period": 100_000,
    "cpuset": "0",
    "devices": (Device(source="/dev/null", target="/dev/nothing", permissions="rw"),),
    "device_cgroup_rules": ("c 1:3 rm",),
    "domainname": "example.org",
    "groups": ("1000",),
    "hostname": "web",
    "ipc": "shareable",
    "pid": "host",
    "memory_swap_bytes": -1,
    "oom_score_adjustment": 500,
    "platform": "linux/amd64",
    "runtime": "runc",
    "userns_mode": "host",
    "network_mode": "none",
    "cap_add": ("CAP_NET_ADMIN",),
    "sysctls": {"net.ipv4.ip_forward": "1"},
    "ulimits": (specs.Ulimit(name="nofile", soft=1024, hard=2048),),
    "block_io": BlockIo(read_bytes=(DeviceRate(path="/dev/loop0", rate=1 << 20),)),
    "mounts": (
        specs.Mount(kind=specs.MountKind.BIND, source="/etc", target="/e", recursive="disabled"),
        specs.Mount(
            kind=specs.MountKind.TMPFS,
            target="/run",
            tmpfs_size_bytes=1 << 20,
            tmpfs_options=("exec", "uid=1000"),
        ),
    ),
}


@pytest.fixture
def driver(engine: EngineForTests) -> Any:
    driver = DockerEngine(engine.url)
    yield driver
    driver.close()


def inspect(engine: EngineForTests, container_id: str) -> dict[str, Any]:
    words = ["docker", "-H", engine.url, "inspect", container_id]
    shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(shown)[0]
    return found


def run(driver: DockerEngine, **container: Any) -> str:
    """Create and start a container; the id. `remove` takes it away."""
    wanted = task("t1", container=container)
    place = ContainerPlace(cluster_id="options", node_id="n1", api_version=driver.api_version)
    name = observed.container_name(wanted.name, wanted.id)
    platform = str(container.get("platform", ""))
    container_id = driver.create(name, container_body(wanted, place), platform=platform)
    driver.start(container_id)
    return container_id


def remove(engine: EngineForTests, container_id: str) -> None:
    subprocess.run(
        ["docker", "-H", engine.url, "rm", "-f", container_id], check=True, capture_output=True
    )


def output(engine: EngineForTests, container_id: str) -> list[str]:
    words = ["docker", "-H", engine.url, "logs", container_id]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def test_the_engine_shows_every_option_it_was_given(
    engine: EngineForTests, driver: DockerEngine
) -> None:
    container_id = run(driver, **CONTAINER)
    try:
        shown = inspect(engine, container_id)
        host = shown["HostConfig"]
        expected = {
            "CgroupnsMode": "host",
            "CpuShares": 512,
            "CpuQuota": 50_000,
            "CpuPeriod": 100_000,
            "CpusetCpus": "0",
            "Devices": [
                {
                    "PathOnHost": "/dev/null",
                    "PathInContainer": "/dev/nothing",
                    "CgroupPermissions": "rw",
                }
            ],
            "DeviceCgroupRules": ["c 1:3 rm"],
            "GroupAdd": ["1000"],
            "IpcMode": "shareable",
            "PidMode": "host",
            "OomScoreAdj": 500,
            "Runtime": "runc",
            "UsernsMode": "host",
            "NetworkMode": "none",
            "Sysctls": {"net.ipv4.ip_forward": "1"},
        }
        assert {key: host[key] for key in expected} == expected
        assert shown["Config"]["Domainname"] == "example.org"
        assert shown["State"]["Status"] == "running"
        printed = ["500", "/dev/nothing", "1000"]
        eventually(lambda: output(engine, container_id) == printed, timeout_seconds=20)
    finally:
        remove(engine, container_id)


@pytest.mark.parametrize("mode", ["host", "none"])
def test_a_container_is_on_the_network_of_its_mode(
    engine: EngineForTests, driver: DockerEngine, mode: str
) -> None:
    command = ("sh", "-c", "ls /sys/class/net | wc -l; sleep 1000")
    container_id = run(driver, command=command, network_mode=mode)
    try:
        shown = inspect(engine, container_id)
        assert shown["HostConfig"]["NetworkMode"] == mode
        assert list(shown["NetworkSettings"]["Networks"]) == [mode]
    finally:
        remove(engine, container_id)
