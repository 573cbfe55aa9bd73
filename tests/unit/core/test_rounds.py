"""Rounds and the agenda: what is looked at when, and that it comes to rest."""

from collections.abc import Mapping

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stackctl.core.agenda import FULL_ROUND_PERIOD_SECONDS, Agenda
from stackctl.core.rounds import Round, run_round
from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.state.events import Event, Kind
from tests.unit.core.bench import NANO, Bench, service_spec, stack_spec


def _done(
    *, looked_at: frozenset[str] = frozenset(), wakes: Mapping[str, float] | None = None
) -> Round:
    return Round(changes=(), wakes=wakes or {}, draining=frozenset(), looked_at=looked_at)


def test_a_new_leader_looks_at_everything() -> None:
    assert Agenda().at(0).is_due
    assert Agenda().everything


def test_events_of_tasks_and_services_call_for_their_service() -> None:
    agenda = Agenda(everything=False, full_round_at=99).with_events(
        [
            Event(Kind.TASK, "t", service_id="a"),
            Event(Kind.SERVICE, "b", service_id="b"),
        ]
    )
    assert agenda.services == {"a", "b"}
    assert not agenda.everything


def test_events_of_anything_else_call_for_everything() -> None:
    for kind in (Kind.NODE, Kind.STACK, Kind.NETWORK, Kind.CONFIG, Kind.CLUSTER):
        assert Agenda(everything=False).with_events([Event(kind, "x")]).everything


def test_a_wake_becomes_due_at_its_time() -> None:
    agenda = Agenda(everything=False, wakes={"a": 10.0, "b": 20.0}, full_round_at=99)
    assert not agenda.at(9.9).is_due
    assert agenda.at(10.0).services == {"a"}
    assert agenda.at(20.0).services == {"a", "b"}


def test_the_full_round_comes_though_wakes_are_later() -> None:
    agenda = Agenda(everything=False, wakes={"a": 5000.0}, full_round_at=60)
    assert agenda.next_at == 60
    assert agenda.at(60).everything


def test_the_next_time_is_the_earliest() -> None:
    assert Agenda(wakes={"a": 7.0, "b": 5.0}, full_round_at=60).next_at == 5
    assert Agenda(full_round_at=60).next_at == 60


def test_what_was_looked_at_is_done_until_it_asks_again() -> None:
    agenda = Agenda(
        everything=False,
        services=frozenset({"a", "b"}),
        wakes={"a": 5.0, "c": 6.0},
        full_round_at=60,
    )
    after = agenda.after(_done(looked_at=frozenset({"a"}), wakes={"a": 9.0}), now=1)
    assert after.services == {"b"}
    assert after.wakes == {"a": 9.0, "c": 6.0}
    assert after.full_round_at == 60


def test_after_a_full_round_the_next_comes_in_a_minute() -> None:
    after = Agenda().at(100).after(_done(), now=100)
    assert not after.at(100).is_due
    assert after.full_round_at == 100 + FULL_ROUND_PERIOD_SECONDS


def test_an_acknowledgement_calls_for_services_that_wait_for_one() -> None:
    agenda = Agenda(everything=False, draining=frozenset({"a"}), full_round_at=60)
    assert agenda.acknowledged().services == {"a"}
    done = _done(looked_at=frozenset({"a"}))
    assert agenda.acknowledged().after(done, now=1).draining == frozenset()


def test_an_event_that_comes_during_a_round_is_looked_at_after_it() -> None:
    agenda = Agenda(everything=False, services=frozenset({"a"}), full_round_at=60)
    after = agenda.after(_done(looked_at=frozenset({"a"})), now=1)
    assert after.with_events([Event(Kind.TASK, "t", service_id="a")]).services == {"a"}


def test_a_round_looks_only_at_the_services_it_is_given() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(), service_spec("shop_db"))
    service_id = bench.service().id
    done = run_round(
        bench.state,
        now=bench.now,
        new_id=lambda: "t",
        acknowledged={},
        service_ids=[service_id, "unknown"],
    )
    assert done.looked_at == {service_id, "unknown"}
    bench.apply_round(done)
    assert len(bench.tasks()) == 1
    assert bench.tasks("shop_db") == []


def test_a_waiting_task_of_any_service_gets_what_was_freed() -> None:
    bench = Bench("n1")
    whole = specs.Resources(nano_cpus=4 * 10**9)
    bench.deploy(service_spec(reservations=whole), service_spec("shop_db", reservations=whole))
    bench.obey()
    winner, loser = sorted(
        ("shop_web", "shop_db"), key=lambda name: not bench.newest(name=name).node_id
    )
    bench.submit(commands.RemoveService(service_id=bench.service(winner).id, now=bench.now))
    bench.obey()
    assert bench.newest(name=loser).status.state == TaskState.RUNNING


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("run", "ready", "fail", "reject", "lose", "see", "deploy", "scale", "drain"),
                *("wait", "rollback", "label", "work", "remove", "forget"),
            ]
        ),
        st.integers(0, 5),
    ),
    max_size=12,
)


@settings(max_examples=80, deadline=None)
@example([("lose", 1), ("deploy", 3), ("fail", 1), ("lose", 0), ("rollback", 0)])
@given(STEPS)
def test_whatever_happens_rounds_come_to_rest(steps: list[tuple[str, int]]) -> None:
    bench = Bench("n1", "n2", "n3", nano_cpus=3 * NANO)
    bench.deploy(service_spec(replicas=3, update=specs.UpdatePolicy(monitor_seconds=2)))
    for verb, number in steps:
        _step(bench, verb, number)
        bench.settle()  # raises when rounds go on deciding
    bench.obey()
    assert bench.round().changes == ()


def _step(bench: Bench, verb: str, number: int) -> None:
    hostname = f"n{number % 3 + 1}"
    if "shop_web" not in bench.state.service_ids or bench.service().removing:
        _deploy(bench, number)
        return
    placed = [task for task in bench.live() if task.node_id]
    service_id = bench.service().id
    match verb:
        case "run" | "ready" | "fail" | "reject" if placed:
            state = {
                "run": TaskState.RUNNING,
                "ready": TaskState.READY,
                "fail": TaskState.FAILED,
                "reject": TaskState.REJECTED,
            }[verb]
            bench.report(placed[number % len(placed)], state, error=verb)
        case "lose":
            bench.lose(hostname)
        case "see":
            bench.see(hostname, nano_cpus=3 * NANO)
        case "deploy":
            _deploy(bench, number)
        case "scale":
            bench.submit(
                commands.ScaleService(service_id=service_id, replicas=number, now=bench.now)
            )
        case "drain":
            bench.change(hostname, availability=list(Availability)[number % 2 * 2])
        case "label":
            bench.change(hostname, labels={"zone": "ab"[number % 2]})
        case "rollback":
            bench.submit(commands.RollbackService(service_id=service_id, now=bench.now))
        case "remove":
            bench.submit(commands.RemoveService(service_id=service_id, now=bench.now))
        case "forget" if hostname != "n1" and hostname in bench.state.nodes:
            bench.submit(commands.RemoveNode(node_id=hostname, force=True, now=bench.now))
        case "work":
            bench.work()
        case _:
            bench.wait(number * 1.5)


def _deploy(bench: Bench, number: int) -> None:
    update = specs.UpdatePolicy(
        monitor_seconds=2,
        failure_action=list(specs.FailureAction)[number % 3],
        order=list(specs.UpdateOrder)[number % 2],
        parallelism=number % 3,
        max_failure_ratio=number / 10,
    )
    placement = specs.Placement(
        constraints=("node.labels.zone!=b",) if number % 2 else (),
        replicas_per_node_max=number % 4,
    )
    restart = specs.RestartPolicy(
        condition=list(specs.RestartCondition)[number % 3], attempts_max=number % 3
    )
    bench.put(
        stack_spec(
            service_spec(
                image=f"app:{number}",
                replicas=1 + number,
                update=update,
                rollback=update,
                placement=placement,
                restart=restart,
                reservations=specs.Resources(nano_cpus=NANO) if number == 4 else None,
            )
        )
    )
