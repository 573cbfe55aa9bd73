"""One task from its first state to its last, on a fake engine and a fake clock."""

from pathlib import Path

import pytest

from agent.core import image_wishes, task_machine
from agent.core.observed import Health
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet, ConfigAssignment
from stackctl.model.task_state import TaskState
from tests.assignments import assignment, container_name, network, task
from tests.fakes.node import FakeClock, FakeNode

C1 = container_name("t1")


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(clock=FakeClock(), configs_folder=tmp_path)


def states(node: FakeNode, task_id: str = "t1") -> list[str]:
    found: list[str] = []
    for report in node.reports:
        if report.task_id == task_id and report.status.state.name not in found[-1:]:
            found.append(report.status.state.name)
    return found


def state(node: FakeNode, task_id: str = "t1") -> TaskState:
    return node.statuses[task_id].state


def test_task_without_health_check_runs_in_order(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    assert node.trace == [
        "t1 is PREPARING",
        "CreateContainer t1: assigned to this node, desired running",
        "t1 is STARTING",
        "StartContainer t1: desired running",
        "t1 is RUNNING",
    ]
    assert node.statuses["t1"].message == "started"
    assert node.statuses["t1"].container_id == node.engine.named(C1).id


def test_ready_is_created_and_not_started(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", desired=TaskState.READY)))
    assert state(node) == TaskState.READY
    assert node.statuses["t1"].message == "prepared"
    assert node.engine.running() == []


def test_restart_delay_is_waited_for_with_the_container_there(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", start_after=1005)))
    assert state(node) == TaskState.READY
    assert node.wake_at == 1005
    node.advance(4.9)
    assert node.engine.running() == []
    node.advance(0.1)
    assert node.engine.running() == [C1]


def test_missing_image_is_pulled_once(node: FakeNode) -> None:
    node.engine.registry.add("shop:2")
    node.assign(assignment(1, task("t1", container={"image": "shop:2"})))
    pulls = [line for line in node.trace if line.startswith("PullImage")]
    assert pulls == ["PullImage t1: the engine does not have it"]


def pulls_of(node: FakeNode) -> list[str]:
    return [line for line in node.trace if line.startswith("PullImage")]


def with_policy(policy: specs.PullPolicy, **container: object) -> dict[str, object]:
    return {"image": "shop:2", "pull_policy": policy, **container}


def test_an_image_is_pulled_for_each_task_when_the_policy_is_always(node: FakeNode) -> None:
    node.engine.registry.add("shop:2")
    node.engine.images.add("shop:2")
    always = with_policy(specs.PullPolicy.ALWAYS)
    node.assign(assignment(1, task("t1", container=always)))
    assert state(node) is TaskState.RUNNING
    assert pulls_of(node) == ["PullImage t1: its pull policy is always"]
    node.assign(assignment(2, task("t1", container=always), task("t2", container=always)))
    assert state(node, "t2") is TaskState.RUNNING
    assert len(pulls_of(node)) == 2


def test_an_image_that_must_be_pulled_and_cannot_be_is_rejected(node: FakeNode) -> None:
    node.engine.images.add("shop:2")
    always = with_policy(specs.PullPolicy.ALWAYS)
    node.assign(assignment(1, task("t1", container=always)))
    assert state(node) is TaskState.REJECTED


def test_a_missing_image_is_not_pulled_when_the_policy_is_never(node: FakeNode) -> None:
    node.engine.registry.add("shop:2")
    never = with_policy(specs.PullPolicy.NEVER)
    node.assign(assignment(1, task("t1", container=never)))
    assert pulls_of(node) == []
    assert state(node) is TaskState.REJECTED
    expected = "No such image: shop:2, and its pull policy is never"
    assert node.statuses["t1"].error == expected


def test_a_young_image_stays_when_the_policy_is_refresh(node: FakeNode) -> None:
    node.engine.images.add("shop:2")  # no registry has it: a pull would fail
    daily = with_policy(specs.PullPolicy.REFRESH, pull_refresh_seconds=86_400)
    node.assign(assignment(1, task("t1", container=daily)))
    assert pulls_of(node) == ["PullImage t1: its pull policy is refresh"]
    assert state(node) is TaskState.RUNNING


def test_one_pull_serves_all_tasks_that_wait_for_the_same() -> None:
    always = task("t1", container=with_policy(specs.PullPolicy.ALWAYS))
    daily = with_policy(specs.PullPolicy.REFRESH, pull_refresh_seconds=86_400)
    other = task("t2", container=daily)
    records = {item.id: task_machine.first_record(item, now=0) for item in (always, other)}
    for_always = image_wishes.wanted_pull(always, records["t1"])
    for_daily = image_wishes.wanted_pull(other, records["t2"])
    assert for_always is not None
    assert for_daily is not None
    assert image_wishes.is_served(other, records["t2"], for_always)
    assert not image_wishes.is_served(always, records["t1"], for_daily)
    arm = task("t3", container=with_policy(specs.PullPolicy.ALWAYS, platform="linux/arm64"))
    assert not image_wishes.is_served(arm, records["t1"], for_always)


def test_the_platform_is_told_to_the_engine(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", container={"platform": "linux/amd64"})))
    assert node.engine.platforms[C1] == "linux/amd64"


def test_image_that_nobody_has_is_rejected_by_name(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", container={"image": "nosuch:1"})))
    status = node.statuses["t1"]
    assert status.state is TaskState.REJECTED
    assert status.error.startswith("No such image: nosuch:1 (manifest")


def test_registry_that_cannot_be_reached_is_rejected_with_its_words(node: FakeNode) -> None:
    node.engine.refusals["pull"] = "dial tcp 10.0.0.9:443: connection refused"
    node.assign(assignment(1, task("t1", container={"image": "nosuch:1"})))
    assert node.statuses["t1"].error == (
        "cannot pull image nosuch:1: dial tcp 10.0.0.9:443: connection refused"
    )


def test_creation_that_is_refused_is_rejected(node: FakeNode) -> None:
    mount = specs.Mount(kind=specs.MountKind.BIND, source="/absent/data", target="/data")
    node.assign(assignment(1, task("t1", container={"mounts": (mount,)})))
    status = node.statuses["t1"]
    assert status.state is TaskState.REJECTED
    assert "bind source path does not exist" in status.error


def test_start_that_is_refused_is_failed(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", "/absent/program")))
    status = node.statuses["t1"]
    assert status.state is TaskState.FAILED
    assert status.message == "starting"
    assert "no such file" in status.error


@pytest.mark.parametrize(
    ("code", "oom_killed", "expected", "error"),
    [
        (0, False, TaskState.COMPLETE, ""),
        (3, False, TaskState.FAILED, "task: non-zero exit (3)"),
        (
            137,
            True,
            TaskState.FAILED,
            "task: non-zero exit (137): killed because it used more memory than its limit",
        ),
    ],
    ids=["finished", "crashed", "out-of-memory"],
)
def test_end_by_itself_is_told(
    node: FakeNode, code: int, oom_killed: bool, expected: TaskState, error: str
) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.end(C1, code, oom_killed=oom_killed)
    node.look()
    status = node.statuses["t1"]
    assert (status.state, status.error, status.exit_code) == (expected, error, code)
    assert node.engine.running() == []


def test_ended_task_is_not_started_again(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.end(C1, 1)
    node.advance(100)
    assert states(node)[-1] == "FAILED"
    assert [line for line in node.trace if line.startswith("StartContainer")] == [
        "StartContainer t1: desired running"
    ]


def test_container_taken_away_is_a_failed_task(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.take_away(C1)
    node.look()
    assert state(node) == TaskState.FAILED
    assert node.statuses["t1"].error == "container was removed"


def test_container_started_by_hand_after_its_end_is_stopped(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.end(C1, 1)
    node.look()
    node.engine.start(C1)
    node.look()
    node.advance(10)
    assert node.engine.running() == []
    assert state(node) == TaskState.FAILED


def test_stop_waits_until_no_node_balances_to_it(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.assign(assignment(2, task("t1", desired=TaskState.SHUTDOWN)))
    node.advance(60)
    assert node.engine.running() == [C1]
    node.assign(assignment(3, task("t1", desired=TaskState.SHUTDOWN, may_stop=True)))
    node.advance(10)
    assert state(node) == TaskState.SHUTDOWN
    assert node.statuses["t1"].message == "shutdown"


def test_stop_signals_then_kills_after_the_grace_period(node: FakeNode) -> None:
    container = {"stop_grace_period_seconds": 3.0, "stop_signal": "SIGINT"}
    node.assign(assignment(1, task("t1", container=container)))
    node.trace.clear()
    node.assign(
        assignment(2, task("t1", desired=TaskState.SHUTDOWN, may_stop=True, container=container))
    )
    assert node.wake_at == 1003
    node.advance(2.9)
    assert node.engine.running() == [C1]
    node.advance(0.2)
    assert node.trace == [
        "SignalContainer t1: desired shutdown",
        "SignalContainer t1: desired shutdown; still up 3 s after its stop signal",
        "t1 is SHUTDOWN",
    ]
    assert [call for call in node.engine.calls if call.startswith("kill")] == [
        f"kill {C1} SIGINT",
        f"kill {C1} SIGKILL",
    ]
    assert node.statuses["t1"].exit_code == 137


def test_no_grace_period_kills_at_once(node: FakeNode) -> None:
    container = {"stop_grace_period_seconds": 0.0}
    node.assign(assignment(1, task("t1", container=container)))
    node.assign(
        assignment(2, task("t1", desired=TaskState.SHUTDOWN, may_stop=True, container=container))
    )
    assert state(node) == TaskState.SHUTDOWN


def test_task_that_ends_while_it_waits_for_its_stop_tells_its_own_end(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.assign(assignment(2, task("t1", desired=TaskState.SHUTDOWN)))
    node.engine.end(C1, 5)
    node.look()
    assert node.statuses["t1"].error == "task: non-zero exit (5)"


def test_task_that_was_never_started_is_removed_at_once(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", desired=TaskState.READY)))
    node.assign(assignment(2, task("t1", desired=TaskState.SHUTDOWN)))
    assert state(node) == TaskState.SHUTDOWN
    assert node.engine.containers == {}


def test_task_that_is_unwanted_before_it_begins_costs_no_container(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", desired=TaskState.REMOVE)))
    assert state(node) == TaskState.SHUTDOWN
    assert node.engine.calls == []


CHECK = specs.Healthcheck(test=("CMD", "test", "-e", "/ok"), interval_seconds=30)


def test_health_test_is_run_with_growing_pauses_until_it_succeeds(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", container={"healthcheck": CHECK})))
    assert state(node) == TaskState.STARTING
    node.advance(10)
    probes = [line for line in node.trace if line.startswith("ProbeHealth")]
    assert 10 <= len(probes) <= 16
    node.engine.probe_answers[C1] = True
    node.advance(1)
    assert state(node) == TaskState.RUNNING
    assert node.engine.named(C1).health is Health.STARTING


def test_engine_verdict_healthy_counts_without_a_test_of_ours(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", container={"healthcheck": CHECK})))
    node.engine.set_health(C1, Health.HEALTHY)
    node.look()
    assert state(node) == TaskState.RUNNING


@pytest.mark.parametrize("was_healthy", [True, False], ids=["later", "from-the-start"])
def test_unhealthy_container_is_stopped_and_failed(node: FakeNode, was_healthy: bool) -> None:
    node.assign(assignment(1, task("t1", container={"healthcheck": CHECK})))
    if was_healthy:
        node.engine.set_health(C1, Health.HEALTHY)
        node.look()
    node.engine.set_health(C1, Health.UNHEALTHY)
    node.look()
    assert state(node) == (TaskState.RUNNING if was_healthy else TaskState.STARTING)
    node.advance(10)
    assert state(node) == TaskState.FAILED
    assert node.statuses["t1"].error == "unhealthy container"
    assert node.engine.running() == []


def test_further_networks_are_connected_before_the_start(node: FakeNode) -> None:
    front, back = network("front", 1), network("back", 2)
    attachments = tuple(specs.NetworkAttachment(network=name) for name in ("front", "back"))
    wanted = task(
        "t1",
        spec={"networks": attachments},
        addresses={"front-id": "10.1.0.5", "back-id": "10.2.0.5"},
    )
    node.assign(assignment(1, wanted, networks=(back, front)))
    assert [line.split(":")[0] for line in node.trace] == [
        "t1 is PREPARING",
        "CreateContainer t1",
        "ConnectNetwork t1",
        "t1 is STARTING",
        "StartContainer t1",
        "t1 is RUNNING",
    ]
    assert set(node.engine.named(C1).networks) == {"front", "back"}
    assert node.engine.named(C1).body["HostConfig"]["NetworkMode"] == "front"


def test_task_waits_for_its_network_and_says_so(node: FakeNode) -> None:
    attachments = (specs.NetworkAttachment(network="front"),)
    node.assign(assignment(1, task("t1", spec={"networks": attachments})))
    assert state(node) == TaskState.PREPARING
    assert node.statuses["t1"].error == "network front is not assigned to this node yet"
    wanted = task("t1", spec={"networks": attachments}, addresses={"front-id": "10.1.0.5"})
    node.assign(assignment(2, wanted, networks=(network("front", 1),)))
    assert state(node) == TaskState.RUNNING
    assert node.statuses["t1"].error == ""


def test_engine_that_does_not_answer_is_tried_again(node: FakeNode) -> None:
    node.engine.unreachable = True
    node.assign(assignment(1, task("t1")))
    assert state(node) == TaskState.PREPARING
    assert node.wake_at == 1001
    node.engine.unreachable = False
    node.advance(1)
    assert state(node) == TaskState.RUNNING


TOLD = specs.ConfigReference(name="motd", target="/etc/motd", on_change="SIGHUP")


def with_content(index: int, content_id: str, content: bytes) -> AssignmentSet:
    told = task("t1", container={"configs": (TOLD,)}, config_ids={"motd": content_id})
    config = ConfigAssignment(id=content_id, name="motd", content=content)
    return assignment(index, told, configs=(config,))


def test_a_process_is_told_of_a_changed_content_and_goes_on(node: FakeNode) -> None:
    node.assign(with_content(1, "c1", b"a long first content"))
    node.advance(task_machine.TELL_AFTER_SECONDS)
    container = node.engine.named(C1)
    (mount,) = container.body["HostConfig"]["Mounts"]
    mounted = Path(mount["Source"])
    inode = mounted.stat().st_ino
    assert container.told == [], "it was made with this content"
    node.assign(with_content(2, "c2", b"second"))
    assert (mounted.read_bytes(), mounted.stat().st_ino) == (b"second", inode)
    assert container.told == ["SIGHUP"]
    node.assign(with_content(3, "c2", b"second"))
    assert container.told == ["SIGHUP"], "once for each content"
    assert state(node) == TaskState.RUNNING


def test_a_process_that_has_just_begun_is_told_a_little_later(node: FakeNode) -> None:
    """A signal that it does not listen to yet would end it."""
    node.assign(with_content(1, "c1", b"first"))
    node.assign(with_content(2, "c2", b"second"))
    container = node.engine.named(C1)
    assert container.told == []
    node.advance(task_machine.TELL_AFTER_SECONDS)
    assert container.told == ["SIGHUP"]


def test_telling_is_tried_again_when_the_engine_does_not_answer(node: FakeNode) -> None:
    node.assign(with_content(1, "c1", b"first"))
    node.advance(task_machine.TELL_AFTER_SECONDS)
    node.engine.unreachable = True
    node.assign(with_content(2, "c2", b"second"))
    assert node.engine.named(C1).told == []
    node.engine.unreachable = False
    node.advance(2)
    assert node.engine.named(C1).told == ["SIGHUP"]
