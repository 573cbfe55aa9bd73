"""Rolling updates: how many slots at a time, in which order, when the next one begins."""

import pytest

from stackctl.model import specs
from stackctl.model.objects import Availability, UpdateState
from stackctl.model.specs import FailureAction, UpdateOrder, UpdatePolicy
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NANO, Bench, service_spec
from tests.unit.core.updates import QUICK, deployed, touched, update, update_status


def test_creating_a_service_is_no_update() -> None:
    bench = deployed(2, QUICK)
    assert bench.service().update_status is None


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (2, 2), (0, 5)])
def test_so_many_slots_change_at_a_time(parallelism: int, at_once: int) -> None:
    policy = UpdatePolicy(parallelism=parallelism)
    bench = deployed(5, policy)
    update(bench, policy)
    bench.settle()
    assert touched(bench) == list(range(1, at_once + 1))


def test_all_at_once_does_not_wait_for_slots_that_cannot_begin() -> None:
    policy = UpdatePolicy(parallelism=0)
    bench = deployed(2, policy)
    huge = specs.Resources(nano_cpus=99 * NANO)
    bench.deploy(service_spec(replicas=5, update=policy, reservations=huge))
    bench.settle()
    assert touched(bench) == [1, 2, 3, 4, 5]


def test_the_next_slot_waits_until_this_one_has_run_for_the_monitor_time() -> None:
    policy = UpdatePolicy(monitor_seconds=4)
    bench = deployed(2, policy)
    update(bench, policy)
    bench.obey()
    assert touched(bench) == [1]
    assert bench.settle().wakes == {bench.service().id: bench.now + 4}
    bench.wait(3.9)
    bench.obey()
    assert touched(bench) == [1]
    bench.wait(0.1)
    bench.obey()
    assert touched(bench) == [1, 2]


def test_a_delay_passes_between_two_slots() -> None:
    policy = UpdatePolicy(monitor_seconds=1, delay_seconds=10)
    bench = deployed(2, policy)
    update(bench, policy)
    bench.obey()
    bench.wait(1)
    assert bench.settle().wakes == {bench.service().id: bench.now + 10}
    bench.wait(9.9)
    bench.obey()
    assert touched(bench) == [1]
    bench.wait(0.1)
    bench.obey()
    assert touched(bench) == [1, 2]


def test_an_update_is_completed_when_the_last_slot_was_watched() -> None:
    policy = UpdatePolicy(monitor_seconds=2)
    bench = deployed(1, policy)
    update(bench, policy)
    bench.obey()
    assert update_status(bench).state == UpdateState.UPDATING
    bench.wait(2)
    bench.obey()
    assert update_status(bench).state == UpdateState.COMPLETED
    assert update_status(bench).message == "update completed"
    assert update_status(bench).completed_at == bench.now


def test_stop_first_prepares_then_stops_then_starts() -> None:
    bench = deployed(1, QUICK)
    old = bench.newest()
    update(bench, QUICK)
    bench.settle()
    new = bench.newest()
    assert (new.desired_state, bench.state.tasks[old.id].desired_state) == (
        TaskState.READY,
        TaskState.RUNNING,
    )
    bench.report(new, TaskState.READY)
    bench.settle()
    assert bench.state.tasks[old.id].desired_state == TaskState.SHUTDOWN
    assert bench.newest().desired_state == TaskState.READY
    bench.report(bench.state.tasks[old.id], TaskState.SHUTDOWN)
    bench.settle()
    assert bench.newest().desired_state == TaskState.RUNNING


def test_start_first_stops_the_old_task_when_the_new_one_runs() -> None:
    policy = UpdatePolicy(monitor_seconds=0, order=UpdateOrder.START_FIRST)
    bench = deployed(1, policy)
    old = bench.newest()
    update(bench, policy)
    bench.settle()
    assert bench.newest().desired_state == TaskState.RUNNING
    bench.report(bench.newest(), TaskState.STARTING)
    bench.settle()
    assert bench.state.tasks[old.id].is_wanted
    bench.report(bench.newest(), TaskState.RUNNING)
    bench.settle()
    assert not bench.state.tasks[old.id].is_wanted


def test_a_slow_pull_never_lets_two_tasks_of_a_stop_first_slot_run() -> None:
    # The cap on waiting for an old task counts from when it was told to stop, not from when its
    # successor was created.
    bench = deployed(1, QUICK)
    update(bench, QUICK)
    bench.settle()
    bench.wait(600)
    bench.settle()
    assert bench.newest().desired_state == TaskState.READY
    assert [task.is_wanted for task in bench.tasks()] == [True, True]


def test_an_old_task_that_does_not_end_is_waited_for_a_minute() -> None:
    bench = deployed(1, QUICK)
    old = bench.newest()
    update(bench, QUICK)
    bench.settle()
    bench.report(bench.newest(), TaskState.READY)
    bench.settle()
    assert not bench.state.tasks[old.id].is_wanted
    bench.wait(59)
    bench.settle()
    assert bench.newest().desired_state == TaskState.READY
    bench.wait(1)
    bench.settle()
    assert bench.newest().desired_state == TaskState.RUNNING


def test_a_new_deploy_takes_over_from_a_running_update() -> None:
    bench = deployed(2, UpdatePolicy(monitor_seconds=50))
    update(bench, UpdatePolicy(monitor_seconds=50))
    bench.obey()
    update(bench, QUICK, image="app:3")
    bench.obey()
    assert [task.revision for task in bench.live()] == [3, 3]
    assert update_status(bench).state == UpdateState.COMPLETED


def test_a_new_leader_goes_on_where_the_old_one_was() -> None:
    # Nothing is remembered outside the state: a bench has no memory but the state anyway.
    policy = UpdatePolicy(monitor_seconds=3)
    bench = deployed(2, policy)
    update(bench, policy)
    bench.obey()
    bench.term = 2
    bench.wait(3)
    bench.obey()
    assert touched(bench) == [1, 2]
    assert update_status(bench).started_at < bench.now


def test_an_update_of_nothing_is_completed_at_once() -> None:
    bench = deployed(0, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    assert update_status(bench).state == UpdateState.COMPLETED


def test_slots_added_during_an_update_are_of_the_new_revision() -> None:
    bench = deployed(2, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    bench.submit(commands.ScaleService(service_id=bench.service().id, replicas=4, now=bench.now))
    bench.settle()
    assert [bench.newest(slot).revision for slot in (3, 4)] == [2, 2]


def test_a_clock_that_goes_back_starts_no_task_twice() -> None:
    # Slots are ordered by the log: with times of a slower clock the old task would look newer than
    # its successor, and every round would create another one.
    bench = deployed(2, QUICK)
    bench.wait(-120)
    update(bench, QUICK)
    bench.obey()
    assert [task.revision for task in bench.live()] == [2, 2]
    assert len(bench.tasks()) == 4


def test_start_first_makes_room_where_there_is_no_second_place() -> None:
    policy = UpdatePolicy(order=UpdateOrder.START_FIRST, monitor_seconds=0)
    whole = specs.Resources(nano_cpus=NANO)
    bench = Bench("n1", nano_cpus=NANO)
    bench.deploy(service_spec(update=policy, reservations=whole))
    bench.obey()
    bench.deploy(service_spec(image="app:2", update=policy, reservations=whole))
    bench.obey()
    assert [task.revision for task in bench.live()] == [2]


def test_another_order_in_the_middle_of_an_update_lets_no_tasks_wait_for_each_other() -> None:
    # The second revision waits for the first to end; the third is rejected and brings start-first.
    none = specs.RestartPolicy(condition=specs.RestartCondition.NONE)
    start_first = UpdatePolicy(
        order=UpdateOrder.START_FIRST, failure_action=FailureAction.CONTINUE, monitor_seconds=0
    )
    bench = Bench("n1")
    bench.deploy(service_spec(restart=none, update=QUICK))
    bench.obey()
    bench.deploy(service_spec(image="app:2", restart=none, update=QUICK))
    bench.settle()
    bench.deploy(service_spec(image="app:3", restart=none, update=start_first))
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.obey()
    assert [task.status.state for task in bench.live()] == [TaskState.RUNNING]


def test_a_task_that_never_had_a_node_makes_way_at_once() -> None:
    bench = Bench("n1", nano_cpus=NANO)
    huge = specs.Resources(nano_cpus=9 * NANO)
    bench.deploy(service_spec(reservations=huge))
    bench.settle()
    bench.deploy(service_spec(image="app:2", update=QUICK))
    bench.obey()
    assert [(task.revision, task.status.state) for task in bench.tasks()] == [
        (2, TaskState.RUNNING)
    ]


def test_a_global_service_is_updated_node_by_node() -> None:
    bench = Bench("n1", "n2", "n3")
    policy = UpdatePolicy(monitor_seconds=5)
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, update=policy))
    bench.obey()
    bench.deploy(service_spec(image="app:2", mode=specs.Mode.GLOBAL, update=policy))
    bench.obey()
    assert sorted(task.revision for task in bench.live()) == [1, 1, 2]
    for _ in range(3):
        bench.wait(5)
        bench.obey()
    assert [task.revision for task in bench.live()] == [2, 2, 2]


@pytest.mark.parametrize("away", ["down", "paused"])
def test_a_node_that_was_away_during_an_update_gets_the_new_revision_afterwards(away: str) -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, update=QUICK))
    bench.obey()
    if away == "down":
        bench.lose("n2")
    else:
        bench.change("n2", availability=Availability.PAUSE)
    bench.deploy(service_spec(image="app:2", mode=specs.Mode.GLOBAL, update=QUICK))
    bench.obey()
    assert update_status(bench).state == UpdateState.COMPLETED
    assert {task.node_id: task.revision for task in bench.live()} == {"n1": 2, "n2": 1}
    bench.see("n2")
    bench.change("n2", availability=Availability.ACTIVE)
    bench.obey()
    assert {task.node_id: task.revision for task in bench.live()} == {"n1": 2, "n2": 2}
