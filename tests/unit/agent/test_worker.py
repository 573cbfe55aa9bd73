"""The worker's threads around the decisions: events, lanes, pulls, the network, what is kept."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from agent.clock import Clock
from agent.core.observed import (
    LABEL_CLUSTER_ID,
    LABEL_NODE_ID,
    LABEL_TASK_ID,
    LABEL_TASK_NAME,
)
from agent.core.task_machine import STOPPED_ELSEWHERE
from agent.drivers.config_files import ConfigFiles
from agent.drivers.disk import AgentFolder
from agent.drivers.secret_files import SecretFiles
from agent.drivers.task_files import TaskFiles
from agent.worker.execution import NodeIdentity
from agent.worker.loop import Worker
from agent.worker.pool import Pool
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet, ConfigAssignment
from stackctl.model.task_state import TaskState
from stackctl.wire.agent_protocol import TaskReport
from tests.assignments import NODE_ID, assignment, container_name, network, task
from tests.eventually import eventually
from tests.fakes.engine import FakeEngine
from tests.fakes.memory_disk import PlainDisk
from tests.fakes.network import FakeNetwork
from tests.images import BUSYBOX_IMAGE

CLUSTER = "cluster1"
WAIT_SECONDS = 5.0
FOREVER = "trap 'exit 0' TERM; while true; do sleep 1; done"
SHUT: dict[str, Any] = {"desired": TaskState.SHUTDOWN, "may_stop": True}


class Bench:
    """A worker on a fake engine, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = FakeEngine(time.time)
        self.network = FakeNetwork(self.engine.networks)
        self.reports: list[TaskReport] = []
        self.applied: list[int] = []
        self.workers: list[Worker] = []

    def start(self) -> Worker:
        worker = Worker(
            engine=self.engine,
            identity=NodeIdentity(cluster_id=CLUSTER, node_id=NODE_ID),
            network=self.network,
            folder=AgentFolder(self.folder / "agent"),
            files=TaskFiles(
                configs=ConfigFiles(self.folder / "configs"),
                secrets=SecretFiles(PlainDisk(self.folder / "secrets")),
            ),
            clock=Clock(),
            on_report=self.reports.append,
            on_applied=self.applied.append,
        )
        worker.start()
        self.workers.append(worker)
        return worker

    def reaches(self, task_id: str, state: TaskState) -> TaskReport:
        def last() -> TaskReport | None:
            found = [item for item in self.reports if item.task_id == task_id]
            return found[-1] if found and found[-1].status.state is state else None

        report = until(last)
        assert isinstance(report, TaskReport)
        return report


def until(check: Callable[[], Any]) -> Any:
    return eventually(check, timeout_seconds=WAIT_SECONDS)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for worker in made.workers:
        worker.stop()


def test_task_runs_and_its_network_learns_of_it(bench: Bench) -> None:
    worker = bench.start()
    assert worker.hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    until(lambda: bench.applied == [1])
    pid = bench.engine.named(container_name("t1")).pid
    until(lambda: bench.network.started == {"t1": pid})
    bench.engine.end(container_name("t1"), 1)
    bench.reaches("t1", TaskState.FAILED)
    until(lambda: bench.network.ended == ["t1"])


def test_states_are_reported_in_order(bench: Bench) -> None:
    bench.start().hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    states = [item.status.state for item in bench.reports]
    assert states == sorted(states)


def test_many_tasks_start_beside_each_other(bench: Bench) -> None:
    tasks = [task(f"t{number:02}") for number in range(40)]
    bench.start().hold(assignment(1, *tasks))
    until(lambda: len(bench.engine.running()) == 40)


def test_older_set_is_refused(bench: Bench) -> None:
    worker = bench.start()
    assert worker.hold(assignment(5, task("t1"), term=2))
    assert not worker.hold(assignment(99, term=1))
    assert not worker.hold(assignment(4, term=2))
    assert worker.held().index == 5
    assert worker.hold(assignment(5, task("t1"), term=2))


def _lacks_image(worker: Worker, task_id: str) -> bool:
    record = worker._records.get(task_id)
    return record is not None and record.image_absent


def test_pull_serves_every_task_that_waits_for_it(bench: Bench) -> None:
    bench.engine.registry.add("shop:2")
    image = {"image": "shop:2"}
    tasks = [task(f"t{number}", container=image) for number in range(5)]
    pull = bench.engine.pull

    def pull_once_all_wait(image: str, **options: Any) -> None:
        until(lambda: all(_lacks_image(worker, each.id) for each in tasks))
        pull(image, **options)

    bench.engine.pull = pull_once_all_wait  # type: ignore[method-assign]  # a slow registry
    worker = bench.start()
    worker.hold(assignment(1, *tasks))
    until(lambda: len(bench.engine.running()) == 5)
    assert bench.engine.calls.count("pull shop:2") == 1


def test_failed_pull_rejects_every_task_that_waits_for_it(bench: Bench) -> None:
    image = {"image": "nosuch:1"}
    bench.start().hold(assignment(1, task("t1", container=image), task("t2", container=image)))
    for task_id in ("t1", "t2"):
        report = bench.reaches(task_id, TaskState.REJECTED)
        assert report.status.error.startswith("No such image: nosuch:1")


def test_container_waits_for_its_network(bench: Bench) -> None:
    bench.network.refused_networks.add("front")
    attachments = (specs.NetworkAttachment(network="front"),)
    wanted = task("t1", spec={"networks": attachments}, addresses={"front-id": "10.1.0.5"})
    other = task("t2")
    worker = bench.start()
    worker.hold(assignment(1, wanted, other, networks=(network("front", 1),)))
    bench.reaches("t2", TaskState.RUNNING)
    report = bench.reaches("t1", TaskState.PREPARING)
    assert report.status.error == "network front is being set up on this node"
    bench.network.refused_networks.clear()
    bench.reaches("t1", TaskState.RUNNING)


def test_network_that_fails_is_tried_again_until_it_is_in_force(bench: Bench) -> None:
    bench.network.fails_with = "nft: busy"
    worker = bench.start()
    worker.hold(assignment(3))
    until(lambda: bench.network.attempts >= 1)
    assert worker.applied_index() == 0
    bench.network.fails_with = ""
    until(lambda: worker.applied_index() == 3)


def test_newest_set_wins_while_the_network_is_busy(bench: Bench) -> None:
    bench.network.may_apply.clear()
    worker = bench.start()
    for index in range(1, 6):
        worker.hold(assignment(index))
    bench.network.may_apply.set()
    until(lambda: worker.applied_index() == 5)
    assert len(bench.network.applied) <= 3


def test_restarted_agent_keeps_running_what_it_held(bench: Bench) -> None:
    bench.start().hold(assignment(4, task("t1"), task("t2", "sh", "-c", "exit 3")))
    bench.reaches("t1", TaskState.RUNNING)
    bench.reaches("t2", TaskState.FAILED)
    until(lambda: bench.applied == [4])
    pid = bench.engine.named(container_name("t1")).pid
    bench.workers[0].stop()
    bench.reports.clear()

    again = bench.start()
    until(lambda: again.applied_index() == 4)
    assert again.held().index == 4
    assert bench.network.started["t1"] == pid
    states = {item.task_id: item.status.state for item in again.reports()}
    assert states == {"t1": TaskState.RUNNING, "t2": TaskState.FAILED}
    assert not again.hold(assignment(3))


def test_strays_are_removed_after_the_first_set_of_the_session(bench: Bench) -> None:
    labels = {
        LABEL_CLUSTER_ID: CLUSTER,
        LABEL_NODE_ID: NODE_ID,
        "stackctl.task.id": "old",
        "stackctl.task.name": "web",
    }
    body = {
        "Image": "stackctl/busybox:test",
        "Cmd": ["sleep", "100"],
        "Labels": labels,
        "HostConfig": {},
        "StopTimeout": 0,
    }
    bench.engine.start(bench.engine.create("web.old", body))
    worker = bench.start()
    until(lambda: worker.container_of("old"))
    assert bench.engine.running() == ["web.old"]
    worker.hold(assignment(1))
    until(lambda: not bench.engine.containers)


def test_lost_events_are_made_up_for_when_the_stream_opens_again(bench: Bench) -> None:
    bench.start().hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    streams = list(bench.engine.streams)
    bench.engine.streams.clear()
    bench.engine.end(container_name("t1"), 9)
    for stream in streams:
        stream.close()
    bench.reaches("t1", TaskState.FAILED)


@pytest.mark.parametrize("code", [0, 143])
@pytest.mark.parametrize("replaces_lost", [True, False])
def test_task_that_its_engine_stopped_counts_as_lost(
    bench: Bench, code: int, replaces_lost: bool
) -> None:
    """With any code but 0 it was the task's own failure."""
    restart = specs.RestartPolicy(replaces_lost=replaces_lost)
    bench.start().hold(assignment(1, task("t1", spec={"restart": restart})))
    bench.reaches("t1", TaskState.RUNNING)
    bench.engine.stop_with_engine(container_name("t1"), code)
    status = bench.reaches("t1", TaskState.FAILED).status
    assert (status.error, status.exit_code) == (STOPPED_ELSEWHERE, code)
    assert status.counts_as_lost is replaces_lost


def test_task_that_somebody_killed_has_failed(bench: Bench) -> None:
    bench.start().hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    bench.engine.kill(container_name("t1"), "SIGKILL")
    status = bench.reaches("t1", TaskState.FAILED).status
    assert status.error == "task: non-zero exit (137)"
    assert not status.counts_as_lost


def test_task_that_was_stopped_while_the_agent_was_away_has_not_completed(bench: Bench) -> None:
    bench.start().hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    until(lambda: bench.applied == [1])
    bench.workers[0].stop()
    bench.engine.streams.clear()
    bench.engine.end(container_name("t1"), 0)
    bench.start()
    bench.reaches("t1", TaskState.FAILED)


def test_stop_is_not_held_up_by_a_health_test(bench: Bench) -> None:
    blocked = threading.Event()
    probe = bench.engine.probe

    def slow_probe(container_id: str, command: tuple[str, ...], timeout_seconds: float) -> bool:
        blocked.wait(WAIT_SECONDS)
        return probe(container_id, command, timeout_seconds)

    bench.engine.probe = slow_probe  # type: ignore[method-assign]  # a test that takes its time
    container = {
        "healthcheck": specs.Healthcheck(test=("CMD", "false")),
        "stop_grace_period_seconds": 0.0,
    }
    worker = bench.start()
    worker.hold(assignment(1, task("t1", container=container)))
    bench.reaches("t1", TaskState.STARTING)
    worker.hold(assignment(2, task("t1", container=container, **SHUT)))
    bench.reaches("t1", TaskState.SHUTDOWN)
    blocked.set()


def test_configs_are_written_before_the_container_and_go_with_the_set(bench: Bench) -> None:
    reference = specs.ConfigReference(name="motd", target="/etc/motd", mode=0o400)
    container = {"configs": (reference,), "stop_grace_period_seconds": 0.0}
    wanted = task("t1", container=container, config_ids={"motd": "c1"})
    config = ConfigAssignment(id="c1", name="motd", content=b"hello")
    newer = ConfigAssignment(id="c2", name="motd", content=b"of another revision")
    worker = bench.start()
    worker.hold(assignment(1, wanted, configs=(config, newer)))
    bench.reaches("t1", TaskState.RUNNING)
    mounts = bench.engine.named(container_name("t1")).body["HostConfig"]["Mounts"]
    source = Path(mounts[0]["Source"])
    assert source.read_bytes() == b"hello"
    assert source.stat().st_mode & 0o777 == 0o400
    worker.hold(assignment(2))
    until(lambda: not source.exists())


def test_config_that_is_not_assigned_rejects_the_task(bench: Bench) -> None:
    reference = specs.ConfigReference(name="motd", target="/etc/motd")
    bench.start().hold(assignment(1, task("t1", container={"configs": (reference,)})))
    report = bench.reaches("t1", TaskState.REJECTED)
    assert report.status.error == "config motd is not assigned to this node"


def test_external_volume_that_the_node_does_not_have_rejects_the_task(bench: Bench) -> None:
    data = specs.Mount(kind=specs.MountKind.VOLUME, source="data", target="/data", external=True)
    worker = bench.start()
    worker.hold(assignment(1, task("t1", container={"mounts": (data,)})))
    report = bench.reaches("t1", TaskState.REJECTED)
    assert report.status.error == (
        "volume data is external to the stack, and this node does not have it"
    )
    bench.engine.volumes.add("data")
    worker.hold(assignment(2, task("t2", container={"mounts": (data,)})))
    bench.reaches("t2", TaskState.RUNNING)


def test_pool_runs_the_most_urgent_first() -> None:
    pool = Pool("test", threads_max=1)
    may_begin, done = threading.Event(), threading.Event()
    order: list[int] = []

    def hold_up() -> None:
        may_begin.wait(WAIT_SECONDS)

    pool.submit(hold_up)
    for urgency in (5, 0, 3):
        pool.submit(functools.partial(order.append, urgency), urgency=urgency)
    pool.submit(done.set, urgency=9)
    may_begin.set()
    assert done.wait(WAIT_SECONDS)
    assert order == [0, 3, 5]


def test_pool_survives_a_job_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    pool = Pool("test", threads_max=1)
    done = threading.Event()

    def fail() -> None:
        raise ValueError("on purpose")

    pool.submit(fail)
    pool.submit(done.set)
    assert done.wait(WAIT_SECONDS)
    assert "a job of test failed" in caplog.text


def test_containers_of_the_node_before_it_joined_again_are_ended(bench: Bench) -> None:
    labels = {
        LABEL_CLUSTER_ID: CLUSTER,
        LABEL_NODE_ID: "former",
        LABEL_TASK_ID: "t0",
        LABEL_TASK_NAME: "web.1",
    }
    left = {
        "Image": BUSYBOX_IMAGE,
        "Labels": labels,
        "HostConfig": {},
        "Cmd": ["sh", "-c", FOREVER],
    }
    bench.engine.start(bench.engine.create("web.1.t0", left))
    worker = bench.start()
    worker.hold(assignment(1, task("t1")))
    bench.reaches("t1", TaskState.RUNNING)
    assert "web.1.t0" in bench.engine.running()
    worker.hold(replace(assignment(2, task("t1")), former_node_ids=("former",)))
    until(lambda: bench.engine.running() == [container_name("t1")])


def test_an_end_after_a_telling_signal_is_the_tasks_own(bench: Bench) -> None:
    """The signal had been taken for a stop by hand, and a task that had completed was restarted."""
    bench.engine.end(_told_by_sigterm(bench), 0)
    assert bench.reaches("t1", TaskState.COMPLETE).status.message == "finished"


def test_an_engine_may_stop_a_task_by_the_signal_that_tells_it(bench: Bench) -> None:
    """All signals by which a task is told had been ignored, whoever sent them."""
    bench.engine.stop_with_engine(_told_by_sigterm(bench))
    assert bench.reaches("t1", TaskState.FAILED).status.error == STOPPED_ELSEWHERE


def _told_by_sigterm(bench: Bench) -> str:
    """A container that goes on after SIGTERM and was told by it of a changed config; its name."""
    reference = specs.ConfigReference(name="motd", target="/motd", on_change="SIGTERM")

    def wanted(config_id: str) -> AssignmentSet:
        container = {"configs": (reference,)}
        user = task("t1", "sleep", "1000", container=container, config_ids={"motd": config_id})
        config = ConfigAssignment(id=config_id, name="motd", content=config_id.encode())
        return assignment(int(config_id[1:]), user, configs=(config,))

    worker = bench.start()
    worker.hold(wanted("c1"))
    bench.reaches("t1", TaskState.RUNNING)
    worker.hold(wanted("c2"))
    name = container_name("t1")
    until(lambda: f"kill {name} SIGTERM" in bench.engine.calls)
    return name
