"""The session against a manager in the same process, over real mutual TLS."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from agent.clock import Clock
from agent.drivers.disk import AgentFolder
from agent.drivers.image_fetches import start_fetch
from agent.drivers.logs import LogStreams
from agent.drivers.mutual_tls import TlsFiles
from agent.session.outbox import Outbox
from agent.session.session import Membership, Session
from stackctl.errors import PermanentFailure
from stackctl.manager import certificates
from stackctl.manager.certificates import Authority
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import NodeDescription, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.wire import increments
from stackctl.wire.agent_protocol import (
    Applied,
    AssignmentMessage,
    Description,
    Dismissal,
    FetchImage,
    Heartbeat,
    ImageProgress,
    LogChunk,
    OpenLogs,
    StreamEnd,
    TaskReport,
)
from tests.assignments import NODE_ID, assignment, task
from tests.fakes.engine import FakeEngine
from tests.fakes.manager import CLUSTER_ID, FakeManager, write_identity

IMAGE = "stackctl.internal/shop-web:1a2b3c4d5e6f"
DESCRIPTION = NodeDescription(hostname="host1", nano_cpus=1, memory_bytes=1)


class JumpingClock(Clock):
    """A clock that a test can set forward, as a suspension does."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def elapsed(self) -> float:
        return time.monotonic() + self.ahead


class TasksInMemory:
    """What the session needs of a worker, without one."""

    def __init__(self) -> None:
        self.assignment = AssignmentSet(node_id=NODE_ID, term=0, index=0)
        self.last_reports: tuple[TaskReport, ...] = ()

    def held(self) -> AssignmentSet:
        return self.assignment

    def hold(self, assignment: AssignmentSet) -> bool:
        held = (self.assignment.term, self.assignment.index)
        if (assignment.term, assignment.index) < held:
            return False
        self.assignment = assignment
        return True

    def applied_index(self) -> int:
        return self.assignment.index

    def reports(self) -> tuple[TaskReport, ...]:
        return self.last_reports


class FetchingInMemory:
    """Fetches one image in two pieces, and no other."""

    def fetch(self, image: str, on_bytes: Callable[[int, int], None]) -> None:
        if image != IMAGE:
            raise PermanentFailure(f"no manager holds image {image}")
        on_bytes(2 << 20, 4 << 20)
        on_bytes(4 << 20, 4 << 20)


class Node:
    """A session and what it stands on."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.tasks = TasksInMemory()
        self.outbox = Outbox()
        self.clock = JumpingClock()
        self.fault = ""
        self.engine = FakeEngine(time.time)
        self.agent_folder = AgentFolder(folder / "agent")

    @contextlib.asynccontextmanager
    async def session(self, *managers: str) -> AsyncIterator[Session]:
        identity = self.folder / "identity"
        write_identity(identity, self.authority, node_id=NODE_ID)
        session = Session(
            membership=Membership(
                node_id=NODE_ID,
                cluster_id=CLUSTER_ID,
                files=TlsFiles(
                    authority=identity / "ca.pem",
                    certificate=identity / "node.pem",
                    key=identity / "node.key",
                ),
            ),
            managers=managers,
            tasks=self.tasks,
            outbox=self.outbox,
            make_logs=self._make_logs,
            fetch_image=self._fetch_image,
            describe=lambda: DESCRIPTION,
            node_fault=lambda: self.fault,
            folder=self.agent_folder,
            clock=self.clock,
        )
        running = asyncio.create_task(session.run())
        try:
            yield session
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    def _fetch_image(self, request: FetchImage, connection: int) -> None:
        send = partial(self.outbox.put_log, connection=connection)
        start_fetch(FetchingInMemory(), request, send)

    def _make_logs(self, connection: int) -> LogStreams:
        return LogStreams(
            engine=self.engine,
            find_container=self.engine.inspect,
            send=lambda frame: self.outbox.put_log(frame, connection=connection),
        )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return certificates.create_cluster_authority()


@pytest.fixture
def node(tmp_path: Path, authority: Authority) -> Node:
    return Node(tmp_path, authority)


ManagerMaker = Callable[[str], FakeManager]


@pytest.fixture
def make_manager(tmp_path: Path, authority: Authority) -> ManagerMaker:
    return lambda name: FakeManager(authority, tmp_path, name=name)


def report(task_id: str, state: TaskState) -> TaskReport:
    return TaskReport(task_id=task_id, status=TaskStatus(state=state, at=1))


async def test_first_greeting_asks_for_a_whole_set(node: Node, make_manager: ManagerMaker) -> None:
    node.tasks.assignment = assignment(7)
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        hello = manager.hellos[0]
        assert (hello.node_id, hello.term, hello.index) == (NODE_ID, 0, 0)
        assert hello.description == DESCRIPTION


async def test_later_greeting_names_the_set_that_is_held(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.assign(assignment(7, term=3))
        await manager.until(lambda: node.tasks.assignment.index == 7)
        await manager.drop_connections()
        await manager.until(lambda: len(manager.hellos) == 2)
        assert (manager.hellos[1].term, manager.hellos[1].index) == (3, 7)


async def test_statuses_are_sent_in_batches_and_again_after_a_reconnection(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        for state in (TaskState.ACCEPTED, TaskState.PREPARING, TaskState.RUNNING):
            node.outbox.put_report(report("t1", state))
        await manager.until(lambda: manager.states("t1")[-1:] == ["RUNNING"])
        node.tasks.last_reports = (report("t1", TaskState.RUNNING),)
        manager.frames.clear()
        await manager.drop_connections()
        await manager.until(lambda: manager.states("t1") == ["RUNNING"])


async def test_increment_is_applied_and_a_gap_asks_for_a_whole_set(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        first = assignment(1, task("t1"))
        second = assignment(2, task("t1"), task("t2"))
        await manager.assign(first)
        increment = increments.difference(first, second)
        await manager.send(AssignmentMessage(term=1, index=2, increment=increment))
        await manager.until(lambda: node.tasks.assignment == second)
        await manager.send(
            AssignmentMessage(
                term=1, index=9, increment=msgspec.structs.replace(increment, base_index=8)
            )
        )
        await manager.until(lambda: len(manager.hellos) == 2)
        assert (manager.hellos[1].term, manager.hellos[1].index) == (0, 0)


async def test_older_set_is_refused(node: Node, make_manager: ManagerMaker) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.assign(assignment(7, term=3))
        await manager.until(lambda: node.tasks.assignment.index == 7)
        await manager.assign(assignment(900, task("t1"), term=2))
        await manager.until(lambda: len(manager.hellos) == 2)
        assert node.tasks.assignment == assignment(7, term=3)


async def test_heartbeats_carry_the_applied_index(node: Node, make_manager: ManagerMaker) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.assign(assignment(5))
        await manager.until(
            lambda: [beat for beat in manager.of_kind(Heartbeat) if beat.applied_index == 5]
        )
        node.outbox.put_applied(5)
        await manager.until(lambda: manager.of_kind(Applied) == [Applied(index=5)])
        changed = msgspec.structs.replace(DESCRIPTION, memory_bytes=2)
        node.outbox.put_description(changed)
        await manager.until(
            lambda: manager.of_kind(Description) == [Description(description=changed)]
        )


async def test_manager_that_does_not_answer_is_left_for_another(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as silent, make_manager("m2") as other:
        silent.answers_heartbeats = False
        async with node.session(silent.address, other.address):
            await other.until(lambda: other.of_kind(Heartbeat))
            assert len(silent.hellos) == 1


async def test_manager_without_a_leader_is_left_for_another(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as lonely, make_manager("m2") as other:
        lonely.has_leader = False
        async with node.session(lonely.address, other.address):
            await other.until(lambda: other.of_kind(Heartbeat))
            assert len(lonely.hellos) == 1


async def test_manager_that_cannot_be_reached_costs_a_pause(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session("127.0.0.1:1", manager.address):
        await manager.until(lambda: manager.of_kind(Heartbeat))


async def test_managers_told_at_the_welcome_are_kept(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as first, make_manager("m2") as second:
        first.welcome_managers = (first.address, second.address)
        async with node.session(first.address):
            await first.until(lambda: first.of_kind(Heartbeat))
            await first.stop()
            await second.until(lambda: second.of_kind(Heartbeat))
        assert node.agent_folder.read_managers() == (first.address, second.address)


async def test_node_that_stood_still_connects_again_at_once(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        manager.period_seconds = 1.0
        await manager.until(lambda: manager.of_kind(Heartbeat))
        node.clock.ahead += 60
        await manager.until(lambda: len(manager.hellos) == 2)


async def test_node_that_is_not_well_stays_away(node: Node, make_manager: ManagerMaker) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.of_kind(Heartbeat))
        node.fault = "the engine has not answered for 20 s"
        await manager.until(
            lambda: node.outbox.put_log(StreamEnd(stream_id=1), connection=1) is False
        )
        beats = len(manager.of_kind(Heartbeat))
        assert len(manager.hellos) == 1
        node.fault = ""
        await manager.until(lambda: len(manager.hellos) == 2)
        await manager.until(lambda: len(manager.of_kind(Heartbeat)) > beats)


async def test_worker_that_poses_as_a_manager_is_refused(
    node: Node, make_manager: ManagerMaker
) -> None:
    impostor = make_manager("m1")
    impostor.role = "worker"
    async with impostor, make_manager("m2") as manager:
        async with node.session(impostor.address, manager.address):
            await manager.until(lambda: manager.of_kind(Heartbeat))
        assert impostor.hellos == []


async def test_manager_of_another_authority_is_refused(
    node: Node, make_manager: ManagerMaker, tmp_path: Path
) -> None:
    foreign = FakeManager(certificates.create_cluster_authority(), tmp_path, name="foreign")
    async with foreign, make_manager("m2") as manager:
        async with node.session(foreign.address, manager.address):
            await manager.until(lambda: manager.of_kind(Heartbeat))
        assert foreign.hellos == []


async def test_logs_are_streamed_to_the_manager(node: Node, make_manager: ManagerMaker) -> None:
    body = {
        "Image": "stackctl/busybox:test",
        "Cmd": ["sh", "-c", "echo a; echo b"],
        "Labels": {"stackctl.task.id": "t1", "stackctl.task.name": "web"},
        "HostConfig": {},
    }
    node.engine.start(node.engine.create("web.t1", body))
    node.engine.containers["t1"] = node.engine.named("web.t1")
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.send(OpenLogs(stream_id=4, task_ids=("t1",)))
        await manager.until(lambda: manager.of_kind(StreamEnd))
        assert [chunk.text for chunk in manager.of_kind(LogChunk)] == [b"a", b"b"]
        assert manager.of_kind(StreamEnd) == [StreamEnd(stream_id=4)]


async def test_an_image_is_fetched_when_the_manager_asks_for_it(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.send(FetchImage(stream_id=5, image=IMAGE))
        await manager.until(lambda: manager.of_kind(StreamEnd))
        assert [it.done_bytes for it in manager.of_kind(ImageProgress)] == [2 << 20, 4 << 20]
        assert manager.of_kind(StreamEnd) == [StreamEnd(stream_id=5)]


async def test_the_manager_is_told_why_an_image_is_not_fetched(
    node: Node, make_manager: ManagerMaker
) -> None:
    async with make_manager("m1") as manager, node.session(manager.address):
        await manager.until(lambda: manager.hellos)
        await manager.send(FetchImage(stream_id=5, image="stackctl.internal/other:1"))
        await manager.until(lambda: manager.of_kind(StreamEnd))
        error = "no manager holds image stackctl.internal/other:1"
        assert manager.of_kind(StreamEnd) == [StreamEnd(stream_id=5, error=error)]


async def test_a_removed_node_ends_its_tasks_and_says_what_to_do(
    node: Node, make_manager: ManagerMaker, caplog: pytest.LogCaptureFixture
) -> None:
    node.tasks.assignment = assignment(4, task("t1"))
    async with make_manager("m1") as manager:
        manager.dismissal = Dismissal(cluster_id=CLUSTER_ID, term=2, index=9)
        async with node.session(manager.address):
            await manager.until(lambda: "stackctl join-token worker" in caplog.text)
    assert node.tasks.held() == AssignmentSet(node_id=NODE_ID, term=2, index=9)


async def test_a_dismissal_by_another_cluster_ends_nothing(
    node: Node, make_manager: ManagerMaker, caplog: pytest.LogCaptureFixture
) -> None:
    node.tasks.assignment = assignment(4, task("t1"))
    async with make_manager("m1") as manager:
        manager.dismissal = Dismissal(cluster_id="other", term=2, index=9)
        async with node.session(manager.address):
            await manager.until(lambda: "another cluster" in caplog.text)
    assert node.tasks.held() == assignment(4, task("t1"))
