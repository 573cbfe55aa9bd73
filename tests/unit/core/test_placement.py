"""Placement beyond room: preferences, neighbours, generic resources, platforms."""

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stackctl.core.decisions import Decisions
from stackctl.core.scheduling.explain import explain
from stackctl.core.scheduling.schedule import schedule
from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands, invariants, revisions
from stackctl.state.cluster import ClusterState, Draft
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


def _offer(bench: Bench, hostname: str, **fields: object) -> None:
    """The node describes itself anew."""
    node = bench.state.nodes[hostname]
    description = replace(node.description, **fields)
    bench.submit(
        commands.SeeNode(node_id=hostname, manager_id="m", description=description, now=bench.now)
    )


def _reasons(bench: Bench, name: str = "shop_web", slot: int = 1) -> dict[str, tuple[str, str]]:
    found = explain(bench.state, bench.newest(slot, name), now=bench.now)
    return {node.hostname: (node.verdict, node.reason) for node in found.nodes}


# -- preferences ---------------------------------------------------------------------------------


def test_preferred_nodes_are_filled_before_others_are_touched() -> None:
    bench = Bench("n1", "n2", nano_cpus=2 * NANO)
    bench.add_node("fast", labels={"disk": "ssd"}, nano_cpus=2 * NANO)
    placement = specs.Placement(prefer=SSD)
    whole = specs.Resources(nano_cpus=NANO)
    bench.deploy(service_spec(replicas=4, placement=placement, reservations=whole))
    bench.settle()
    assert Counter(bench.places()) == {"fast": 2, "n1": 1, "n2": 1}


def test_more_preferences_met_are_better() -> None:
    bench = Bench()
    bench.add_node("a", labels={"disk": "ssd"})
    bench.add_node("b", labels={"disk": "ssd", "zone": "near"})
    placement = specs.Placement(prefer=(*SSD, "node.labels.zone in (near, next)"))
    bench.deploy(service_spec(placement=placement))
    bench.settle()
    assert bench.places() == ["b"]


def test_spread_comes_before_preferences() -> None:
    bench = Bench()
    bench.add_node("a", labels={"zone": "1", "disk": "ssd"})
    bench.add_node("b", labels={"zone": "2"})
    placement = specs.Placement(prefer=SSD, spread=("node.labels.zone",))
    bench.deploy(service_spec(replicas=2, placement=placement))
    bench.settle()
    assert sorted(bench.places()) == ["a", "b"]


# -- several levels of spread --------------------------------------------------------------------


def test_spread_evens_out_level_by_level() -> None:
    bench = Bench()
    for zone, racks in (("a", "12"), ("b", "1")):
        for rack in racks:
            bench.add_node(f"{zone}{rack}", labels={"zone": zone, "rack": rack})
    placement = specs.Placement(spread=("node.labels.zone", "node.labels.rack"))
    bench.deploy(service_spec(replicas=8, placement=placement))
    bench.settle()
    assert Counter(bench.places()) == {"a1": 2, "a2": 2, "b1": 4}


# -- services kept apart -------------------------------------------------------------------------


def test_a_service_never_shares_a_node_with_one_that_it_excludes() -> None:
    bench = Bench("n1", "n2")
    placement = specs.Placement(exclude_services=("shop_db",))
    bench.deploy(service_spec("shop_db"), service_spec(replicas=3, placement=placement))
    bench.settle()
    assert set(bench.places()).isdisjoint(bench.places("shop_db"))


def test_being_excluded_works_in_both_directions() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(placement=specs.Placement(exclude_services=("shop_db",))))
    bench.obey()
    bench.deploy(
        service_spec(placement=specs.Placement(exclude_services=("shop_db",))),
        service_spec("shop_db"),
    )
    bench.settle()
    waiting = bench.newest(name="shop_db")
    assert waiting.status.error == ("no suitable node (a service to be kept apart from on 1 node)")
    assert _reasons(bench, "shop_db")["n1"] == (
        "refused",
        "shop_web is there, to be kept apart from",
    )


def test_a_service_to_avoid_is_accepted_when_there_is_no_other_node() -> None:
    bench = Bench("n1", "n2")
    avoiding = service_spec(replicas=2, placement=specs.Placement(avoid_services=("shop_db",)))
    bench.deploy(service_spec("shop_db"))
    bench.obey()
    bench.deploy(service_spec("shop_db"), avoiding)
    bench.obey()
    assert bench.places("shop_db") == ["n1"]
    assert bench.places() == ["n2", "n2"]
    bench.lose("n2")
    bench.obey()
    assert bench.places() == ["n1", "n1"]


# -- generic resources ---------------------------------------------------------------------------


def test_named_pieces_are_given_to_one_task_each() -> None:
    bench = Bench("n1", "n2")
    _offer(bench, "n2", generic_named={"GPU": ("u1", "u2", "u3")})
    wanted = specs.Resources(generic={"GPU": 1})
    bench.deploy(service_spec(replicas=4, reservations=wanted))
    bench.settle()
    given = [task.generic_named.get("GPU", ()) for task in bench.live()]
    assert given == [("u1",), ("u2",), ("u3",), ()]
    assert bench.newest(4).status.error == "no suitable node (insufficient resources on 2 nodes)"
    assert _reasons(bench, slot=4)["n2"] == ("refused", "it needs 1 GPU, 0 free")


def test_counted_kinds_are_free_again_when_their_task_has_ended() -> None:
    bench = Bench("n1")
    _offer(bench, "n1", generic={"slot": 2})
    bench.deploy(service_spec(replicas=3, reservations=specs.Resources(generic={"slot": 1})))
    bench.obey()
    assert [bool(task.node_id) for task in bench.live()] == [True, True, False]
    bench.report(bench.newest(1), TaskState.FAILED, error="boom")
    bench.settle()
    assert bench.newest(3).node_id == "n1"


# -- platforms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "place"),
    [("linux/amd64", "n1"), ("linux/arm64/v8", "arm"), ("linux/x86_64", "n1"), ("linux", "arm")],
)
def test_an_image_runs_only_where_its_platform_is(platform: str, place: str) -> None:
    bench = Bench("n1")
    bench.add_node("arm")
    _offer(bench, "arm", arch="aarch64")
    bench.deploy(_with_container(service_spec(), platform=platform))
    bench.settle()
    assert bench.places() == [place]


def test_no_node_of_the_platform_is_said_in_counts() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(_with_container(service_spec(), platform="windows/amd64"))
    bench.settle()
    assert bench.newest().status.error == "no suitable node (unsupported platform on 2 nodes)"
    assert _reasons(bench)["n1"][1] == "it is linux/x86_64, the image is for windows/amd64"


# -- whatever is asked ---------------------------------------------------------------------------

KINDS = ("GPU", "slot")
NAMES = st.lists(st.sampled_from(["s0", "s1", "s2"]), max_size=2, unique=True).map(tuple)
NODES = st.lists(
    st.builds(
        objects.Node,
        id=st.just(""),
        role=st.just(NodeRole.WORKER),
        state=st.sampled_from([NodeState.READY] * 4 + [NodeState.DOWN]),
        labels=st.fixed_dictionaries({"disk": st.sampled_from(["ssd", "hdd"])}),
        description=st.builds(
            objects.NodeDescription,
            hostname=st.just(""),
            nano_cpus=st.just(4 * NANO),
            memory_bytes=st.just(1 << 30),
            arch=st.sampled_from(["x86_64", "aarch64"]),
            generic=st.dictionaries(st.just("slot"), st.integers(0, 3)),
            generic_named=st.fixed_dictionaries(
                {"GPU": st.sampled_from([(), ("u1",), ("u1", "u2")])}
            ),
        ),
    ),
    min_size=1,
    max_size=5,
)
SERVICES = st.lists(
    st.builds(
        service_spec,
        networks=st.just(()),
        replicas=st.integers(0, 6),
        image=st.sampled_from(["", "linux/amd64", "linux/arm64"]),  # becomes the platform
        restart=st.just(specs.RestartPolicy()),
        reservations=st.builds(
            specs.Resources, generic=st.dictionaries(st.sampled_from(KINDS), st.integers(1, 2))
        ),
        placement=st.builds(
            specs.Placement,
            constraints=st.sampled_from([(), SSD, ("node.labels.disk not in (ssd, nvme)",)]),
            prefer=st.sampled_from([(), SSD]),
            exclude_services=NAMES,
            avoid_services=NAMES,
            spread=st.just(()),
            replicas_per_node_max=st.just(0),
            stays_with_volumes=st.just(True),
            rebalance=st.just(specs.Rebalance.NEVER),
        ),
        labels=st.sampled_from([{}, {}, {"volume": "data"}]),
    ),
    min_size=1,
    max_size=3,
)


def _state(nodes: list[objects.Node], services: list[specs.ServiceSpec]) -> ClusterState:
    draft = Draft(ClusterState(), index=1, term=1)
    for number, node in enumerate(nodes):
        name = f"n{number}"
        draft.put_node(replace(node, id=name, description=replace(node.description, hostname=name)))
    for number, asked in enumerate(services):
        name = f"s{number}"
        spec = _with_container(
            replace(asked, name=name), image="app:1", platform=asked.task.container.image
        )
        if asked.labels:
            spec = _with_volume(spec, asked.labels["volume"])
        draft.put_service(revisions.created(spec, service_id=name, stack_name="", now=1))
        for slot in range(1, spec.replicas + 1):
            draft.put_task(
                objects.Task(
                    id=f"{name}.{slot}",
                    service_id=name,
                    slot=slot,
                    revision=1,
                    status=objects.TaskStatus(state=TaskState.PENDING),
                )
            )
    return draft.finish()


def _scheduled(state: ClusterState) -> Decisions:
    decisions = Decisions(state, now=10, new_id=lambda: "none", acknowledged={})
    schedule(decisions)
    return decisions


@settings(max_examples=150, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_whatever_is_asked_hard_limits_hold_and_refusals_are_true(
    nodes: list[objects.Node], services: list[specs.ServiceSpec]
) -> None:
    state = _scheduled(_state(nodes, services)).draft.finish()
    assert invariants.overcommitments(state) == []
    for task in state.tasks.values():
        service = state.services[task.service_id]
        lines = explain(state, task, now=10).nodes
        assert len(lines) == len(state.nodes)
        verdicts = {line.node_id: line.verdict for line in lines}
        ranks = [line.rank for line in lines if line.rank]
        assert ranks == list(range(1, len(ranks) + 1))
        if task.status.state < TaskState.ASSIGNED:
            assert task.status.error.startswith("no suitable node")
            assert set(verdicts.values()) == {"refused"}
            continue
        node = state.nodes[task.node_id]
        assert next(line.rank for line in lines if line.node_id == node.id)
        strangers = set(service.spec.task.placement.exclude_services) - {service.name}
        strangers |= {
            other.name
            for other in state.services.values()
            if service.name in other.spec.task.placement.exclude_services
        } - {service.name}
        assert all(
            state.services[other.service_id].name not in strangers
            for other in state.tasks_on(node.id).values()
        )
    assert _scheduled(state).changes == []


@settings(max_examples=60, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_the_shared_ranking_places_as_if_each_service_were_alone(
    nodes: list[objects.Node], services: list[specs.ServiceSpec]
) -> None:
    # The first pending task of all has nothing before it: the best node that is explained to it
    # must be the one that it gets.
    state = _state(nodes, services)
    first = next((task for key in sorted(state.tasks) if (task := state.tasks[key])), None)
    if first is None:
        return
    expected = next(
        (line.node_id for line in explain(state, first, now=10).nodes if line.rank == 1), ""
    )
    placed = _scheduled(state).draft.task(first.id)
    assert placed is not None
    assert placed.node_id == expected
