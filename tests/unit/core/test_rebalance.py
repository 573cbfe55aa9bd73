"""Rebalancing: tasks go where the scheduler would place them now, one at a time, and then rest."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stackctl.core.scheduling.rebalance import Choice, Wish, plan_for
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


def _after_a_drain() -> Bench:
    """Three nodes of which one was drained and is back, with everything on the two others."""
    bench = Bench("n1", "n2", "n3")
    volume = specs.Mount(kind=specs.MountKind.VOLUME, target="/data", source="nd_db")
    bench.deploy(
        *(service_spec(f"aa_s{number}") for number in range(4)),
        _with_mounts(service_spec("nd_db"), volume),
        service_spec("nd_lab", replicas=2),
        service_spec("nd_web", replicas=6),
        service_spec("nd_non", replicas=3),
        service_spec("nd_all", mode=specs.Mode.GLOBAL),
    )
    bench.obey()
    bench.change("n1", availability=objects.Availability.DRAIN)
    for _ in range(40):
        bench.obey()
        bench.wait(5)
    bench.change("n1", availability=objects.Availability.ACTIVE)
    bench.obey()
    bench.wait(60)
    return bench


def _planned(bench: Bench) -> list[tuple[str, str]]:
    """Which slot goes where, in order."""
    return [_as_move(choice.task, choice.node.id) for choice in _choices(bench)]


def _choices(bench: Bench) -> tuple[Choice, ...]:
    return plan_for(bench.state, Wish(), now=bench.now).choices


def _as_move(task: objects.Task, node_id: str) -> tuple[str, str]:
    return f"{task.service_id}.{task.slot}", node_id


def _moved(bench: Bench) -> list[tuple[str, str]]:
    moved = [task for task in bench.state.tasks.values() if task.meant_for]
    moved.sort(key=lambda task: task.created_version)
    return [_as_move(task, task.meant_for) for task in moved]


def test_no_task_goes_and_comes_back_when_a_drained_node_returns() -> None:
    bench = _after_a_drain()
    planned = _planned(bench)
    slots = [slot for slot, _ in planned]
    assert planned
    assert len(slots) == len(set(slots))
    _rebalance(bench)
    _finish(bench)
    assert _moved(bench) == planned
    bench.wait(60)
    assert _planned(bench) == []


def test_what_a_service_gains_for_itself_comes_before_the_number_of_all_tasks() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(*(service_spec(f"shop_a{number}") for number in range(4)))
    bench.deploy(
        *(service_spec(f"shop_a{number}") for number in range(4)),
        service_spec("shop_web", replicas=4),
    )
    bench.obey()
    bench.add_node("n3")
    bench.obey()
    bench.wait(60)
    reasons = [choice.reason for choice in _choices(bench)]
    assert "of the service's tasks" in reasons[0]
    assert [reason for reason in reasons[1:] if "of the service's tasks" not in reason]


def test_a_task_that_moved_in_this_run_stays() -> None:
    bench = _lopsided(service_spec(replicas=6))
    started_at = bench.now
    _rebalance(bench)
    _finish(bench)
    bench.change("n1", availability=objects.Availability.DRAIN)
    bench.change("n2", availability=objects.Availability.DRAIN)
    for _ in range(20):
        bench.obey()
        bench.wait(5)
    bench.change("n1", availability=objects.Availability.ACTIVE)
    bench.wait(60)
    moved = {task.id for task in bench.live() if task.meant_for}
    assert len(moved) == 2
    free = plan_for(bench.state, Wish(), now=bench.now).choices
    kept = plan_for(bench.state, Wish(moved_since=started_at), now=bench.now).choices
    assert len(free) == len(kept) == 3
    assert not moved & {choice.task.id for choice in kept}


def test_the_next_move_waits_until_the_task_that_was_replaced_has_ended() -> None:
    quick = specs.UpdatePolicy(monitor_seconds=0)
    bench = _lopsided(service_spec(replicas=6, update=quick))
    _rebalance(bench)
    bench.settle()
    mover = next(task for task in bench.live() if task.meant_for)
    for state in (TaskState.READY, TaskState.RUNNING):
        bench.report(mover, state)
        bench.settle()
    old = next(task for task in bench.tasks() if task.slot == mover.slot and not task.meant_for)
    assert not old.is_wanted
    assert len(_moved(bench)) == 1
    bench.acknowledge()
    bench.settle()
    bench.report(old, TaskState.SHUTDOWN)
    bench.settle()
    assert len(_moved(bench)) == 2


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6),
    zones=st.lists(st.sampled_from("ab"), min_size=2, max_size=4),
    spreads=st.lists(st.booleans(), min_size=6, max_size=6),
    avoids=st.booleans(),
    away=st.integers(0, 3),
)
def test_a_run_does_what_its_plan_said_and_moves_no_task_twice(
    sizes: list[int], zones: list[str], spreads: list[bool], avoids: bool, away: int
) -> None:
    bench = Bench()
    for number, zone in enumerate(zones):
        bench.add_node(f"n{number}", labels={"zone": zone})
    placements = [
        specs.Placement(
            spread=("node.labels.zone",) if is_spread else (),
            avoid_services=("shop_s0",) if avoids and number == 1 else (),
        )
        for number, is_spread in enumerate(spreads)
    ]
    bench.change(f"n{away % len(zones)}", availability=objects.Availability.DRAIN)
    bench.deploy(
        service_spec("shop_all", mode=specs.Mode.GLOBAL),
        *(
            service_spec(f"shop_s{number}", replicas=size, placement=placements[number])
            for number, size in enumerate(sizes)
        ),
    )
    bench.obey()
    bench.change(f"n{away % len(zones)}", availability=objects.Availability.ACTIVE)
    bench.obey()
    bench.wait(60)
    choices = _choices(bench)
    planned = _planned(bench)
    assert len({slot for slot, _ in planned}) == len(planned)
    _rebalance(bench)
    causes = _finish(bench)
    assert _run(bench).ended_at
    assert causes == [f"rebalanced: {choice.reason}" for choice in choices]
    assert _moved(bench) == planned
    if not avoids:  # else one may want to leave for the sake of another that moved after it
        bench.wait(60)
        assert _planned(bench) == []
