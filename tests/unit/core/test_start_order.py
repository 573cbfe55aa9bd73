"""A revision's tasks start when what their service depends on has come, not before."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.core.agenda import Agenda
from stackctl.core.rounds import Round
from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.specs import (
    Dependency,
    DependencyCondition,
    Mode,
    RestartCondition,
    RestartPolicy,
    UpdatePolicy,
)
from stackctl.model.task_state import TaskState
from stackctl.state import queries
from stackctl.state.events import Event, Kind
from tests.unit.core.bench import NANO, Bench, service_spec

STARTED, HEALTHY, COMPLETED = DependencyCondition
ONCE = RestartPolicy(condition=RestartCondition.NONE)


def _on(
    name: str = "shop_db",
    condition: DependencyCondition = STARTED,
    *,
    restart: bool = False,
    required: bool = True,
) -> tuple[Dependency, ...]:
    return (Dependency(service=name, condition=condition, restart=restart, required=required),)


def _held(bench: Bench, name: str = "shop_web") -> tuple[str, bool]:
    service = bench.service(name)
    return (service.held_reason, service.held_for_good)


def _work_until_prepared(bench: Bench) -> None:
    """Every node prepares its tasks; none is started."""
    bench.settle()
    for task in list(bench.state.tasks.values()):
        if task.status.state >= TaskState.ASSIGNED and not task.has_ended:
            bench.report(task, max(task.status.state, TaskState.READY))
    bench.settle()


def _report_all(bench: Bench, name: str, state: TaskState, *, error: str = "") -> None:
    for task in bench.live(name):
        bench.report(task, state, error=error)
    bench.settle()


def _wishes(bench: Bench, name: str = "shop_web") -> list[TaskState]:
    return [task.desired_state for task in bench.live(name)]


def test_tasks_are_prepared_and_say_what_they_wait_for() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec("shop_db"), service_spec(replicas=2, depends_on=_on()))
    _work_until_prepared(bench)
    assert _wishes(bench) == [TaskState.READY, TaskState.READY]
    views = queries.list_tasks(bench.state, service="shop_web")
    assert {view.error for view in views} == {"waiting for shop_db to start"}
    _report_all(bench, "shop_db", TaskState.STARTING)
    assert _wishes(bench) == [TaskState.RUNNING, TaskState.RUNNING]
    assert _held(bench) == ("", False)


def test_started_asks_for_one_task_and_healthy_for_all() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(
        service_spec("shop_db", replicas=2),
        service_spec("shop_early", depends_on=_on()),
        service_spec("shop_late", depends_on=_on(condition=HEALTHY)),
    )
    _work_until_prepared(bench)
    first, second = bench.live("shop_db")
    bench.report(first, TaskState.RUNNING)
    bench.settle()
    assert (_wishes(bench, "shop_early"), _wishes(bench, "shop_late")) == (
        [TaskState.RUNNING],
        [TaskState.READY],
    )
    bench.report(second, TaskState.STARTING)
    bench.settle()
    assert _wishes(bench, "shop_late") == [TaskState.READY]
    bench.report(second, TaskState.RUNNING)
    bench.settle()
    assert _wishes(bench, "shop_late") == [TaskState.RUNNING]


@pytest.mark.parametrize("mode", [Mode.REPLICATED_JOB, Mode.GLOBAL_JOB, Mode.REPLICATED])
def test_completed_asks_for_every_slot(mode: Mode) -> None:
    bench = Bench("n1", "n2")
    bench.deploy(
        service_spec("shop_db", mode=mode, replicas=2, restart=ONCE),
        service_spec(depends_on=_on(condition=COMPLETED)),
    )
    bench.obey()
    first, second = bench.live("shop_db")
    bench.report(first, TaskState.COMPLETE)
    bench.settle()
    assert _wishes(bench) == [TaskState.READY]
    bench.report(second, TaskState.COMPLETE)
    bench.settle()
    assert _wishes(bench) == [TaskState.RUNNING]


def test_who_has_started_stays_and_is_restarted_whatever_becomes_of_the_other() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=_on(condition=HEALTHY)))
    bench.obey()
    bench.deploy(service_spec("shop_db", replicas=0), service_spec(depends_on=_on()))
    bench.obey()
    bench.report(bench.live()[0], TaskState.FAILED, error="exit 1")
    bench.obey()
    assert [task.status.state for task in bench.live()] == [TaskState.RUNNING]
    assert [task.restarts for task in bench.live()] == [1]


def test_a_dependency_scaled_to_nothing_is_not_waited_for() -> None:
    bench = Bench("n1")
    bench.deploy(
        service_spec("shop_db", replicas=0), service_spec(depends_on=_on(condition=HEALTHY))
    )
    bench.obey()
    assert len(bench.live()) == 1
    assert bench.live()[0].status.state == TaskState.RUNNING


def test_an_optional_dependency_that_is_not_there_is_not_waited_for() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(depends_on=_on("shop_absent", required=False)))
    bench.obey()
    assert bench.live()[0].status.state == TaskState.RUNNING


@pytest.mark.parametrize("condition", list(DependencyCondition))
def test_a_dependency_that_failed_for_good_is_named_down_the_line(
    condition: DependencyCondition,
) -> None:
    bench = Bench("n1")
    bench.deploy(
        service_spec("shop_db", restart=ONCE),
        service_spec(depends_on=_on(condition=condition)),
        service_spec("shop_proxy", depends_on=_on("shop_web")),
    )
    _work_until_prepared(bench)
    bench.report(bench.live("shop_db")[0], TaskState.REJECTED, error="no such image")
    bench.settle()
    reason, for_good = _held(bench)
    assert for_good
    assert "shop_db.1 rejected: no such image; not restarted: restart condition is none" in reason
    reason, for_good = _held(bench, "shop_proxy")
    assert for_good
    assert "no such image" in reason
    assert queries.service_view(bench.state, bench.service()).is_blocked
    assert bench.settle().changes == ()


def test_a_deploy_takes_the_verdict_back_and_lets_it_be_judged_anew() -> None:
    bench = Bench("n1")
    web = service_spec(depends_on=_on(condition=COMPLETED))
    job: dict[str, Any] = {"mode": Mode.REPLICATED_JOB, "restart": ONCE}
    bench.deploy(service_spec("shop_db", **job), web)
    bench.obey()
    _report_all(bench, "shop_db", TaskState.FAILED, error="exit 1")
    assert _held(bench)[1]
    bench.deploy(service_spec("shop_db", **job), web)
    assert _held(bench) == ("", False)
    bench.settle()
    assert _held(bench)[1]
    bench.deploy(service_spec("shop_db", image="app:2", **job), web)
    bench.obey()
    _report_all(bench, "shop_db", TaskState.COMPLETE)
    assert _wishes(bench) == [TaskState.RUNNING]


def test_an_update_begins_when_that_of_the_dependency_has_come_and_old_tasks_run_on() -> None:
    bench = Bench("n1")
    quick = UpdatePolicy(monitor_seconds=0)
    db: dict[str, Any] = {"update": quick}
    web: dict[str, Any] = {"update": quick, "depends_on": _on(condition=HEALTHY)}
    bench.deploy(service_spec("shop_db", **db), service_spec(**web))
    bench.obey()
    bench.deploy(service_spec("shop_db", image="app:2", **db), service_spec(image="app:2", **web))
    bench.settle()
    assert [task.revision for task in bench.live()] == [1]
    view = queries.service_view(bench.state, bench.service())
    assert view.update is not None
    assert view.update.message == "waiting for shop_db to be healthy"
    # A crash meanwhile brings back what ran, and does not wait.
    bench.report(bench.live()[0], TaskState.FAILED, error="exit 1")
    bench.settle()
    assert [(task.revision, task.desired_state) for task in bench.live()] == [
        (1, TaskState.RUNNING)
    ]
    bench.obey()
    assert [task.revision for task in bench.live()] == [2]


def test_a_paused_update_of_the_dependency_holds_for_good() -> None:
    bench = Bench("n1")
    web = service_spec(depends_on=_on(condition=HEALTHY))
    bench.deploy(service_spec("shop_db"), web)
    bench.obey()
    bench.deploy(
        service_spec("shop_db", image="app:2", restart=ONCE),
        service_spec(image="app:2", depends_on=_on(condition=HEALTHY)),
    )
    bench.settle()
    newest = bench.newest(name="shop_db")
    bench.report(newest, TaskState.REJECTED, error="no such image")
    bench.settle()
    reason, for_good = _held(bench)
    assert for_good
    assert "update paused due to failure" in reason


def test_who_asked_for_it_is_restarted_and_so_is_who_depends_on_that_one() -> None:
    bench = Bench("n1")
    services = (
        service_spec(depends_on=_on(restart=True)),
        service_spec("shop_proxy", depends_on=_on("shop_web", restart=True)),
        service_spec("shop_other", depends_on=_on()),
    )
    bench.deploy(service_spec("shop_db"), *services)
    bench.obey()
    result = bench.deploy(service_spec("shop_db", image="app:2"), *services)
    causes = {change.name: change.cause for change in result.changes if change.kind == "service"}
    assert causes["shop_web"] == "restarted with shop_db"
    assert causes["shop_proxy"] == "restarted with shop_web"
    assert causes["shop_other"] == ""
    again = bench.deploy(service_spec("shop_db", image="app:2"), *services)
    assert {change.action for change in again.changes} == {"unchanged"}


def test_a_rollback_of_the_dependency_restarts_too() -> None:
    bench = Bench("n1")
    web = service_spec(depends_on=_on(restart=True))
    bench.deploy(service_spec("shop_db"), web)
    bench.obey()
    bench.deploy(service_spec("shop_db", image="app:2"), web)
    bench.obey()
    before = bench.service().revision
    bench.roll_back("shop_db")
    assert bench.service().revision == before + 1


def test_a_dependency_that_is_new_to_a_running_service_changes_nothing_now() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    bench.deploy(
        service_spec(depends_on=_on(condition=COMPLETED)),
        service_spec("shop_db", mode=Mode.REPLICATED_JOB, restart=ONCE),
    )
    bench.settle()
    bench.report(bench.live()[0], TaskState.FAILED, error="exit 1")
    bench.settle()
    assert _wishes(bench) == [TaskState.RUNNING]


def test_a_rollback_waits_for_nobody() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=_on(condition=HEALTHY)))
    bench.obey()
    bench.deploy(
        service_spec("shop_db", image="absent:1"),
        service_spec(image="app:2", depends_on=_on(condition=HEALTHY)),
    )
    bench.settle()
    bench.roll_back()
    bench.settle()
    assert not bench.service().is_held
    assert [task.revision for task in bench.live()] == [1]


def test_a_global_dependency_is_waited_for_on_every_eligible_node() -> None:
    bench = Bench("n1", "n2", "n3")
    bench.change("n3", availability=Availability.DRAIN)
    bench.deploy(
        service_spec("shop_db", mode=Mode.GLOBAL),
        service_spec(depends_on=_on(condition=HEALTHY)),
    )
    _work_until_prepared(bench)
    first, second = bench.live("shop_db")
    bench.report(first, TaskState.RUNNING)
    bench.settle()
    assert _wishes(bench) == [TaskState.READY]
    bench.report(second, TaskState.RUNNING)
    bench.settle()
    assert _wishes(bench) == [TaskState.RUNNING]


def test_only_who_waits_is_looked_at_when_something_happens_to_another() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=_on(condition=HEALTHY)))
    bench.settle()
    done = bench.round()
    assert done.holding == {bench.service().id}
    bench.obey()
    assert bench.settle().holding == frozenset()


def test_a_service_that_waits_is_due_whenever_another_one_changes() -> None:
    done = Round(
        changes=(),
        wakes={},
        draining=frozenset(),
        looked_at=frozenset({"web", "db"}),
        holding=frozenset({"web"}),
    )
    agenda = Agenda().after(done, now=0)
    assert not agenda.is_due
    agenda = agenda.with_events([Event(Kind.TASK, "t1", service_id="db")])
    assert agenda.services == {"db", "web"}
    nobody_waits = Round(
        changes=(), wakes={}, draining=frozenset(), looked_at=frozenset({"web", "db"})
    )
    agenda = agenda.after(nobody_waits, now=0)
    assert agenda.with_events([Event(Kind.TASK, "t1", service_id="db")]).services == {"db"}


@pytest.mark.parametrize(
    "fields",
    [
        {"reservations": specs.Resources(nano_cpus=NANO)},
        {"reservations": specs.Resources(memory_bytes=1)},
        {"ports": (specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST),)},
        {"placement": specs.Placement(exclude_services=("shop_other",))},
    ],
)
def test_what_would_keep_room_from_others_is_not_placed_before_its_turn(
    fields: dict[str, Any],
) -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=_on(), **fields))
    bench.settle()
    assert bench.places() == [""]
    bench.obey()
    assert bench.places() == ["n1"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_task_ever_starts_before_what_it_depends_on(data: st.DataObject) -> None:
    """Services in a line, random conditions and ends of tasks; rounds always come to rest."""
    bench = Bench("n1", "n2")
    count = data.draw(st.integers(2, 5))
    services: list[specs.ServiceSpec] = []
    for number in range(count):
        mode = data.draw(st.sampled_from((Mode.REPLICATED, Mode.REPLICATED_JOB, Mode.GLOBAL_JOB)))
        others = data.draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        depends_on = tuple(
            Dependency(
                service=f"shop_{other}", condition=data.draw(st.sampled_from(DependencyCondition))
            )
            for other in sorted(others)
        )
        services.append(
            service_spec(
                f"shop_{number}",
                mode=mode,
                replicas=data.draw(st.integers(0, 2)),
                restart=data.draw(st.sampled_from((ONCE, RestartPolicy()))),
                depends_on=depends_on,
            )
        )
    bench.deploy(*services)
    for _ in range(data.draw(st.integers(1, 10))):
        bench.work()
        live = [task for task in bench.state.tasks.values() if not task.has_ended]
        running = [task for task in live if task.status.state == TaskState.RUNNING]
        if data.draw(st.booleans()) and running:
            task = data.draw(st.sampled_from(sorted(running, key=lambda task: task.id)))
            end = data.draw(st.sampled_from((TaskState.COMPLETE, TaskState.FAILED)))
            bench.report(task, end, error="" if end == TaskState.COMPLETE else "exit 1")
        bench.wait(1)
        bench.settle()  # every entry is held to the invariants, this one among them
    for service in bench.state.services.values():
        assert bool(service.held_reason) == service.is_held
