"""The whole node: order, strays, adoption, ports, and what is forgotten."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.core import actions, reconcile, task_machine
from agent.core.reconcile import NodeSituation
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet
from stackctl.model.task_state import TaskState
from tests.assignments import assignment, container_name, task
from tests.fakes.node import FakeClock, FakeNode

SHUT: dict[str, Any] = {"desired": TaskState.SHUTDOWN, "may_stop": True}


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    return FakeNode(clock=FakeClock(), configs_folder=tmp_path)


def situation(node: FakeNode, assigned: AssignmentSet, **fields: object) -> NodeSituation:
    containers = {
        item.task_id: container
        for item in node.engine.list_containers(node.labels)
        if (container := node.engine.inspect(item.id)) is not None
    }
    known = {
        "assignment": assigned,
        "is_confirmed": True,
        "containers": containers,
        "records": node.records,
        "engine_networks": {},
        "now": node.clock.now(),
    }
    return NodeSituation(**(known | fields))  # type: ignore[arg-type]  # a table of fields


def kinds(plan: reconcile.Plan) -> list[str]:
    return [f"{type(action).__name__} {action.task_id}" for action in plan.actions]


def test_what_must_stop_is_signalled_before_anything_starts(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    after = assignment(2, task("t1", **SHUT), task("t2"))
    first = reconcile.reconcile(situation(node, after))
    assert kinds(first) == ["SignalContainer t1"]

    signal = first.actions[0]
    under_way = frozenset({signal.task_id})
    second = reconcile.reconcile(situation(node, after, busy=under_way, stopping=under_way))
    assert kinds(second) == []

    node.assign(after)
    assert node.engine.running() == [container_name("t1"), container_name("t2")]


def test_node_that_comes_back_lets_go_first(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1"), task("t2")))
    node.trace.clear()
    node.assign(assignment(9, task("t1", **SHUT), task("t2", **SHUT), task("t3")))
    assert [line.split(":")[0] for line in node.trace[:2]] == [
        "t3 is PREPARING",
        "SignalContainer t1",
    ]
    begun = [line for line in node.trace if line.startswith(("Signal", "Create"))]
    assert begun[2].startswith("CreateContainer t3")


def test_one_task_has_one_action_at_a_time(node: FakeNode) -> None:
    wanted = assignment(1, task("t1"))
    plan = reconcile.reconcile(situation(node, wanted, busy=frozenset({"t1"})))
    assert plan.actions == ()


def test_health_test_and_pull_are_not_begun_twice(node: FakeNode) -> None:
    check = specs.Healthcheck(test=("CMD", "false"))
    node.assign(assignment(1, task("t1", container={"healthcheck": check})))
    node.clock.time += 100
    wanted = node.assignment
    assert kinds(reconcile.reconcile(situation(node, wanted))) == ["ProbeHealth t1"]
    probing = frozenset({"t1"})
    assert kinds(reconcile.reconcile(situation(node, wanted, probing=probing))) == []


def test_two_tasks_wait_for_one_pull(node: FakeNode) -> None:
    image = {"image": "shop:2"}
    wanted = assignment(1, task("t1", container=image), task("t2", container=image))
    records = {
        item.id: msgspec.structs.replace(
            task_machine.first_record(item, now=0.0), image_absent=True
        )
        for item in wanted.tasks
    }
    plan = reconcile.reconcile(situation(node, wanted, records=records))
    assert len(plan.actions) == 1
    assert isinstance(plan.actions[0], actions.PullImage)
    pulling = frozenset({plan.actions[0].subject})
    again = reconcile.reconcile(situation(node, wanted, records=records, pulling=pulling))
    assert again.actions == ()


def test_strays_stay_until_a_manager_has_spoken(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.forget_memory()
    node.assignment = assignment(0)
    node.look()
    node.advance(60)
    assert node.engine.running() == [container_name("t1")]
    node.assign(assignment(2))
    node.advance(10)
    assert node.engine.containers == {}


def test_container_of_another_node_or_cluster_is_never_touched(
    node: FakeNode, tmp_path: Path
) -> None:
    other = FakeNode(clock=node.clock, configs_folder=tmp_path, engine=node.engine, node_id="node2")
    other.assign(assignment(1, task("t9")))
    node.assign(assignment(1))
    node.advance(60)
    assert node.engine.running() == [container_name("t9")]


def test_running_container_is_adopted_without_a_restart(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    pid = node.engine.named(container_name("t1")).pid
    node.forget_memory()
    node.assign(assignment(1, task("t1")))
    assert node.statuses["t1"].state is TaskState.RUNNING
    assert node.engine.named(container_name("t1")).pid == pid


def test_container_that_ended_while_nobody_looked_is_not_replaced(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.end(container_name("t1"), 1)
    node.forget_memory()
    node.assign(assignment(1, task("t1")))
    node.advance(60)
    assert node.statuses["t1"].state is TaskState.FAILED
    assert node.engine.running() == []


def test_start_waits_for_a_port_that_an_ending_task_holds(node: FakeNode) -> None:
    ports = (specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST),)
    node.assign(assignment(1, task("t1", ports=ports)))
    node.assign(assignment(2, task("t1", **SHUT, ports=ports), task("t2", ports=ports)))
    assert node.statuses["t2"].state.title == "Ready"
    assert node.statuses["t2"].error == "waits for a published port that t1 still holds"
    node.advance(10)
    assert node.statuses["t2"].state.title == "Running"
    assert node.statuses["t2"].error == ""


def test_ended_container_stays_for_its_log_until_its_task_leaves(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1")))
    node.engine.end(container_name("t1"), 1)
    node.advance(3600)
    assert list(node.engine.containers.values())
    node.assign(assignment(2))
    assert node.engine.containers == {}
    assert node.records == {}


def test_removal_that_is_refused_is_tried_again_later(node: FakeNode) -> None:
    node.assign(assignment(1, task("t1", "sh", "-c", "exit 0")))
    node.engine.refusals["remove"] = "device or resource busy"
    node.assign(assignment(2))
    assert node.wake_at == node.clock.now() + 5
    del node.engine.refusals["remove"]
    node.advance(5)
    assert node.engine.containers == {}


def test_order_of_actions_is_stops_first_and_pulls_last() -> None:
    def at(action: actions.Action) -> int:
        return reconcile.urgency(action)

    names = {"task_id": "t", "cause": ""}
    container = names | {"container_id": "c"}
    ordered: list[actions.Action] = [
        actions.SignalContainer(signal="SIGTERM", **container),
        actions.RemoveContainer(**container),
        actions.StartContainer(**container),
        actions.CreateContainer(**names),
        actions.PullImage(image="i", task_id="t1", cause="c"),
    ]
    assert sorted(ordered, key=at) == ordered
