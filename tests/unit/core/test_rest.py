"""Rest: what was in order is passed over until something about it changes."""

from msgspec.structs import replace

from stackctl.core.rest import NO_REST, restless
from stackctl.core.rounds import Round
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from tests.unit.core.bench import Bench, service_spec


def _quiet() -> Bench:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2), service_spec("shop_db"), service_spec("shop_x"))
    bench.obey()
    bench.wait(60)
    bench.settle()
    return bench


def _looks_at(bench: Bench) -> set[str]:
    found = restless(bench.state, bench.rest)
    return {bench.state.services[service_id].name for service_id in found}


def test_without_a_memory_everything_is_looked_at() -> None:
    bench = _quiet()
    assert set(restless(bench.state, NO_REST)) == set(bench.state.services)


def test_a_quiet_cluster_is_passed_over() -> None:
    bench = _quiet()
    assert _looks_at(bench) == set()
    done: Round = bench.round()
    assert (done.looked_at, done.changes) == (frozenset(), ())


def test_what_happens_to_a_task_wakes_its_service() -> None:
    bench = _quiet()
    bench.report(bench.newest(name="shop_db"), TaskState.FAILED, error="boom")
    assert _looks_at(bench) == {"shop_db"}


def test_another_spec_wakes_its_service() -> None:
    bench = _quiet()
    spec = bench.service("shop_db").spec
    web, other = bench.service().spec, bench.service("shop_x").spec
    bench.deploy(web, replace(spec, replicas=3), other)
    assert "shop_db" in _looks_at(bench)


def test_a_change_of_a_node_wakes_all() -> None:
    bench = _quiet()
    bench.change("n2", availability=objects.Availability.DRAIN)
    assert _looks_at(bench) == {"shop_web", "shop_db", "shop_x"}


def test_what_waits_for_a_time_or_moves_by_itself_does_not_rest() -> None:
    bench = Bench("n1")
    placement = specs.Placement(rebalance=specs.Rebalance.AUTO)
    bench.deploy(
        service_spec(restart=specs.RestartPolicy(delay_seconds=9)),
        service_spec("shop_auto", placement=placement),
        service_spec("shop_db"),
    )
    bench.obey()
    bench.wait(60)
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.settle()
    assert _looks_at(bench) == {"shop_web", "shop_auto"}
