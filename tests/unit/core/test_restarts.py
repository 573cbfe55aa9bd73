"""Which ended tasks are followed by another one, and when."""

import pytest

from stackctl.core.orchestration import restarts
from stackctl.core.orchestration.restarts import Restart, Spent
from stackctl.core.orchestration.slots import Slot, slots_of
from stackctl.model import objects, specs
from stackctl.model.specs import RestartCondition, RestartPolicy
from stackctl.model.task_state import TaskState
from tests.unit.core.bench import Bench, service_spec


def _decide(slot: Slot, policy: RestartPolicy, *, now: float) -> Restart | Spent:
    return restarts.decide_restart(slot, policy, last=slot.last_ended, now=now)


def _slot(
    *ends: tuple[float, float], state: TaskState = TaskState.FAILED, revision: int = 1
) -> Slot:
    """A slot of tasks that were created and ended at these times."""
    tasks = [
        objects.Task(
            id=str(number),
            service_id="s",
            slot=1,
            revision=revision,
            created_at=created_at,
            running_at=created_at,
            created_version=100 * revision + number,
            version=100 * revision + number,
            status=objects.TaskStatus(state=state, at=ended_at, error="boom"),
        )
        for number, (created_at, ended_at) in enumerate(ends)
    ]
    return slots_of(tasks)[1]


@pytest.mark.parametrize(
    ("condition", "state", "is_followed"),
    [
        (RestartCondition.ANY, TaskState.COMPLETE, True),
        (RestartCondition.ANY, TaskState.FAILED, True),
        (RestartCondition.ON_FAILURE, TaskState.COMPLETE, False),
        (RestartCondition.ON_FAILURE, TaskState.FAILED, True),
        (RestartCondition.ON_FAILURE, TaskState.REJECTED, True),
        (RestartCondition.NONE, TaskState.COMPLETE, False),
        (RestartCondition.NONE, TaskState.FAILED, False),
        (RestartCondition.NONE, TaskState.REJECTED, False),
    ],
)
def test_the_condition_says_which_ends_are_followed(
    condition: RestartCondition, state: TaskState, is_followed: bool
) -> None:
    verdict = _decide(_slot((0, 1), state=state), RestartPolicy(condition=condition), now=2)
    assert isinstance(verdict, Restart) is is_followed


@pytest.mark.parametrize("attempts", [1, 2, 3, 8])
def test_so_many_attempts_are_that_many_restarts(attempts: int) -> None:
    policy = RestartPolicy(attempts_max=attempts)
    runs = [(float(number), number + 0.5) for number in range(attempts + 1)]
    for number in range(1, attempts + 1):
        assert isinstance(_decide(_slot(*runs[:number]), policy, now=99), Restart)
    verdict = _decide(_slot(*runs), policy, now=99)
    assert verdict == Spent(f"restarted {attempts} times, the maximum")


def test_restarts_of_another_revision_do_not_count() -> None:
    old = _slot((0, 1), (2, 3), (4, 5)).tasks
    new = _slot((6, 7), revision=2).tasks[0]
    slot = slots_of([*old, new])[1]
    policy = RestartPolicy(attempts_max=1)
    assert isinstance(_decide(slot, policy, now=9), Restart)


def test_only_restarts_within_the_window_count() -> None:
    policy = RestartPolicy(attempts_max=2, window_seconds=10)
    quick = _slot((0, 1), (2, 3), (4, 5))
    slow = _slot((0, 1), (2, 30), (31, 32))
    assert isinstance(_decide(quick, policy, now=99), Spent)
    assert isinstance(_decide(slow, policy, now=99), Restart)


def test_lost_tasks_do_not_count_as_attempts() -> None:
    lost = [
        objects.Task(
            id=f"lost{number}",
            service_id="s",
            slot=1,
            revision=1,
            status=objects.TaskStatus(state=TaskState.ORPHANED, at=number),
        )
        for number in range(5)
    ]
    slot = slots_of([*lost, *_slot((10, 11)).tasks])[1]
    assert isinstance(_decide(slot, RestartPolicy(attempts_max=1), now=99), Restart)


def test_a_task_that_failed_because_its_node_lost_power_is_no_attempt() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(restart=RestartPolicy(attempts_max=1)))
    bench.obey()
    lost = bench.newest()
    bench.lose("n1")
    bench.obey()
    bench.see("n1")
    bench.report(lost, TaskState.FAILED, error="task: non-zero exit (255)")
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    assert [task.status.state for task in bench.live()] == [TaskState.RUNNING]


@pytest.mark.parametrize("condition", list(RestartCondition))
def test_a_task_that_its_engine_stopped_is_followed_whatever_the_condition(
    condition: RestartCondition,
) -> None:
    """It ended with 143 when its engine was upgraded, and with `none` nothing followed it."""
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(condition=condition, attempts_max=1)))
    bench.obey()
    for _ in range(3):
        bench.report(bench.newest(), TaskState.FAILED, error="stopped", counts_as_lost=True)
        bench.obey()
    assert [task.status.state for task in bench.live()] == [TaskState.RUNNING]
    assert (bench.newest().cause, bench.newest().restarts) == ("failed: stopped", 0)


def test_a_stopped_task_is_followed_though_an_attempt_to_replace_it_is_spent() -> None:
    bench = Bench("n1")
    start_first = specs.UpdatePolicy(
        order=specs.UpdateOrder.START_FIRST, failure_action=specs.FailureAction.CONTINUE
    )
    policy = RestartPolicy(condition=RestartCondition.NONE)
    bench.deploy(service_spec(restart=policy, update=start_first))
    bench.obey()
    old = bench.newest()
    bench.deploy(service_spec(image="app:2", restart=policy, update=start_first))
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(old, TaskState.FAILED, error="stopped", counts_as_lost=True)
    bench.obey()
    assert [task.status.state for task in bench.live()] == [TaskState.RUNNING]


def test_without_a_stated_delay_pauses_grow_from_nothing_to_five_seconds() -> None:
    assert [restarts.backoff_seconds(number) for number in range(9)] == [
        0,
        0,
        0.5,
        1,
        2,
        4,
        5,
        5,
        5,
    ]


def test_a_task_that_ran_for_a_while_starts_the_pauses_anew() -> None:
    failing = _slot((0, 1), (1, 2), (2, 3))
    healthy = _slot((0, 1), (1, 2), (2, 20))
    policy = RestartPolicy()
    after_failing = _decide(failing, policy, now=99)
    after_healthy = _decide(healthy, policy, now=99)
    assert isinstance(after_failing, Restart)
    assert isinstance(after_healthy, Restart)
    assert after_failing.at == 4
    assert after_healthy.at == 20


@pytest.mark.parametrize("delay", [0.0, 0.25, 7.0])
def test_a_stated_delay_is_obeyed_exactly_each_time(delay: float) -> None:
    policy = RestartPolicy(delay_seconds=delay)
    for runs in ([(0.0, 1.0)], [(0.0, 1.0), (2.0, 3.0)], [(0.0, 1.0), (2.0, 3.0), (4.0, 5.0)]):
        verdict = _decide(_slot(*runs), policy, now=99)
        assert isinstance(verdict, Restart)
        assert verdict.at == runs[-1][1] + delay


def test_nothing_has_ended_later_than_now() -> None:
    # The manager that stamped the report has a faster clock than the leader.
    verdict = _decide(_slot((0, 500)), RestartPolicy(), now=100)
    assert isinstance(verdict, Restart)
    assert verdict.at == 100


def test_a_task_that_is_rejected_ahead_of_its_time_is_not_followed_before_it() -> None:
    # Otherwise tasks without an image follow each other as fast as engines refuse them.
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(delay_seconds=5)))
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.wait(0.2)
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    done = bench.settle()
    assert len(bench.tasks()) == 2
    assert done.wakes == {bench.service().id: 1005.0}
    bench.now = 1005.0
    bench.settle()
    assert len(bench.tasks()) == 3
    assert bench.newest().start_after == 1010.0


def test_a_restarted_task_is_prepared_during_its_delay() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(delay_seconds=5)))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    done = bench.settle()
    assert bench.newest().desired_state == TaskState.READY
    assert bench.newest().status.state == TaskState.ASSIGNED
    assert done.wakes == {bench.service().id: 1005.0}
    bench.now = 1004.9
    bench.obey()
    assert bench.newest().status.state == TaskState.READY
    bench.now = 1005.0
    bench.obey()
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_spent_slot_says_which_rule_it_is() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(condition=RestartCondition.NONE)))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    assert bench.live() == []
    assert bench.newest().end_cause == "failed: boom; not restarted: restart condition is none"


def test_a_spent_slot_still_counts_as_one_of_the_services() -> None:
    bench = Bench("n1")
    none = RestartPolicy(condition=RestartCondition.NONE)
    bench.deploy(service_spec(restart=none, replicas=2))
    bench.obey()
    bench.report(bench.newest(2), TaskState.COMPLETE)
    bench.obey()
    assert len(bench.tasks()) == 2
    bench.deploy(service_spec(restart=none, replicas=3))
    bench.obey()
    assert [task.slot for task in bench.live()] == [1, 3]


def test_another_policy_revives_a_spent_slot() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(condition=RestartCondition.NONE)))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    bench.deploy(service_spec())
    bench.obey()
    assert len(bench.live()) == 1


def test_restart_policies_do_not_keep_lost_tasks_from_being_replaced() -> None:
    bench = Bench("n1", "n2")
    none = RestartPolicy(condition=RestartCondition.NONE, delay_seconds=60)
    bench.deploy(service_spec(restart=none))
    bench.obey()
    bench.lose("n1")
    bench.obey()
    assert bench.places() == ["n2"]
    assert bench.live()[0].status.state == TaskState.RUNNING


def test_a_new_revision_does_not_wait_for_the_pauses_of_the_failing_one() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(restart=RestartPolicy(delay_seconds=60)))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.settle()
    bench.report(bench.newest(), TaskState.REJECTED, error="boom")
    bench.settle()
    bench.deploy(service_spec(image="app:2", restart=specs.RestartPolicy(delay_seconds=60)))
    bench.obey()
    assert [(task.revision, task.status.state) for task in bench.live()] == [(2, TaskState.RUNNING)]
