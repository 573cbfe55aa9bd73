"""What a cluster costs, beside Docker Swarm and beside the engines alone, in one run on one lab.

    python benchmarks/bench_cluster.py [--no-swarm]

Three engines in network namespaces of this machine; a busybox `sleep`, image present. "Engines
alone" is the physical limit: the same containers created and started in parallel on the three
engines, with nobody managing them. Swarm runs on the same engines, after stackctl was measured and
removed its stack. Absolute times belong to the machine; the ratios are what to compare.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import docker
import docker.errors

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from stackctl.client import transport  # noqa: E402 - the path is set first
from stackctl.client.api import Client  # noqa: E402 - the same
from tests.e2e.cluster import LabCluster  # noqa: E402 - the same

IMAGE = "stackctl/busybox:test"
THREADS_PER_ENGINE = 6
WAIT_SECONDS_MAX = 180.0
DONE = "completed"  # an update's state, in both
STACK = """services:
  sleeper:
    image: {image}
    command: sleep 100000
    stop_grace_period: 0s
    deploy:
      replicas: {replicas}
"""


def await_(check: Callable[[], bool]) -> float:
    """Seconds until the check holds, looked at every 100 ms."""
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > WAIT_SECONDS_MAX:
            raise SystemExit("error: a measured condition was never reached")
        time.sleep(0.1)
    return time.monotonic() - began


def resident_megabytes(process_id: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Engines:
    """The lab's engines, used directly."""

    def __init__(self, lab: LabCluster) -> None:
        self.clients = {
            name: docker.APIClient(base_url=node["engine"], version="1.41", timeout=120)
            for name, node in lab.nodes().items()
        }

    def start_alone(self, count: int) -> float:
        """Seconds to create and start `count` containers in parallel; removes them again."""
        clients = list(self.clients.values())
        for client in clients:
            client.create_network("bench", driver="bridge")
        made: list[tuple[docker.APIClient, str]] = []

        def one(number: int) -> None:
            client = clients[number % len(clients)]
            config = client.create_container_config(IMAGE, ["sleep", "100000"])
            config["HostConfig"] = client.create_host_config(network_mode="bench")
            container = client.create_container_from_config(config)
            made.append((client, container["Id"]))
            client.start(container["Id"])

        began = time.monotonic()
        with ThreadPoolExecutor(THREADS_PER_ENGINE * len(clients)) as pool:
            list(pool.map(one, range(count)))
        seconds = time.monotonic() - began
        with ThreadPoolExecutor(THREADS_PER_ENGINE * len(clients)) as pool:
            list(pool.map(lambda item: item[0].remove_container(item[1], force=True), made))
        for client in clients:
            client.remove_network("bench")
        return seconds

    def running(self, label: str, *, without: str = "") -> int:
        """Running containers with a label, on all engines but one."""
        return sum(
            len(client.containers(filters={"label": label, "status": "running"}, quiet=True))
            for name, client in self.clients.items()
            if name != without
        )

    def kill_one(self, label: str, node: str) -> str:
        """Kills a container on a node; returns its id."""
        client = self.clients[node]
        container = client.containers(filters={"label": label, "status": "running"}, quiet=True)[0]
        client.kill(container["Id"])
        return str(container["Id"])


class Ours:
    """stackctl on the lab."""

    name = "stackctl"
    label = "stackctl.service.name=bench_sleeper"

    def __init__(self, lab: LabCluster, folder: Path) -> None:
        self._lab, self._file = lab, folder / "stack.yml"
        contexts = json.loads((folder / "config" / "contexts.json").read_text())
        endpoints = contexts["contexts"][contexts["current"]]["endpoints"]
        self._client = Client([transport.parse_endpoint(text) for text in endpoints])

    def deploy(self, replicas: int) -> float:
        """Seconds from the command to the last container running."""
        self._file.write_text(STACK.format(image=IMAGE, replicas=replicas))
        began = time.monotonic()
        self._lab.run("deploy", "--detach", "-c", str(self._file), "bench")
        await_(lambda: self.count() == replicas)
        return time.monotonic() - began

    def update(self) -> float:
        """Seconds from the command to the end of a rolling update by twos, watched for 1 s."""
        flags = ("--force", "--update-parallelism", "2", "--update-monitor", "1s")
        began = time.monotonic()
        self._lab.run("service", "update", "--detach", *flags, "bench_sleeper")
        await_(lambda: self._client.service("bench_sleeper")["service"]["update"]["state"] == DONE)
        return time.monotonic() - began

    def count(self, *, without: str = "") -> int:
        """Tasks that the cluster says are running, those on one node left out."""
        tasks = self._client.tasks(service="bench_sleeper")
        return sum(
            1
            for task in tasks
            if task["is_current"] and task["state"] == "running" and task["node"] != without
        )

    def remove(self) -> None:
        """Takes the stack away."""
        self._lab.run("stack", "rm", "bench")


class Swarm:
    """Docker Swarm on the lab's engines."""

    name = "Docker Swarm"
    label = "com.docker.swarm.service.name=sleeper"

    def __init__(self, lab: LabCluster, engines: Engines) -> None:
        self._lab, self._manager = lab, engines.clients["manager1"]
        self._engines = engines

    def init(self) -> None:
        """Makes a swarm of the lab's nodes."""
        nodes = self._lab.nodes()
        address = nodes["manager1"]["address"]
        self._manager.init_swarm(advertise_addr=address, listen_addr=f"{address}:2377")
        token = self._manager.inspect_swarm()["JoinTokens"]["Worker"]
        for name, client in self._engines.clients.items():
            if name != "manager1":
                own = nodes[name]["address"]
                client.join_swarm([f"{address}:2377"], token, advertise_addr=own)
        self._manager.create_network("sleepers", driver="overlay")

    def leave(self) -> None:
        """Ends the swarm."""
        for client in self._engines.clients.values():
            client.leave_swarm(force=True)

    def deploy(self, replicas: int) -> float:
        """Seconds from the request to the last task running."""
        began = time.monotonic()
        self._lab.docker(
            "manager1", "service", "create", "--quiet", "--detach", "--no-resolve-image",
            "--name", "sleeper", "--network", "sleepers", "--stop-grace-period", "0s",
            "--replicas", str(replicas), IMAGE, "sleep", "100000",
        )  # fmt: skip
        await_(lambda: self.count() == replicas)
        return time.monotonic() - began

    def update(self) -> float:
        """Seconds from the command to the end of a rolling update by twos, watched for 1 s."""
        flags = ("--force", "--update-parallelism", "2", "--update-monitor", "1s")
        began = time.monotonic()
        self._lab.docker("manager1", "service", "update", "--quiet", "--detach", *flags, "sleeper")
        await_(lambda: self._manager.inspect_service("sleeper")["UpdateStatus"]["State"] == DONE)
        return time.monotonic() - began

    def count(self, *, without: str = "") -> int:
        """Tasks that the swarm says are running, those on one node left out."""
        names = {node["ID"]: node["Description"]["Hostname"] for node in self._manager.nodes()}
        tasks = self._manager.tasks(filters={"service": "sleeper", "desired-state": "running"})
        return sum(
            1
            for task in tasks
            if task["Status"]["State"] == "running" and names.get(task["NodeID"]) != without
        )

    def remove(self) -> None:
        """Takes the service away and waits for its containers."""
        self._manager.remove_service("sleeper")
        await_(lambda: self._engines.running(self.label) == 0)


def crash_seconds(peer: Ours | Swarm, engines: Engines, replicas: int) -> float:
    """Seconds from the kill of a container to as many running containers as before."""
    engines.kill_one(peer.label, "worker1")
    return await_(lambda: engines.running(peer.label) == replicas)


def failover_seconds(peer: Ours | Swarm, lab: LabCluster, replicas: int) -> float:
    """Seconds from the cut of a worker to all its tasks running elsewhere; heals it again."""
    began = time.monotonic()
    lab.run("lab", "cut", "worker1")
    await_(lambda: peer.count(without="worker1") == replicas)
    seconds = time.monotonic() - began
    lab.run("lab", "heal", "worker1")
    return seconds


def listing_seconds(words: list[str], environment: dict[str, str]) -> float:
    """Median of eleven runs of a whole process."""
    times = []
    for _ in range(11):
        began = time.monotonic()
        subprocess.run(words, env=environment, capture_output=True, check=True)
        times.append(time.monotonic() - began)
    return sorted(times)[5]


def measure(peer: Ours | Swarm, lab: LabCluster, engines: Engines) -> dict[str, float]:
    """All times of one orchestrator."""
    found: dict[str, float] = {}
    found["3 tasks"] = peer.deploy(3)
    found["crash"] = crash_seconds(peer, engines, 3)
    peer.remove()
    peer.deploy(10)
    found["update"] = peer.update()
    peer.remove()
    found["60 tasks"] = peer.deploy(60)
    peer.remove()
    peer.deploy(30)
    found["node cut"] = failover_seconds(peer, lab, 30)
    peer.remove()
    return found


@contextmanager
def running_lab(nodes: int) -> Iterator[tuple[LabCluster, Path]]:
    """A lab for the time of the measurement."""
    with tempfile.TemporaryDirectory(prefix="stackctl-bench-") as folder:
        lab = LabCluster(Path(folder), f"b{os.getpid():x}")
        try:
            lab.up(nodes=nodes)
            yield lab, Path(folder)
        finally:
            lab.down()


def print_table(rows: dict[str, dict[str, float]], limits: dict[str, float]) -> None:
    """Times in seconds, and ours as a ratio to the others."""
    names = list(rows)
    print(f"{'work':12}" + "".join(f"{name:>16}" for name in (*names, "engines alone")))
    for work in rows["stackctl"]:
        limit = limits.get(work)
        cells = [f"{rows[name][work]:14.2f} s" for name in names]
        cells.append(f"{limit:14.2f} s" if limit else f"{'-':>16}")
        print(f"{work:12}" + "".join(cells))
        ours = rows["stackctl"][work]
        ratios = [f"{ours / rows[name][work]:.2f} x {name}" for name in names if name != "stackctl"]
        if limit:
            ratios.append(f"{ours / limit:.2f} x engines alone")
        print(f"{'':12}  stackctl is {', '.join(ratios) or 'alone'}")


def main() -> None:
    """Runs everything and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-swarm", action="store_true")
    options = parser.parse_args()
    with running_lab(3) as (lab, folder):
        engines = Engines(lab)
        ours = Ours(lab, folder)
        nodes = lab.nodes()
        memory = {
            name: resident_megabytes(nodes["manager1"]["pids"][name])
            for name in ("manager", "agent", "engine")
        }
        limits = {"3 tasks": engines.start_alone(3), "60 tasks": engines.start_alone(60)}
        rows = {ours.name: measure(ours, lab, engines)}
        ours.deploy(3)
        command = [str(Path(sys.executable).parent / "stackctl"), "service", "ps", "bench_sleeper"]
        listing = listing_seconds(command, lab.environment)
        bare = listing_seconds([sys.executable, "-c", "pass"], lab.environment)
        ours.remove()
        if not options.no_swarm:
            swarm = Swarm(lab, engines)
            swarm.init()
            rows[swarm.name] = measure(swarm, lab, engines)
            swarm.leave()
        print_table(rows, limits)
    print(
        f"\nservice ps, whole process: {listing:.3f} s ({listing / bare:.1f} x a bare interpreter)"
    )
    print("resident memory, idle: " + json.dumps({k: f"{v:.0f} MB" for k, v in memory.items()}))


if __name__ == "__main__":
    main()
