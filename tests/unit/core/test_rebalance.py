"""Rebalancing: tasks go where the scheduler would place them now, one at a time, and then rest."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stackctl.core.scheduling.rebalance import Wish, plan_for
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import Bench, service_spec

QUICK = specs.UpdatePolicy(monitor_seconds=5)
AUTO = specs.Placement(rebalance=specs.Rebalance.AUTO)


def _with_mounts(spec: specs.ServiceSpec, *mounts: specs.Mount) -> specs.ServiceSpec:
    container = replace(spec.task.container, mounts=mounts)
    return replace(spec, task=replace(spec.task, container=container))


def _lopsided(*services: specs.ServiceSpec) -> Bench:
    """The services on n1 and n2; n3 came later."""
    bench = Bench("n1", "n2")
    bench.deploy(*services)
    bench.obey()
    bench.add_node("n3")
    bench.obey()
    bench.wait(60)
    return bench


def _rebalance(bench: Bench, *, moves_max: int = 100, stateful: bool = False) -> None:
    bench.submit(commands.Rebalance(moves_max=moves_max, allows_stateful=stateful, now=bench.now))


def _run(bench: Bench) -> objects.Rebalancing:
    assert bench.state.cluster is not None
    assert bench.state.cluster.rebalancing is not None
    return bench.state.cluster.rebalancing


def _finish(bench: Bench) -> list[str]:
    """Lets everything happen, monitor times included; the causes of the moves in their order."""
    for _ in range(40):
        bench.obey()
        if _run(bench).ended_at:
            break
        bench.wait(5)
    moved = [task for task in bench.state.tasks.values() if task.meant_for]
    return [task.cause for task in sorted(moved, key=lambda task: task.created_version)]


def test_nothing_moves_unless_it_is_asked_for() -> None:
    bench = _lopsided(service_spec(replicas=6))
    assert Counter(bench.places()) == {"n1": 3, "n2": 3}


def test_asked_for_tasks_move_until_it_is_even() -> None:
    bench = _lopsided(service_spec(replicas=6))
    _rebalance(bench)
    causes = _finish(bench)
    assert Counter(bench.places()) == {"n1": 2, "n2": 2, "n3": 2}
    assert causes[0] == "rebalanced: node n3 has 0 of the service's tasks, n2 3"
    assert len(causes) == 2


def test_one_task_moves_at_a_time_and_starts_before_the_old_one_ends() -> None:
    bench = _lopsided(service_spec(replicas=6, update=QUICK))
    _rebalance(bench)
    bench.settle()
    assert len(bench.live()) == 7
    mover = next(task for task in bench.live() if task.meant_for)
    assert mover.node_id == "n3"
    old = next(task for task in bench.live() if task.slot == mover.slot and not task.meant_for)
    for state in (TaskState.READY, TaskState.RUNNING):
        assert bench.state.tasks[old.id].desired_state == TaskState.RUNNING
        bench.report(mover, state)
        bench.settle()
    assert bench.state.tasks[old.id].desired_state == TaskState.SHUTDOWN
    bench.obey()
    assert sum(1 for task in bench.tasks() if task.meant_for) == 1
    bench.wait(QUICK.monitor_seconds)
    bench.settle()
    assert sum(1 for task in bench.tasks() if task.meant_for) == 2


def test_a_move_that_fails_ends_the_rebalancing_and_the_old_task_goes_on() -> None:
    bench = _lopsided(service_spec(replicas=6))
    _rebalance(bench)
    bench.settle()
    mover = next(task for task in bench.live() if task.meant_for)
    bench.report(mover, TaskState.FAILED, error="boom")
    bench.obey()
    assert _run(bench).ended_at
    assert _run(bench).failure == f"shop_web.{mover.slot} did not come up on n3: boom"
    assert bench.state.cluster is not None
    assert bench.state.cluster.move is None
    assert Counter(bench.places()) == {"n1": 3, "n2": 3}


def test_a_budget_ends_it_early() -> None:
    bench = _lopsided(service_spec(replicas=9))
    _rebalance(bench, moves_max=1)
    _finish(bench)
    assert Counter(bench.places())["n3"] == 1
    assert (_run(bench).moved, _run(bench).failure) == (1, "")


def test_services_with_one_task_move_for_the_sake_of_the_whole() -> None:
    services = [service_spec(f"shop_s{number}") for number in range(6)]
    bench = _lopsided(*services)
    _rebalance(bench)
    _finish(bench)
    placed = Counter(task.node_id for task in bench.state.tasks.values() if task.is_wanted)
    assert placed == {"n1": 2, "n2": 2, "n3": 2}


def test_tasks_of_a_service_with_auto_move_by_themselves_when_the_node_has_settled() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=6, placement=AUTO, update=QUICK))
    bench.obey()
    bench.wait(60)
    bench.see("n2")
    bench.lose("n2")
    bench.obey()
    assert Counter(bench.places()) == {"n1": 6}
    bench.see("n2")
    bench.obey()
    assert Counter(bench.places()) == {"n1": 6}
    quiet = bench.settle()
    assert quiet.wakes == {bench.service().id: bench.now + 30}
    for _ in range(12):
        bench.wait(10)
        bench.obey()
    assert Counter(bench.places()) == {"n1": 3, "n2": 3}


def test_data_keeps_its_tasks_where_it_is() -> None:
    volume = specs.Mount(kind=specs.MountKind.VOLUME, target="/data", source="shop_data")
    bench = _lopsided(_with_mounts(service_spec(replicas=6), volume))
    plan = plan_for(bench.state, Wish(allows_stateful=True), now=bench.now)
    assert plan.choices == ()
    assert plan.staying == {"shop_web": "its data is on its nodes"}


def test_stateful_services_move_only_when_that_is_allowed() -> None:
    bind = specs.Mount(kind=specs.MountKind.BIND, target="/data", source="/srv")
    bench = _lopsided(_with_mounts(service_spec(replicas=6), bind))
    plan = plan_for(bench.state, Wish(), now=bench.now)
    assert list(plan.staying) == ["shop_web"]
    assert plan.choices == ()
    _rebalance(bench, stateful=True)
    bench.settle()
    mover = next(task for task in bench.live() if task.meant_for)
    assert mover.desired_state == TaskState.READY  # never both on the same files
    _finish(bench)
    assert Counter(bench.places()) == {"n1": 2, "n2": 2, "n3": 2}


def test_a_service_in_an_update_stays() -> None:
    bench = _lopsided(service_spec(replicas=6))
    bench.deploy(service_spec(replicas=6, image="app:2"))
    bench.settle()
    plan = plan_for(bench.state, Wish(), now=bench.now)
    assert plan.choices == ()
    assert plan.staying == {"shop_web": "an update is not over"}


def test_a_paused_node_keeps_its_tasks_and_gets_none() -> None:
    bench = _lopsided(service_spec(replicas=6))
    bench.change("n1", availability=objects.Availability.PAUSE)
    bench.change("n2", availability=objects.Availability.PAUSE)
    assert plan_for(bench.state, Wish(), now=bench.now).choices == ()


def test_a_drained_node_ends_a_move_and_the_old_task_goes_on() -> None:
    bench = _lopsided(service_spec(replicas=6))
    _rebalance(bench)
    bench.settle()
    bench.change("n3", availability=objects.Availability.DRAIN)
    bench.obey()
    bench.wait(10)
    bench.obey()
    assert Counter(bench.places()) == {"n1": 3, "n2": 3}
    assert bench.state.cluster is not None
    assert bench.state.cluster.move is None


def test_a_second_order_is_refused_while_the_first_is_under_way() -> None:
    bench = _lopsided(service_spec(replicas=6))
    _rebalance(bench)
    again = bench.submit(commands.Rebalance(moves_max=1, now=bench.now))
    assert again.error is not None
    assert again.error.message == "a rebalancing is under way"
    bench.submit(commands.StopRebalance(now=bench.now))
    bench.settle()
    assert not [task for task in bench.tasks() if task.meant_for]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    zones=st.lists(st.sampled_from("ab"), min_size=2, max_size=4),
    spreads=st.booleans(),
)
def test_moves_end_and_leave_nothing_to_move(
    sizes: list[int], zones: list[str], spreads: bool
) -> None:
    bench = Bench()
    bench.add_node("n0", labels={"zone": zones[0]})
    placement = specs.Placement(spread=("node.labels.zone",) if spreads else ())
    bench.deploy(
        *(
            service_spec(f"shop_s{number}", replicas=size, placement=placement)
            for number, size in enumerate(sizes)
        )
    )
    bench.obey()
    for number, zone in enumerate(zones[1:], start=1):
        bench.add_node(f"n{number}", labels={"zone": zone})
    bench.wait(60)
    planned = plan_for(bench.state, Wish(), now=bench.now).choices
    assert len(planned) <= sum(sizes)
    _rebalance(bench)
    causes = _finish(bench)
    assert len(causes) >= min(len(planned), 1)
    bench.wait(60)
    assert plan_for(bench.state, Wish(), now=bench.now).choices == ()
    assert not bench.settle().changes
