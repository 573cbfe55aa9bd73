"""Failing updates and rollbacks: what counts as a failure, and what it leads to."""

import pytest

from stackctl.model import specs
from stackctl.model.objects import UpdateState
from stackctl.model.specs import FailureAction, UpdatePolicy
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import Bench, service_spec, stack_spec
from tests.unit.core.updates import deployed, touched, update, update_status


def test_a_missing_image_never_stops_the_old_task() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.CONTINUE)
    bench = deployed(1, policy)
    old = bench.newest()
    update(bench, policy)
    for _ in range(4):
        bench.settle()
        newest = bench.newest()
        if not newest.has_ended and newest.id != old.id:
            bench.report(newest, TaskState.REJECTED, error="no image")
        bench.wait(0.3)
    assert bench.state.tasks[old.id].is_wanted


def test_a_failure_before_running_pauses_by_default() -> None:
    bench = deployed(3, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    task = bench.newest(1)
    bench.report(task, TaskState.REJECTED, error="no image")
    bench.settle()
    assert update_status(bench).state == UpdateState.PAUSED
    assert update_status(bench).message == (
        f"update paused due to failure or early termination of task {task.id}"
    )
    bench.wait(300)
    bench.obey()
    assert touched(bench) == [1]


@pytest.mark.parametrize(("after", "is_failure"), [(0.0, True), (4.9, True), (5.1, False)])
@pytest.mark.parametrize("end", [TaskState.FAILED, TaskState.COMPLETE])
def test_ending_within_the_monitor_time_is_a_failure(
    after: float, is_failure: bool, end: TaskState
) -> None:
    bench = deployed(2, UpdatePolicy(monitor_seconds=5))
    update(bench, UpdatePolicy(monitor_seconds=5))
    bench.obey()
    bench.wait(after)
    bench.report(bench.newest(1), end, error="boom")
    bench.settle()
    assert (update_status(bench).state == UpdateState.PAUSED) is is_failure


def test_a_restart_of_an_engine_fails_no_update() -> None:
    """An update under way was rolled back because its node's engine was upgraded."""
    policy = UpdatePolicy(monitor_seconds=5, failure_action=FailureAction.ROLLBACK)
    bench = deployed(2, policy)
    update(bench, policy)
    bench.obey()
    bench.report(bench.newest(1), TaskState.FAILED, error="stopped", counts_as_lost=True)
    for _ in range(3):
        bench.obey()
        bench.wait(5.1)
    assert update_status(bench).state == UpdateState.COMPLETED
    assert {task.revision for task in bench.live()} == {2}


@pytest.mark.parametrize(
    ("ratio", "failures"), [(0.0, 1), (0.24, 1), (0.25, 2), (0.5, 3), (0.99, 4)]
)
def test_the_action_is_taken_when_the_ratio_is_exceeded(ratio: float, failures: int) -> None:
    policy = UpdatePolicy(max_failure_ratio=ratio, monitor_seconds=0)
    bench = deployed(4, policy)
    update(bench, policy)
    counted = 0
    while update_status(bench).state == UpdateState.UPDATING and counted < 5:
        bench.settle()
        fresh = [
            task for task in bench.live() if task.revision == 2 and not task.status.state > 192
        ]
        if not fresh:
            break
        counted += 1
        bench.report(fresh[-1], TaskState.REJECTED, error="no image")
        bench.settle()
    assert update_status(bench).state == UpdateState.PAUSED
    assert len(update_status(bench).failed_slots) == failures


def test_tolerated_failures_hold_up_no_other_slot() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.CONTINUE, monitor_seconds=0)
    bench = deployed(3, policy)
    update(bench, policy)
    bench.settle()
    for slot in (1, 2, 3):
        assert bench.newest(slot).revision == 2, f"slot {slot} was never tried"
        bench.report(bench.newest(slot), TaskState.REJECTED, error="no image")
        bench.settle()
    assert update_status(bench).failed_slots == ("1", "2", "3")


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
    assert update_status(bench).state == UpdateState.COMPLETED
    assert update_status(bench).message == "update completed; 2 of 2 slots failed"
    assert len(bench.live()) == 2


def test_a_crash_of_an_untouched_slot_is_no_failure_of_the_update() -> None:
    bench = deployed(2, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.settle()
    assert update_status(bench).state == UpdateState.UPDATING


def test_a_paused_update_does_not_creep_on_through_restarts() -> None:
    bench = deployed(2, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(1), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(bench.newest(2), TaskState.FAILED, error="boom")
    bench.obey()
    assert bench.newest(2).revision == 1


def test_in_a_paused_update_a_slots_old_task_is_restarted_as_it_was() -> None:
    # The new revision was rejected, the old task went on; then it crashes too.
    bench = deployed(1, UpdatePolicy())
    old = bench.newest()
    update(bench, UpdatePolicy())
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(old, TaskState.FAILED, error="boom")
    bench.obey()
    assert [task.revision for task in bench.live()] == [1]


def test_rollback_restores_the_previous_spec_and_touches_only_changed_slots() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    bench = deployed(3, policy)
    before = {task.slot: task.id for task in bench.live()}
    update(bench, policy)
    bench.obey()
    bench.report(bench.newest(1), TaskState.FAILED, error="boom")
    bench.obey()
    service = bench.service()
    assert update_status(bench).state == UpdateState.ROLLBACK_STARTED
    assert "update rolled back due to failure" in update_status(bench).message
    assert (service.spec.task.container.image, service.revision) == ("app:1", 1)
    assert service.previous_spec is None
    bench.wait(5)
    bench.obey()
    assert update_status(bench).state == UpdateState.ROLLBACK_COMPLETED
    after = {task.slot: task.id for task in bench.live()}
    assert {slot for slot in after if after[slot] == before[slot]} == {2, 3}
    assert {task.revision for task in bench.live()} == {1}


def test_a_failed_task_is_not_tried_again_before_the_rollback() -> None:
    policy = UpdatePolicy(failure_action=FailureAction.ROLLBACK)
    bench = deployed(1, policy)
    update(bench, policy)
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
    assert update_status(bench).state == UpdateState.ROLLBACK_PAUSED
    assert update_status(bench).message.startswith("rollback paused due to failure")
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
    assert update_status(bench).state == UpdateState.PAUSED
    assert "it cannot be rolled back: port 8080/tcp of shop_web is already published by b_web" in (
        update_status(bench).message
    )


def test_a_manual_rollback_during_an_update_goes_back_at_once() -> None:
    bench = deployed(3, UpdatePolicy())
    update(bench, UpdatePolicy())
    bench.settle()
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    assert [task.revision for task in bench.live()] == [1, 1, 1]
    assert len(bench.tasks()) == 3


def test_a_task_that_was_lost_with_its_node_is_no_failure_of_the_update() -> None:
    policy = UpdatePolicy(monitor_seconds=60)
    bench = deployed(1, policy)
    update(bench, policy)
    bench.obey()
    lost = bench.newest()
    bench.lose(lost.node_id)
    bench.settle()
    bench.see(lost.node_id)
    bench.report(lost, TaskState.FAILED, error="task: non-zero exit (255)")
    bench.obey()
    assert update_status(bench).state == UpdateState.UPDATING


def test_an_update_does_not_wait_for_a_slot_that_is_given_up() -> None:
    """Its task went with its node and must not run twice: the update stood still for ever."""
    restart = specs.RestartPolicy(replaces_lost=False)
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2, restart=restart))
    bench.obey()
    bench.deploy(service_spec(replicas=2, image="app:2", restart=restart))
    for _ in range(4):
        bench.obey()
        bench.wait(2)
    node_id = bench.newest(1).node_id
    bench.lose(node_id)
    bench.submit(commands.RemoveNode(node_id=node_id, force=True, now=bench.now))
    for _ in range(4):
        bench.obey()
        bench.wait(10)
    status = bench.service().update_status
    assert status is not None
    assert status.state == UpdateState.COMPLETED
    assert bench.newest(1).status.state == TaskState.ORPHANED
