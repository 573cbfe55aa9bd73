"""A whole cluster for tests: a lab with managers, agents and the command line that people use."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.eventually import eventually
from tests.images import busybox_image_tar, juergenapp_image_tar

ROOT = Path(__file__).resolve().parents[2]
STACKCTL = Path(sys.executable).parent / "stackctl"
JUERGENAPP = ROOT / "examples" / "juergenapp" / "stack.yml"
COMMAND_SECONDS_MAX = 120


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; status 0 stands for none at all, `text` is then the reason."""

    status: int
    text: str
    task: str = ""


class LabCluster:
    """A lab of its own: its folder, its name and its contexts are away from the user's."""

    def __init__(self, folder: Path, name: str) -> None:
        self.environment = {
            **os.environ,
            "STACKCTL_LAB_DIR": str(folder / "lab"),
            "STACKCTL_LAB_NAME": name,
            "STACKCTL_CONFIG_DIR": str(folder / "config"),
            "COLUMNS": "200",
        }

    def up(self, *, nodes: int = 3, managers: int = 1) -> None:
        """Brings the lab up with the images that tests use."""
        self.run("lab", "up", "--nodes", str(nodes), "--managers", str(managers))
        self.run("lab", "load", str(juergenapp_image_tar()), str(busybox_image_tar()))

    def down(self) -> None:
        """Removes the lab."""
        self.run("lab", "down")

    def try_run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A stackctl command, whatever its exit code."""
        return subprocess.run(
            [STACKCTL, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def run(self, *words: str) -> str:
        """What a stackctl command prints; an AssertionError with all it said when it fails."""
        done = self.try_run(*words)
        assert done.returncode == 0, f"stackctl {' '.join(words)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """The rows of a listing command."""
        return [json.loads(line) for line in self.run(*words, "--format", "json").splitlines()]

    def nodes(self) -> dict[str, dict[str, Any]]:
        """`lab status` by node name."""
        status = json.loads(self.run("lab", "status", "--format", "json"))
        return {node["name"]: node for node in status}

    def address(self, node: str) -> str:
        """The node's address."""
        return str(self.nodes()[node]["address"])

    def docker(self, node: str, *words: str) -> str:
        """The docker client against a node's engine."""
        done = subprocess.run(
            ["docker", "-H", self.nodes()[node]["engine"], *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def containers(self, node: str) -> list[str]:
        """Names of the node's running containers that are tasks."""
        listed = self.docker(
            node, "ps", "--filter", "label=stackctl.task.id", "--format", "{{.Names}}"
        )
        return listed.splitlines()

    def deploy_juergenapp(self) -> None:
        """The example, converged."""
        self.run("deploy", "-c", str(JUERGENAPP), "juergenapp")

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """Current tasks of a service as the table shows them (history left out)."""
        return [
            row
            for row in self.rows("service", "ps", service)
            if row["DesiredState"] in ("Running", "Ready")
        ]

    def running_on(self, service: str) -> dict[str, str]:
        """Node by task id, of tasks that run."""
        return {
            row["ID"]: row["Node"]
            for row in self.tasks(service)
            if row["CurrentState"].startswith("Running")
        }

    def started_at(self, service: str) -> list[str]:
        """When the service's containers started, as engines say; all on one machine's clock."""
        found = []
        for node in self.nodes():
            label = f"label=stackctl.service.name={service}"
            ids = self.docker(node, "ps", "--all", "--quiet", "--filter", label).split()
            found += [
                self.docker(node, "inspect", "-f", "{{.State.StartedAt}}", key) for key in ids
            ]
        return found

    def ask(self, address: str, path: str = "/home", *, port: int = 80) -> Answer:
        """One request to a node."""
        url = f"http://{address}:{port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=8) as answer:
                text = answer.read().decode()
                return Answer(answer.status, text, answer.headers.get("X-Web-Task", ""))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())
        except OSError as error:
            return Answer(0, str(error))

    def ask_many(self, addresses: Sequence[str], count: int) -> Iterator[Answer]:
        """Requests to the addresses in turn."""
        for number in range(count):
            yield self.ask(addresses[number % len(addresses)])

    def await_service(self, name: str, replicas: str, *, timeout_seconds: float = 30) -> None:
        """Waits until `service ls` shows the replicas, such as 3/3."""

        def shown() -> bool:
            rows = {row["Name"]: row["Replicas"] for row in self.rows("service", "ls")}
            assert rows.get(name) == replicas, rows
            return True

        eventually(shown, timeout_seconds=timeout_seconds, period_seconds=0.2)
