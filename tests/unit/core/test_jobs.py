"""Jobs run until enough tasks have completed, once for each revision."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.model import objects, specs
from stackctl.model.objects import Availability
from stackctl.model.specs import Mode, RestartCondition, RestartPolicy
from stackctl.model.task_state import TaskState
from stackctl.state import queries
from tests.unit.core.bench import Bench, service_spec, stack_spec

NAME = "shop_load"


def _job(
    *,
    image: str = "app:1",
    mode: Mode = Mode.REPLICATED_JOB,
    restart: RestartPolicy | None = None,
    **fields: Any,
) -> specs.ServiceSpec:
    return service_spec(NAME, image=image, restart=restart, mode=mode, **fields)


def _end(bench: Bench, state: TaskState = TaskState.COMPLETE, *, number: int = 1) -> None:
    """So many of the running tasks end."""
    running = [task for task in bench.live(NAME) if task.status.state == TaskState.RUNNING]
    for task in running[:number]:
        bench.report(task, state, error="" if state == TaskState.COMPLETE else "exit 1")
    bench.obey()


def _view(bench: Bench) -> tuple[int, int, int, int]:
    view = queries.service_view(bench.state, bench.service(NAME))
    return (view.running, view.desired, view.completed, view.completions)


def _slots(bench: Bench) -> list[int]:
    return [task.slot for task in bench.live(NAME)]


def test_so_many_run_at_a_time_until_all_have_completed() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_job(replicas=3, max_concurrent=2))
    bench.obey()
    assert _view(bench) == (2, 2, 0, 3)
    _end(bench)
    assert (_view(bench), _slots(bench)) == ((2, 2, 1, 3), [2, 3])
    _end(bench, number=2)
    assert (_view(bench), _slots(bench)) == ((0, 2, 3, 3), [])
    assert bench.settle().changes == ()


def test_tasks_of_a_job_are_desired_to_complete() -> None:
    bench = Bench("n1")
    bench.deploy(_job())
    bench.obey()
    assert [task.desired_state for task in bench.live(NAME)] == [TaskState.COMPLETE]


def test_an_unchanged_deploy_runs_nothing_again_and_a_forced_one_does() -> None:
    bench = Bench("n1")
    spec = _job(replicas=2)
    bench.deploy(spec)
    bench.obey()
    _end(bench, number=2)
    bench.deploy(spec)
    assert bench.settle().changes == ()
    result = bench.put(stack_spec(spec), rerun=True)
    assert [change.cause for change in result.changes if change.kind == "service"] == [
        "asked to run again"
    ]
    bench.obey()
    assert _view(bench) == (2, 2, 0, 2)
    bench.deploy(spec)
    assert _view(bench) == (2, 2, 0, 2)


def test_a_forced_deploy_leaves_services_that_are_no_jobs_alone() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    bench.put(stack_spec(service_spec()), rerun=True)
    assert bench.service().revision == 1


def test_a_new_run_waits_for_what_is_left_of_the_former_one() -> None:
    bench = Bench("n1")
    bench.deploy(_job(replicas=2, max_concurrent=1))
    bench.obey()
    _end(bench)
    assert _slots(bench) == [2]
    bench.deploy(_job(replicas=2, max_concurrent=1, image="app:2"))
    bench.settle()
    former = next(task for task in bench.tasks(NAME) if task.revision == 1 and not task.has_ended)
    assert not former.is_wanted
    # Slot 2 is occupied, and one task may run at a time: the new run begins there.
    assert [(task.slot, task.desired_state) for task in bench.live(NAME)] == [(2, TaskState.READY)]
    bench.obey()
    assert [(task.slot, task.revision) for task in bench.live(NAME)] == [(2, 2)]
    _end(bench)
    assert _slots(bench) == [1]


def test_a_run_with_fewer_slots_forgets_the_others() -> None:
    bench = Bench("n1")
    bench.deploy(_job(replicas=3))
    bench.obey()
    _end(bench, number=3)
    bench.deploy(_job(replicas=1, image="app:2"))
    bench.obey()
    assert {task.slot for task in bench.tasks(NAME)} == {1}
    assert bench.settle().changes == ()


def test_any_means_on_failure() -> None:
    bench = Bench("n1")
    bench.deploy(_job(restart=RestartPolicy(condition=RestartCondition.ANY)))
    bench.obey()
    _end(bench, TaskState.FAILED)
    assert [task.restarts for task in bench.live(NAME)] == [1]
    _end(bench)
    assert _slots(bench) == []


def test_a_slot_that_is_not_tried_again_makes_room_for_the_next() -> None:
    bench = Bench("n1")
    bench.deploy(
        _job(replicas=2, max_concurrent=1, restart=RestartPolicy(condition=RestartCondition.NONE))
    )
    bench.obey()
    _end(bench, TaskState.FAILED)
    assert _slots(bench) == [2]
    _end(bench)
    assert _view(bench) == (0, 1, 1, 2)
    assert bench.settle().changes == ()


def test_a_lost_node_is_no_failure_of_its_task() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_job(restart=RestartPolicy(condition=RestartCondition.NONE)))
    bench.obey()
    lost = bench.live(NAME)[0]
    bench.lose(lost.node_id)
    bench.obey()
    ours = [task for task in bench.live(NAME) if task.id != lost.id]
    assert [(task.slot, task.restarts, task.status.state) for task in ours] == [
        (1, 0, TaskState.RUNNING)
    ]


def test_a_completed_task_outlives_its_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_job())
    bench.obey()
    done_on = bench.live(NAME)[0].node_id
    _end(bench)
    bench.lose(done_on)
    bench.obey()
    assert (_slots(bench), _view(bench)) == ([], (0, 1, 1, 1))


def test_more_completions_run_what_is_missing_and_fewer_forget_the_last() -> None:
    bench = Bench("n1")
    bench.deploy(_job(replicas=2))
    bench.obey()
    _end(bench, number=2)
    bench.deploy(_job(replicas=3))
    bench.obey()
    assert _slots(bench) == [3]
    bench.deploy(_job(replicas=1))
    bench.obey()
    assert [(task.slot, task.status.state) for task in bench.tasks(NAME)] == [
        (1, TaskState.COMPLETE)
    ]


def test_a_global_job_runs_once_on_each_node_also_on_one_that_joins_later() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_job(mode=Mode.GLOBAL_JOB))
    bench.obey()
    assert bench.places(NAME) == ["n1", "n2"]
    _end(bench, number=2)
    bench.add_node("n3")
    bench.obey()
    assert bench.places(NAME) == ["n3"]
    _end(bench)
    assert _view(bench) == (0, 3, 3, 3)
    assert bench.settle().changes == ()


def test_a_node_that_was_drained_after_its_part_does_it_no_second_time() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_job(mode=Mode.GLOBAL_JOB))
    bench.obey()
    _end(bench, number=2)
    bench.change("n1", availability=Availability.DRAIN)
    bench.obey()
    bench.change("n1", availability=Availability.ACTIVE)
    bench.obey()
    assert _slots(bench) == []


def test_a_job_is_rolled_back_to_a_run_of_its_own() -> None:
    bench = Bench("n1")
    bench.deploy(_job())
    bench.obey()
    _end(bench)
    bench.deploy(_job(image="app:2"))
    bench.obey()
    _end(bench)
    bench.roll_back(NAME)
    bench.obey()
    assert bench.service(NAME).spec.task.container.image == "app:1"
    assert [task.revision for task in bench.live(NAME)] == [3]
    assert bench.service(NAME).update_status is None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_never_more_than_asked_run_and_each_slot_completes_once(data: st.DataObject) -> None:
    nodes = ("n1", "n2", "n3")
    bench = Bench(*nodes)
    replicas, limit = data.draw(st.integers(1, 5)), data.draw(st.integers(0, 4))
    policy = RestartPolicy(attempts_max=data.draw(st.integers(0, 2)))
    bench.deploy(_job(replicas=replicas, max_concurrent=limit, restart=policy))
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(("complete", "fail", "lose", "return", "wait", "work"))):
            case "complete":
                _end(bench)
            case "fail":
                _end(bench, TaskState.FAILED)
            case "lose":
                bench.lose(data.draw(st.sampled_from(nodes)))
            case "return":
                bench.see(data.draw(st.sampled_from(nodes)))
            case "wait":
                bench.wait(data.draw(st.sampled_from((0.5, 6.0))))
            case "work":
                bench.obey()
        bench.settle()
        _check_bounds(bench, limit or replicas)
    for node in nodes:
        bench.see(node)
    for _ in range(4 * replicas + 8):
        bench.wait(6)
        bench.obey()
        _end(bench)
    slots = {task.slot for task in bench.tasks(NAME)}
    assert slots == set(range(1, replicas + 1))
    assert not bench.live(NAME)
    assert bench.settle().changes == ()


def _check_bounds(bench: Bench, limit: int) -> None:
    running = {
        task.slot
        for task in bench.live(NAME)
        if bench.state.nodes.get(task.node_id, _GONE).state != objects.NodeState.DOWN
    }
    assert len(running) <= limit
    completed: dict[int, int] = {}
    for task in bench.tasks(NAME):
        completed[task.slot] = completed.get(task.slot, 0) + task.has_completed
    assert all(count <= 1 for count in completed.values())


_GONE = objects.Node(
    id="",
    role=objects.NodeRole.WORKER,
    description=objects.NodeDescription(hostname="", nano_cpus=0, memory_bytes=0),
)
