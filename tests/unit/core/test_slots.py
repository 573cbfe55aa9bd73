"""Slots: how many there are, which number comes next, which goes first; lost and drained nodes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.model import objects, specs
from stackctl.model.objects import Availability, NodeState
from stackctl.model.specs import UpdatePolicy
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NANO, Bench, service_spec

BOUND = specs.Placement(constraints=("node.hostname==n1",))


def _scale(bench: Bench, replicas: int) -> None:
    bench.submit(
        commands.ScaleService(service_id=bench.service().id, replicas=replicas, now=bench.now)
    )


def _numbers(bench: Bench) -> list[int]:
    return [task.slot for task in bench.live()]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_there_are_as_many_slots_as_replicas_and_numbers_start_at_one(sizes: list[int]) -> None:
    bench = Bench("n1", "n2", "n3")
    bench.deploy(service_spec(replicas=sizes[0]))
    bench.obey()
    for size in sizes:
        before = set(_numbers(bench))
        _scale(bench, size)
        bench.obey()
        now = set(_numbers(bench))
        assert len(now) == size
        added = sorted(now - before)
        free = [number for number in range(1, 30) if number not in before]
        assert added == free[: len(added)]


@settings(max_examples=40, deadline=None)
@given(first=st.integers(1, 14), second=st.integers(0, 14), nodes=st.integers(1, 4))
def test_scaling_down_leaves_tasks_evenly_spread(first: int, second: int, nodes: int) -> None:
    bench = Bench(*(f"n{number}" for number in range(nodes)))
    bench.deploy(service_spec(replicas=first))
    bench.obey()
    _scale(bench, min(first, second))
    bench.obey()
    counts = Counter({f"n{number}": 0 for number in range(nodes)})
    counts.update(bench.places())
    assert max(counts.values()) - min(counts.values()) <= 1


def test_scale_down_prefers_the_crowded_node() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=3))
    bench.obey()
    bench.add_node("n2")
    _scale(bench, 4)
    bench.obey()
    assert bench.places() == ["n1", "n1", "n1", "n2"]
    _scale(bench, 3)
    bench.obey()
    assert bench.places() == ["n1", "n1", "n2"]


def test_scale_down_prefers_what_does_not_run_then_higher_numbers() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=4))
    bench.settle()
    for slot in (1, 3, 4):
        bench.report(bench.newest(slot), TaskState.RUNNING)
    _scale(bench, 3)
    bench.settle()
    assert _numbers(bench) == [1, 3, 4]
    _scale(bench, 2)
    bench.settle()
    assert _numbers(bench) == [1, 3]


def test_scale_down_takes_first_what_has_no_node() -> None:
    bench = Bench("n1", "n2", nano_cpus=2 * NANO)
    bench.deploy(service_spec(replicas=5, reservations=specs.Resources(nano_cpus=NANO)))
    bench.obey()
    assert bench.newest(5).status.state == TaskState.PENDING
    _scale(bench, 4)
    bench.obey()
    assert _numbers(bench) == [1, 2, 3, 4]


def test_a_slot_that_was_scaled_away_leaves_no_history() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.obey()
    _scale(bench, 1)
    bench.obey()
    assert [task.slot for task in bench.tasks()] == [1]


def test_a_slot_that_is_needed_again_waits_for_its_former_task_to_end() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    former = bench.newest()
    _scale(bench, 0)
    bench.settle()
    _scale(bench, 1)
    bench.settle()
    assert bench.newest().desired_state == TaskState.READY
    bench.acknowledge()
    bench.settle()
    bench.report(former, TaskState.SHUTDOWN)
    bench.settle()
    assert bench.newest().desired_state == TaskState.RUNNING


def test_a_task_says_why_it_was_created() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=1))
    bench.obey()
    created = bench.newest()
    bench.wait(1)
    _scale(bench, 0)
    bench.obey()
    _scale(bench, 2)
    bench.obey()
    assert created.cause == "service created"
    assert [task.cause for task in bench.live()] == ["scaled to 2", "scaled to 2"]


def test_lost_tasks_are_replaced_at_once_despite_a_delay() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2, restart=specs.RestartPolicy(delay_seconds=60)))
    bench.obey()
    bench.lose("n1")
    bench.obey()
    assert bench.places() == ["n2", "n2"]
    assert all(task.status.state == TaskState.RUNNING for task in bench.live())


def test_a_lost_task_is_told_to_stop_as_soon_as_its_successor_has_a_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(placement=specs.Placement(constraints=("node.role==worker",))))
    bench.obey()
    old = bench.newest()
    bench.lose("n1")
    bench.settle()
    assert bench.newest().node_id == "n2"
    assert bench.state.tasks[old.id].desired_state == TaskState.SHUTDOWN
    bench.see("n1")
    bench.obey()
    assert bench.places() == ["n2"]


def test_a_task_bound_to_the_lost_node_simply_goes_on() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(placement=BOUND))
    bench.obey()
    old = bench.newest()
    bench.lose("n1")
    bench.obey()
    waiting = bench.newest()
    assert waiting.id != old.id
    assert waiting.status.error == (
        "no suitable node (1 node not available for new tasks;"
        " scheduling constraints not satisfied on 1 node)"
    )
    assert bench.state.tasks[old.id].is_wanted
    bench.see("n1")
    bench.obey()
    assert [task.id for task in bench.tasks()] == [old.id]
    assert bench.newest().status.state == TaskState.RUNNING


def test_losing_and_seeing_a_node_again_and_again_leaves_one_task() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(placement=BOUND))
    bench.obey()
    for _ in range(5):
        bench.lose("n1")
        bench.obey()
        bench.see("n1")
        bench.obey()
    assert len(bench.tasks()) == 1


def test_a_returning_node_gets_nothing_back_by_itself() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=4))
    bench.obey()
    bench.lose("n2")
    bench.obey()
    bench.see("n2")
    bench.obey()
    assert bench.places() == ["n1"] * 4


def test_a_task_whose_withdrawn_twin_still_stops_is_restarted_by_its_own_policy() -> None:
    # The withdrawn task is the newest of the slot; what becomes of the slot is not its business.
    none = specs.RestartPolicy(condition=specs.RestartCondition.NONE)
    bench = Bench("n1")
    bench.deploy(service_spec(restart=none))
    bench.obey()
    old = bench.newest()
    bench.deploy(service_spec(image="app:2", restart=none))
    bench.settle()
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.settle()
    assert bench.newest().desired_state == TaskState.REMOVE
    bench.report(old, TaskState.FAILED, error="boom")
    bench.settle()
    assert bench.live() == []


def test_a_drained_node_is_emptied_and_nothing_waits_for_a_delay() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=4, restart=specs.RestartPolicy(delay_seconds=60)))
    bench.obey()
    bench.change("n2", availability=Availability.DRAIN)
    bench.obey()
    assert bench.places() == ["n1"] * 4
    assert all(task.status.state == TaskState.RUNNING for task in bench.live())


def test_a_drained_task_stops_only_when_its_successor_is_prepared() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec())
    bench.obey()
    old = bench.newest()
    bench.change("n1", availability=Availability.DRAIN)
    bench.settle()
    assert bench.state.tasks[old.id].is_wanted
    bench.report(bench.newest(), TaskState.READY)
    bench.settle()
    assert not bench.state.tasks[old.id].is_wanted


def test_a_drained_node_is_emptied_even_if_nobody_can_take_over() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    old = bench.newest()
    bench.change("n1", availability=Availability.DRAIN)
    bench.obey()
    assert bench.state.tasks[old.id].status.state == TaskState.SHUTDOWN
    assert bench.newest().status.error == ("no suitable node (1 node not available for new tasks)")


def test_a_paused_node_keeps_its_tasks_and_gets_no_more() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.change("n2", availability=Availability.PAUSE)
    _scale(bench, 4)
    bench.obey()
    assert Counter(bench.places()) == {"n1": 3, "n2": 1}


def test_tasks_leave_a_node_that_no_longer_meets_the_constraints() -> None:
    bench = Bench()
    bench.add_node("n1", labels={"disk": "ssd"})
    bench.add_node("n2", labels={"disk": "ssd"})
    bench.deploy(
        service_spec(
            replicas=2,
            placement=specs.Placement(constraints=("node.labels.disk==ssd",)),
        )
    )
    bench.obey()
    bench.change("n2", labels={"disk": "hdd"})
    bench.obey()
    assert bench.places() == ["n1", "n1"]
    ended = next(task for task in bench.tasks() if not task.is_wanted)
    assert ended.end_cause == "node n2 no longer meets node.labels.disk==ssd"


def test_tasks_stay_where_they_may_not_be_while_nobody_else_takes_them() -> None:
    bench = Bench()
    bench.add_node("n1", labels={"disk": "ssd"})
    bench.deploy(service_spec(placement=specs.Placement(constraints=("node.labels.disk==ssd",))))
    bench.obey()
    old = bench.newest()
    bench.change("n1", labels={"disk": "hdd"})
    bench.obey()
    assert bench.state.tasks[old.id].is_wanted
    bench.add_node("n2", labels={"disk": "ssd"})
    bench.obey()
    assert bench.places() == ["n2"]


def test_a_task_that_is_to_leave_later_is_restarted_until_then() -> None:
    # The second slot waits for the first to move, which nobody can take.
    restart = specs.RestartPolicy(delay_seconds=5)
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=2, restart=restart))
    bench.obey()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.obey()
    nowhere = specs.Placement(constraints=("node.hostname==n9",))
    bench.deploy(service_spec(replicas=2, restart=restart, placement=nowhere))
    bench.obey()
    bench.wait(5)
    bench.obey()
    assert bench.newest(2).status.state == TaskState.RUNNING


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (2, 2), (0, 4)])
def test_a_new_constraint_moves_tasks_a_few_at_a_time(parallelism: int, at_once: int) -> None:
    bench = Bench("n1")
    update = UpdatePolicy(parallelism=parallelism)
    bench.deploy(service_spec(replicas=4, update=update))
    bench.obey()
    bench.add_node("n2")
    elsewhere = specs.Placement(constraints=("node.hostname==n2",))
    bench.deploy(service_spec(replicas=4, update=update, placement=elsewhere))
    bench.settle()
    assert bench.service().revision == 1
    assert sum(1 for task in bench.tasks() if task.node_id == "n2") == at_once
    for task in bench.tasks():
        if task.node_id == "n2":
            bench.report(task, TaskState.READY)
    bench.settle()
    # Told to stop is not yet moved: nobody else begins before the first run again.
    assert sum(1 for task in bench.tasks() if task.node_id == "n2") == at_once
    bench.obey()
    assert bench.places() == ["n2"] * 4


def test_a_task_of_a_node_that_is_down_for_a_day_is_given_up() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    lost = next(task for task in bench.tasks() if task.node_id == "n2")
    bench.lose("n2")
    bench.obey()
    bench.wait(24 * 3600 - 1)
    bench.obey()
    assert bench.state.tasks[lost.id].status.state == TaskState.RUNNING
    bench.wait(1)
    bench.obey()
    assert bench.state.tasks[lost.id].status.state == TaskState.ORPHANED
    assert bench.state.nodes["n2"].state == NodeState.DOWN


@pytest.mark.parametrize(("attempts", "kept"), [(0, 5), (3, 5), (8, 9)])
def test_of_each_slot_the_last_ended_tasks_are_kept(attempts: int, kept: int) -> None:
    bench = Bench("n1")
    restart = specs.RestartPolicy(delay_seconds=0, attempts_max=attempts, window_seconds=1)
    bench.deploy(service_spec(restart=restart, replicas=2))
    bench.obey()
    for _ in range(14):
        bench.report(bench.newest(1), TaskState.FAILED, error="boom")
        bench.wait(2)
        bench.obey()
    ended = [task for task in bench.tasks() if task.has_ended]
    assert len(ended) == kept
    newest = bench.newest(1)
    assert isinstance(newest, objects.Task)
    assert not newest.has_ended


def test_specs_of_revisions_that_nobody_has_are_forgotten() -> None:
    bench = Bench("n1")
    update = UpdatePolicy(monitor_seconds=0)
    for number in range(9):
        bench.deploy(service_spec(image=f"app:{number}", update=update))
        bench.obey()
    service = bench.service()
    used = {task.revision for task in bench.tasks()}
    assert set(service.task_specs) == used | {service.revision, service.previous_revision}
    assert len(service.task_specs) <= 7


@pytest.mark.parametrize("is_back", [True, False])
def test_a_rollback_meets_a_lost_node_and_one_task_is_left(is_back: bool) -> None:
    # Old, rolled back and stand-in task in one slot once replaced each other for ever.
    bench = Bench("n1", "n2", "n3")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.deploy(service_spec(image="app:2", replicas=2, update=UpdatePolicy(parallelism=0)))
    bench.settle()
    bench.lose("n1")
    bench.lose("n2")
    bench.settle()
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.settle()
    if is_back:
        bench.see("n1")
        bench.see("n2")
    bench.obey()
    bench.wait(5)
    bench.obey()
    assert [(task.slot, task.revision) for task in bench.live()] == [(1, 1), (2, 1)]
