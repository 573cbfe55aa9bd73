"""Tasks stay with their volumes, and placement explains itself."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from stackctl.core.scheduling import volumes
from stackctl.core.scheduling.explain import explain
from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.task_state import TaskState
from stackctl.state import commands, queries
from tests.unit.core.bench import NANO, Bench, service_spec

SSD = ("node.labels.disk==ssd",)


def _with_container(spec: specs.ServiceSpec, **fields: object) -> specs.ServiceSpec:
    container = replace(spec.task.container, **fields)
    return replace(spec, task=replace(spec.task, container=container))


def _with_volume(
    spec: specs.ServiceSpec, name: str = "shop_data", *, options: Mapping[str, str] | None = None
) -> specs.ServiceSpec:
    mount = specs.Mount(
        kind=specs.MountKind.VOLUME,
        target="/data",
        source=name,
        volume_driver_options=options or {},
    )
    return _with_container(spec, mounts=(mount,))


def _reasons(bench: Bench, name: str = "shop_web", slot: int = 1) -> dict[str, tuple[str, str]]:
    found = explain(bench.state, bench.newest(slot, name), now=bench.now)
    return {node.hostname: (node.verdict, node.reason) for node in found.nodes}


# -- volumes -------------------------------------------------------------------------------------


def test_a_slot_with_a_local_volume_waits_for_its_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_with_volume(service_spec()))
    bench.obey()
    bench.lose("n1")
    bench.obey()
    assert bench.newest().status.error == (
        "no suitable node (1 node not available for new tasks; its volumes are not on 1 node)"
    )
    assert _reasons(bench)["n2"] == ("refused", "its data is on n1 (shop_data)")
    bench.see("n1")
    bench.obey()
    assert bench.places() == ["n1"]


def test_an_update_and_a_crash_return_to_the_volume() -> None:
    bench = Bench("n1", "n2", "n3")
    bench.deploy(service_spec("shop_a"), _with_volume(service_spec()))
    bench.obey()
    home = bench.places()
    bench.deploy(service_spec("shop_a"), _with_volume(service_spec(image="app:2")))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    assert bench.places() == home


def test_left_over_volumes_draw_one_slot_each() -> None:
    """A service scaled to nothing, or removed with its stack, started beside its data, empty."""
    bench = Bench("n1", "n2", "n3", "n4")
    for hostname in ("n3", "n4"):
        bench.see(hostname, volumes=("other", "shop_data"))
    bench.deploy(_with_volume(service_spec(replicas=3)))
    bench.obey()
    assert bench.places() == ["n3", "n4", "n1"]
    assert "a volume of this name is here" in _reasons(bench)["n3"][1]


def test_a_left_over_volume_is_no_bond() -> None:
    bench = Bench("n1", "n2")
    bench.see("n2", volumes=("shop_data",))
    bench.lose("n2")
    bench.deploy(_with_volume(service_spec()))
    bench.obey()
    assert bench.places() == ["n1"]


def test_a_removed_node_takes_its_volumes_with_it() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_with_volume(service_spec()))
    bench.obey()
    bench.lose("n1")
    bench.obey()
    bench.submit(commands.RemoveNode(node_id="n1", now=bench.now))
    bench.obey()
    assert bench.places() == ["n2"]


def test_a_constraint_counts_more_than_a_volume() -> None:
    bench = Bench("n1")
    bench.add_node("n2", labels={"disk": "ssd"})
    bench.deploy(_with_volume(service_spec()))
    bench.obey()
    assert bench.places() == ["n1"]
    bench.deploy(_with_volume(service_spec(placement=specs.Placement(constraints=SSD))))
    bench.obey()
    assert bench.places() == ["n2"]


@pytest.mark.parametrize("frees", ["option", "network file system", "no container was made"])
def test_what_has_no_data_on_a_node_is_not_bound_to_it(frees: str) -> None:
    bench = Bench("n1", "n2")
    placement = specs.Placement(stays_with_volumes=frees != "option")
    options = {"type": "nfs", "o": "addr=10.0.0.1"} if frees == "network file system" else {}
    bench.deploy(_with_volume(service_spec(placement=placement), options=options))
    bench.settle()
    if frees == "no container was made":
        bench.report(bench.newest(), TaskState.PREPARING)
    else:
        bench.obey()
    bench.lose("n1")
    bench.obey()
    assert bench.places()[-1] == "n2"


def test_services_with_the_same_volume_meet_where_it_is() -> None:
    bench = Bench("n1", "n2", "n3")
    others = [service_spec("shop_a"), service_spec("shop_b")]
    bench.deploy(*others, _with_volume(service_spec("shop_db")))
    bench.obey()
    bench.deploy(*others, _with_volume(service_spec("shop_db")), _with_volume(service_spec()))
    bench.obey()
    assert bench.places() == bench.places("shop_db")


def test_replicas_with_a_volume_are_spread_like_others_and_each_has_its_own() -> None:
    bench = Bench("n1", "n2", "n3")
    bench.deploy(_with_volume(service_spec(replicas=3)))
    bench.obey()
    homes = {task.slot: task.node_id for task in bench.live()}
    assert sorted(homes.values()) == ["n1", "n2", "n3"]
    bench.lose("n2")
    bench.obey()
    bench.see("n2")
    bench.obey()
    assert {task.slot: task.node_id for task in bench.live()} == homes


def test_anonymous_volumes_and_foreign_drivers_are_not_of_one_node() -> None:
    spec = service_spec().task
    mounts = (
        specs.Mount(kind=specs.MountKind.VOLUME, target="/a"),
        specs.Mount(kind=specs.MountKind.VOLUME, target="/b", source="b", volume_driver="rexray"),
        specs.Mount(kind=specs.MountKind.BIND, target="/c", source="/c"),
        specs.Mount(kind=specs.MountKind.VOLUME, target="/d", source="d"),
    )
    spec = replace(spec, container=replace(spec.container, mounts=mounts))
    assert volumes.local_volumes(spec) == {"d"}


def test_an_old_revision_is_placed_by_the_present_constraints() -> None:
    # A paused update keeps the old revision; placed by its old constraints, a task would have to
    # leave at once, and the next one again.
    bench = Bench("n1", "n2")
    bench.deploy(service_spec())
    bench.obey()
    bench.deploy(service_spec(image="app:2", placement=specs.Placement(constraints=SSD)))
    bench.settle()
    bench.lose(bench.places()[0])
    bench.obey()
    assert [task.node_id for task in bench.live() if task.status.state < TaskState.RUNNING] == [""]


# -- explanations --------------------------------------------------------------------------------


def test_every_node_is_explained_and_the_best_comes_first() -> None:
    bench = Bench("n1", "n2", "n3", "n4", nano_cpus=2 * NANO)
    bench.change("n3", availability=Availability.DRAIN)
    small = service_spec(reservations=specs.Resources(nano_cpus=NANO))
    bench.deploy(small)
    bench.obey()
    bench.deploy(small, service_spec("shop_x", reservations=specs.Resources(nano_cpus=2 * NANO)))
    bench.obey()
    bench.lose("n4")
    bench.obey()
    found = explain(bench.state, bench.newest(), now=bench.now)
    assert (found.name, found.state, found.node) == ("shop_web.1", "running", "n1")
    assert [(node.hostname, node.rank, node.verdict, node.reason) for node in found.nodes] == [
        ("n1", 1, "here", "0 tasks of the service, 0 in all"),
        ("n2", 0, "refused", "it needs 1 cpus, 0 free"),
        ("n3", 0, "refused", "it is drained"),
        ("n4", 0, "refused", "it is down"),
    ]


def test_a_waiting_task_is_explained_node_by_node() -> None:
    bench = Bench("n1")
    bench.add_node("n2", labels={"disk": "hdd"})
    port = specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST)
    wish = specs.Placement(constraints=("node.labels.disk==ssd",))
    bench.deploy(
        service_spec("shop_x", ports=(port,), mode=specs.Mode.GLOBAL), service_spec(placement=wish)
    )
    bench.obey()
    assert _reasons(bench) == {
        "n1": ("refused", "it lacks node.labels.disk==ssd"),
        "n2": ("refused", "node.labels.disk==ssd does not hold: it has 'hdd'"),
    }
    bench.deploy(
        service_spec("shop_x", ports=(port,), mode=specs.Mode.GLOBAL), service_spec(ports=(port,))
    )
    bench.obey()
    assert _reasons(bench)["n1"] == ("refused", "shop_x.n1 has its port 8080/tcp")


def test_a_task_is_found_by_its_place() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2), service_spec("shop_agent", mode=specs.Mode.GLOBAL))
    bench.obey()
    assert queries.find_task(bench.state, "shop_web.2") == bench.newest(2)
    on_second = queries.find_task(bench.state, "shop_agent.n2")
    assert (on_second.service_id, on_second.node_id) == (bench.service("shop_agent").id, "n2")
