"""Rolling updates and rollbacks: how many at a time, in which order, what a failure leads to."""

import pytest

from stackctl.model import objects, specs
from stackctl.model.objects import Availability, UpdateState
from stackctl.model.specs import FailureAction, UpdateOrder, UpdatePolicy
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NANO, Bench, service_spec, stack_spec

QUICK = UpdatePolicy(monitor_seconds=0)


def _deployed(replicas: int, policy: UpdatePolicy) -> Bench:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=replicas, update=policy))
    bench.obey()
    return bench


def _update(bench: Bench, policy: UpdatePolicy, *, image: str = "app:2") -> None:
    replicas = bench.service().spec.replicas
    bench.deploy(service_spec(image=image, replicas=replicas, update=policy))


def _status(bench: Bench) -> objects.UpdateStatus:
    status = bench.service().update_status
    assert status is not None
    return status


def _touched(bench: Bench) -> list[int]:
    """Slots that have a task of the current revision."""
    revision = bench.service().revision
    return sorted({task.slot for task in bench.tasks() if task.revision == revision})


def test_creating_a_service_is_no_update() -> None:
    bench = _deployed(2, QUICK)
    assert bench.service().update_status is None


@pytest.mark.parametrize(("parallelism", "at_once"), [(1, 1), (2, 2), (0, 5)])
def test_so_many_slots_change_at_a_time(parallelism: int, at_once: int) -> None:
    policy = UpdatePolicy(parallelism=parallelism)
    bench = _deployed(5, policy)
    _update(bench, policy)
    bench.settle()
    assert _touched(bench) == list(range(1, at_once + 1))


def test_the_next_slot_waits_until_this_one_has_run_for_the_monitor_time() -> None:
    policy = UpdatePolicy(monitor_seconds=4)
    bench = _deployed(2, policy)
    _update(bench, policy)
    bench.obey()
    assert _touched(bench) == [1]
    assert bench.settle().wakes == {bench.service().id: bench.now + 4}
    bench.wait(3.9)
    bench.obey()
    assert _touched(bench) == [1]
    bench.wait(0.1)
    bench.obey()
    assert _touched(bench) == [1, 2]


def test_a_delay_passes_between_two_slots() -> None:
    policy = UpdatePolicy(monitor_seconds=1, delay_seconds=10)
    bench = _deployed(2, policy)
    _update(bench, policy)
    bench.obey()
    bench.wait(1)
    assert bench.settle().wakes == {bench.service().id: bench.now + 10}
    bench.wait(9.9)
    bench.obey()
    assert _touched(bench) == [1]
    bench.wait(0.1)
    bench.obey()
    assert _touched(bench) == [1, 2]


def test_an_update_is_completed_when_the_last_slot_was_watched() -> None:
    policy = UpdatePolicy(monitor_seconds=2)
    bench = _deployed(1, policy)
    _update(bench, policy)
    bench.obey()
    assert _status(bench).state == UpdateState.UPDATING
    bench.wait(2)
    bench.obey()
    assert _status(bench).state == UpdateState.COMPLETED
    assert _status(bench).message == "update completed"
    assert _status(bench).completed_at == bench.now


def test_stop_first_prepares_then_stops_then_starts() -> None:
    bench = _deployed(1, QUICK)
    old = bench.newest()
    _update(bench, QUICK)
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
    bench = _deployed(1, policy)
    old = bench.newest()
    _update(bench, policy)
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
    bench = _deployed(1, QUICK)
    _update(bench, QUICK)
    bench.settle()
    bench.wait(600)
    bench.settle()
    assert bench.newest().desired_state == TaskState.READY
    assert [task.is_wanted for task in bench.tasks()] == [True, True]


def test_an_old_task_that_does_not_end_is_waited_for_a_minute() -> None:
    bench = _deployed(1, QUICK)
    old = bench.newest()
    _update(bench, QUICK)
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


def test_a_missing_image_never_stops_the_old_task() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.CONTINUE)
    bench = _deployed(1, policy)
    old = bench.newest()
    _update(bench, policy)
    for _ in range(4):
        bench.settle()
        newest = bench.newest()
        if not newest.has_ended and newest.id != old.id:
            bench.report(newest, TaskState.REJECTED, error="no image")
        bench.wait(0.3)
    assert bench.state.tasks[old.id].is_wanted


def test_a_failure_before_running_pauses_by_default() -> None:
    bench = _deployed(3, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    task = bench.newest(1)
    bench.report(task, TaskState.REJECTED, error="no image")
    bench.settle()
    assert _status(bench).state == UpdateState.PAUSED
    assert _status(bench).message == (
        f"update paused due to failure or early termination of task {task.id}"
    )
    bench.wait(300)
    bench.obey()
    assert _touched(bench) == [1]


@pytest.mark.parametrize(("after", "is_failure"), [(0.0, True), (4.9, True), (5.1, False)])
@pytest.mark.parametrize("end", [TaskState.FAILED, TaskState.COMPLETE])
def test_ending_within_the_monitor_time_is_a_failure(
    after: float, is_failure: bool, end: TaskState
) -> None:
    bench = _deployed(2, UpdatePolicy(monitor_seconds=5))
    _update(bench, UpdatePolicy(monitor_seconds=5))
    bench.obey()
    bench.wait(after)
    bench.report(bench.newest(1), end, error="boom")
    bench.settle()
    assert (_status(bench).state == UpdateState.PAUSED) is is_failure


@pytest.mark.parametrize(
    ("ratio", "failures"), [(0.0, 1), (0.24, 1), (0.25, 2), (0.5, 3), (0.99, 4)]
)
def test_the_action_is_taken_when_the_ratio_is_exceeded(ratio: float, failures: int) -> None:
    policy = UpdatePolicy(max_failure_ratio=ratio, monitor_seconds=0)
    bench = _deployed(4, policy)
    _update(bench, policy)
    counted = 0
    while _status(bench).state == UpdateState.UPDATING and counted < 5:
        bench.settle()
        fresh = [
            task for task in bench.live() if task.revision == 2 and not task.status.state > 192
        ]
        if not fresh:
            break
        counted += 1
        bench.report(fresh[-1], TaskState.REJECTED, error="no image")
        bench.settle()
    assert _status(bench).state == UpdateState.PAUSED
    assert len(_status(bench).failed_slots) == failures


def test_tolerated_failures_hold_up_no_other_slot() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.CONTINUE, monitor_seconds=0)
    bench = _deployed(3, policy)
    _update(bench, policy)
    bench.settle()
    for slot in (1, 2, 3):
        assert bench.newest(slot).revision == 2, f"slot {slot} was never tried"
        bench.report(bench.newest(slot), TaskState.REJECTED, error="no image")
        bench.settle()
    assert _status(bench).failed_slots == ("1", "2", "3")


def test_an_update_whose_failed_slots_are_given_up_is_completed() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.CONTINUE, monitor_seconds=0)
    restart = specs.RestartPolicy(condition=specs.RestartCondition.NONE)
    bench = Bench("n1")
    bench.deploy(service_spec(update=policy, restart=restart, replicas=2))
    bench.obey()
    bench.deploy(service_spec(image="app:2", update=policy, restart=restart, replicas=2))
    for slot in (1, 2):
        bench.settle()
        bench.report(bench.newest(slot), TaskState.REJECTED, error="no image")
    bench.settle()
    assert _status(bench).state == UpdateState.COMPLETED
    assert _status(bench).message == "update completed; 2 of 2 slots failed"
    assert len(bench.live()) == 2


def test_a_crash_of_an_untouched_slot_is_no_failure_of_the_update() -> None:
    bench = _deployed(2, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.settle()
    assert _status(bench).state == UpdateState.UPDATING


def test_a_paused_update_does_not_creep_on_through_restarts() -> None:
    bench = _deployed(2, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(1), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.obey()
    assert bench.newest(2).revision == 1


def test_in_a_paused_update_a_slots_old_task_is_restarted_as_it_was() -> None:
    # The new revision was rejected, the old task went on; then it crashes too.
    bench = _deployed(1, UpdatePolicy())
    old = bench.newest()
    _update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(old, TaskState.FAILED, error="boom")
    bench.obey()
    assert [task.revision for task in bench.live()] == [1]


def test_rollback_restores_the_previous_spec_and_touches_only_changed_slots() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    bench = _deployed(3, policy)
    before = {task.slot: task.id for task in bench.live()}
    _update(bench, policy)
    bench.obey()
    bench.report(bench.newest(1), TaskState.FAILED, error="boom")
    bench.obey()
    service = bench.service()
    assert _status(bench).state == UpdateState.ROLLBACK_STARTED
    assert "update rolled back due to failure" in _status(bench).message
    assert (service.spec.task.container.image, service.revision) == ("app:1", 1)
    assert service.previous_spec is None
    bench.wait(5)
    bench.obey()
    assert _status(bench).state == UpdateState.ROLLBACK_COMPLETED
    after = {task.slot: task.id for task in bench.live()}
    assert {slot for slot in after if after[slot] == before[slot]} == {2, 3}
    assert {task.revision for task in bench.live()} == {1}


def test_a_failed_task_is_not_tried_again_before_the_rollback() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    bench = _deployed(1, policy)
    _update(bench, policy)
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.settle()
    assert sum(1 for task in bench.tasks() if task.revision == 2) == 1


def test_a_rollback_uses_the_policy_of_the_spec_it_restores() -> None:
    update = UpdatePolicy(failure_action=FailureAction.ROLLBACK, parallelism=0, monitor_seconds=1)
    bench = Bench("n1")
    restored = UpdatePolicy(parallelism=1, monitor_seconds=30)
    bench.deploy(service_spec(replicas=3, update=update, rollback=restored))
    bench.obey()
    bench.deploy(service_spec(image="app:2", replicas=3, update=update))
    bench.obey()
    bench.report(bench.newest(1), TaskState.FAILED, error="boom")
    bench.obey()
    # Slot 1 failed and is filled at once; of the others one at a time.
    assert [bench.newest(slot).revision for slot in (1, 2, 3)] == [1, 2, 2]


def test_a_failing_rollback_pauses_and_is_never_rolled_back() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    bench = Bench("n1")
    bench.deploy(service_spec(update=policy, rollback=policy))
    bench.obey()
    bench.deploy(service_spec(image="app:2", update=policy, rollback=policy))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom too")
    bench.obey()
    assert _status(bench).state == UpdateState.ROLLBACK_PAUSED
    assert _status(bench).message.startswith("rollback paused due to failure")
    assert bench.service().revision == 1


def test_an_update_that_cannot_be_rolled_back_pauses_and_says_why() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    port = specs.PortSpec(target=80, published=8080)
    bench = Bench("n1")
    bench.deploy(service_spec(update=policy, ports=(port,)))
    bench.obey()
    bench.deploy(service_spec(image="app:2", update=policy))
    bench.obey()
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",), ports=(port,)), name="b"))
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.settle()
    assert _status(bench).state == UpdateState.PAUSED
    assert "it cannot be rolled back: port 8080/tcp of shop_web is already published by b_web" in (
        _status(bench).message
    )


def test_a_manual_rollback_during_an_update_goes_back_at_once() -> None:
    bench = _deployed(3, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    assert [task.revision for task in bench.live()] == [1, 1, 1]
    assert len(bench.tasks()) == 3


def test_a_new_deploy_takes_over_from_a_running_update() -> None:
    bench = _deployed(2, UpdatePolicy(monitor_seconds=50))
    _update(bench, UpdatePolicy(monitor_seconds=50))
    bench.obey()
    _update(bench, QUICK, image="app:3")
    bench.obey()
    assert [task.revision for task in bench.live()] == [3, 3]
    assert _status(bench).state == UpdateState.COMPLETED


def test_a_new_leader_goes_on_where_the_old_one_was() -> None:
    # Nothing is remembered outside the state: a bench has no memory but the state anyway.
    policy = UpdatePolicy(monitor_seconds=3)
    bench = _deployed(2, policy)
    _update(bench, policy)
    bench.obey()
    bench.term = 2
    bench.wait(3)
    bench.obey()
    assert _touched(bench) == [1, 2]
    assert _status(bench).started_at < bench.now


def test_an_update_of_nothing_is_completed_at_once() -> None:
    bench = _deployed(0, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    assert _status(bench).state == UpdateState.COMPLETED


def test_slots_added_during_an_update_are_of_the_new_revision() -> None:
    bench = _deployed(2, UpdatePolicy())
    _update(bench, UpdatePolicy())
    bench.settle()
    bench.submit(commands.ScaleService(service_id=bench.service().id, replicas=4, now=bench.now))
    bench.settle()
    assert [bench.newest(slot).revision for slot in (3, 4)] == [2, 2]


def test_a_clock_that_goes_back_starts_no_task_twice() -> None:
    # Slots are ordered by the log: with times of a slower clock the old task would look newer than
    # its successor, and every round would create another one.
    bench = _deployed(2, QUICK)
    bench.wait(-120)
    _update(bench, QUICK)
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
    assert _status(bench).state == UpdateState.COMPLETED
    assert {task.node_id: task.revision for task in bench.live()} == {"n1": 2, "n2": 1}
    bench.see("n2")
    bench.change("n2", availability=Availability.ACTIVE)
    bench.obey()
    assert {task.node_id: task.revision for task in bench.live()} == {"n1": 2, "n2": 2}
