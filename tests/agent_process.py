"""An agent as a process of its own on a test engine's node, against a manager in the test."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from agent.core import observed
from agent.drivers.docker_engine import DockerEngine
from agent.drivers.engine import LogQuery
from stackctl.errors import PermanentFailure
from stackctl.manager import certificates
from stackctl.model.assignment import AssignmentSet
from stackctl.wire.agent_protocol import StatusReport
from tests.assignments import NODE_ID, container_name
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.fakes.manager import CLUSTER_ID, WAIT_SECONDS, FakeManager, write_identity

PROGRAM = "from agent.daemon import run; run()"


def reachable_address(engine: EngineForTests) -> str:
    """This machine's address as the engine's node sees it."""
    words = subprocess.run(
        ["ip", "route", "get", engine.address], check=True, capture_output=True, text=True
    ).stdout.split()
    return words[words.index("src") + 1]


class AgentProcess:
    """One agent's process; started, killed and started again by tests."""

    def __init__(self, engine: EngineForTests, folder: Path, *options: str) -> None:
        self.engine = engine
        self.folder = folder
        self.log = folder / "agent.log"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on the engine's node."""
        command = self.engine.command(
            sys.executable,
            "-c",
            PROGRAM,
            "--state-dir",
            str(self.folder / "state"),
            "--run-dir",
            str(self.folder / "run"),
            "--hostname",
            "testnode",
            "--data-address",
            self.engine.address,
            "--engine",
            self.engine.url,
            *self._options,
        )
        root = Path(__file__).parent.parent
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=root,
                env={**os.environ, "PYTHONPATH": str(root)},
                start_new_session=True,
            )

    def end(self, number: int = signal.SIGTERM, *, timeout_seconds: float = 10) -> int:
        """Send a signal to the agent itself and wait for its end; returns its exit code."""
        assert self._process is not None
        # What starts it on the node may stay its parent: the whole group gets the signal.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
        return self._process.wait(timeout_seconds)

    def signal(self, number: int) -> None:
        """Send a signal and do not wait."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def memory_bytes(self) -> int:
        """Resident memory of the agent's own process."""
        assert self._process is not None
        sizes = []
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                text = status.read_text(encoding="utf-8")
                group = os.getpgid(int(status.parent.name))
                match = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
                if group == self._process.pid and match:
                    sizes.append(int(match.group(1)) * 1024)
        return max(sizes)


@contextlib.contextmanager
def running_agent(engine: EngineForTests, folder: Path, *options: str) -> Iterator[AgentProcess]:
    """A started agent; ends with the block, its log printed for a failing test."""
    agent = AgentProcess(engine, folder, *options)
    agent.start()
    try:
        yield agent
    finally:
        agent.end(signal.SIGKILL)
        sys.stdout.write(agent.log.read_text(encoding="utf-8"))


@contextlib.contextmanager
def inspecting(engine: EngineForTests) -> Iterator[DockerEngine]:
    """The engine for the test's own looks; the tasks' containers and networks go at the end."""
    docker = DockerEngine(engine.url)
    try:
        yield docker
    finally:
        for item in docker.list_containers({observed.LABEL_CLUSTER_ID: CLUSTER_ID}):
            _remove(docker, item.id)
        for network in docker.list_networks({observed.LABEL_CLUSTER_ID: CLUSTER_ID}):
            docker.remove_network(network["Id"])
        docker.close()


def _remove(docker: DockerEngine, container_id: str) -> None:
    def is_gone() -> bool:
        container = docker.inspect(container_id)
        if container is None:
            return True
        with contextlib.suppress(PermanentFailure):
            if container.is_up:
                docker.kill(container_id, "SIGKILL")
            docker.remove(container_id)
        return docker.inspect(container_id) is None

    eventually(is_gone, timeout_seconds=WAIT_SECONDS)


class Scene:
    """A manager in the test, an agent's process on a node, and the node's engine."""

    def __init__(self, manager: FakeManager, agent: AgentProcess, docker: DockerEngine) -> None:
        self.manager = manager
        self.agent = agent
        self.docker = docker

    async def assign(self, assigned: AssignmentSet) -> None:
        """Send a whole set to the agent."""
        await self.manager.assign(assigned)

    async def reaches(self, task_id: str, *states: str) -> Any:
        """Wait until the task is in one of the states; returns its last status."""

        def last() -> Any:
            for frame in reversed(self.manager.of_kind(StatusReport)):
                for report in reversed(frame.reports):
                    if report.task_id == task_id:
                        return report.status if report.status.state.name in states else None
            return None

        return await self.manager.until(last)

    def container(self, task_id: str) -> Any:
        """The task's container as the engine shows it; None when it has none."""
        return self.docker.inspect(container_name(task_id))

    def networks(self) -> list[str]:
        """Names of the cluster's networks on the engine."""
        found = self.docker.list_networks({observed.LABEL_CLUSTER_ID: CLUSTER_ID})
        return [str(network["Name"]) for network in found]

    async def output(self, task_id: str) -> str:
        """Everything that the task has printed, once it has printed something."""

        def read() -> str:
            entries = self.docker.logs(container_name(task_id), LogQuery())
            return "\n".join(entry.text.decode() for entry in entries)

        return str(await self.manager.until(read))


@contextlib.asynccontextmanager
async def member_scene(engine: EngineForTests, folder: Path) -> AsyncIterator[Scene]:
    """A node that is a member already, with its agent connected."""
    authority = certificates.create_cluster_authority()
    address = reachable_address(engine)
    async with FakeManager(authority, folder, listen_address=address) as manager:
        write_identity(
            folder / "state" / "identity",
            authority,
            node_id=NODE_ID,
            managers=(manager.address,),
        )
        with inspecting(engine) as docker, running_agent(engine, folder) as agent:
            await manager.until(lambda: manager.hellos)
            yield Scene(manager, agent, docker)


@contextlib.asynccontextmanager
async def joining_scene(engine: EngineForTests, folder: Path) -> AsyncIterator[Scene]:
    """A node whose agent joins with a token and is connected then."""
    authority = certificates.create_cluster_authority()
    address = reachable_address(engine)
    async with FakeManager(authority, folder, listen_address=address) as manager:
        options = ("--join-token", manager.token(), "--join", manager.address)
        with inspecting(engine) as docker, running_agent(engine, folder, *options) as agent:
            await manager.until(lambda: manager.hellos)
            yield Scene(manager, agent, docker)
