"""The scheduler: whatever is asked, hard limits hold, nothing is taken twice, tasks are spread."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stackctl.core.decisions import Decisions
from stackctl.core.scheduling.schedule import schedule
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import Availability, NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import invariants, revisions
from stackctl.state.changes import AssignTask, ExplainTask
from stackctl.state.cluster import ClusterState, Draft
from tests.unit.core.bench import NANO, Bench, service_spec

ZONES = ("north", "south", "")

NODES: st.SearchStrategy[list[dict[str, object]]] = st.lists(
    st.fixed_dictionaries(
        {
            "cpus": st.integers(0, 4),
            "zone": st.sampled_from(ZONES),
            "rack": st.sampled_from(("1", "2")),
            "state": st.sampled_from([NodeState.READY] * 4 + [NodeState.DOWN, NodeState.UNKNOWN]),
            "availability": st.sampled_from([Availability.ACTIVE] * 4 + [Availability.PAUSE]),
            "role": st.sampled_from(NodeRole),
        }
    ),
    min_size=1,
    max_size=6,
)
PLACEMENTS = st.builds(
    specs.Placement,
    constraints=st.lists(
        st.sampled_from(
            ["node.labels.zone==north", "node.labels.zone!=south", "node.role==worker"]
        ),
        max_size=2,
    ).map(tuple),
    spread=st.lists(
        st.sampled_from(["node.labels.zone", "node.labels.rack"]), max_size=2, unique=True
    ).map(tuple),
    replicas_per_node_max=st.sampled_from([0, 0, 1, 2]),
)
SERVICES: st.SearchStrategy[list[dict[str, object]]] = st.lists(
    st.fixed_dictionaries(
        {
            "replicas": st.integers(0, 9),
            "cpus": st.sampled_from([0, 0, 1, 2]),
            "placement": PLACEMENTS,
            "host_port": st.sampled_from([0, 0, 8080, 8081]),
        }
    ),
    min_size=1,
    max_size=3,
)


def _state(nodes: list[dict[str, object]], services: list[dict[str, object]]) -> ClusterState:
    """Nodes, and the services' tasks, all pending."""
    draft = Draft(ClusterState(), index=1, term=1)
    for number, node in enumerate(nodes):
        cpus = node["cpus"]
        assert isinstance(cpus, int)
        draft.put_node(
            objects.Node(
                id=f"n{number}",
                role=NodeRole(str(node["role"])),
                state=NodeState(str(node["state"])),
                availability=Availability(str(node["availability"])),
                labels={"zone": str(node["zone"]), "rack": str(node["rack"])},
                description=objects.NodeDescription(
                    hostname=f"n{number}", nano_cpus=cpus * NANO, memory_bytes=1 << 30
                ),
            )
        )
    for number, asked in enumerate(services):
        cpus, replicas, port = asked["cpus"], asked["replicas"], asked["host_port"]
        placement = asked["placement"]
        assert isinstance(cpus, int)
        assert isinstance(replicas, int)
        assert isinstance(port, int)
        assert isinstance(placement, specs.Placement)
        ports = (specs.PortSpec(target=80, published=port, mode=specs.PortMode.HOST),)
        spec = service_spec(
            f"s{number}",
            networks=(),
            placement=placement,
            reservations=specs.Resources(nano_cpus=cpus * NANO),
            replicas=replicas,
            ports=ports if port else (),
        )
        draft.put_service(revisions.created(spec, service_id=f"s{number}", stack_name="", now=1))
        for slot in range(1, replicas + 1):
            draft.put_task(
                objects.Task(
                    id=f"s{number}.{slot}",
                    service_id=f"s{number}",
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


def _rooms_left(state: ClusterState, service: objects.Service) -> list[objects.Node]:
    """Nodes that meet every hard condition for one more task of the service."""
    spec = service.spec.task
    parsed = [constraints.parse(text) for text in spec.placement.constraints]
    most = spec.placement.replicas_per_node_max
    wanted = {port.published for port in revisions.host_ports(service.spec)}
    found = []
    for node in state.nodes.values():
        tasks = list(state.tasks_on(node.id).values())
        used = sum(
            state.services[task.service_id].spec.task.reservations.nano_cpus for task in tasks
        )
        own = sum(1 for task in tasks if task.service_id == service.id)
        held = {port.published for task in tasks for port in task.host_ports}
        if (
            node.state == NodeState.READY
            and node.availability == Availability.ACTIVE
            and all(constraints.is_met(item, node) for item in parsed)
            and (
                not spec.reservations.nano_cpus
                or used + spec.reservations.nano_cpus <= node.description.nano_cpus
            )
            and (not most or own < most)
            and not wanted & held
        ):
            found.append(node)
    return found


@settings(max_examples=80, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_hard_limits_hold_and_nothing_is_taken_twice(
    nodes: list[dict[str, object]], services: list[dict[str, object]]
) -> None:
    state = _scheduled(_state(nodes, services)).draft.finish()
    assert invariants.overcommitments(state) == []
    for task in state.tasks.values():
        if task.status.state < TaskState.ASSIGNED:
            continue
        service, node = state.services[task.service_id], state.nodes[task.node_id]
        assert node.state == NodeState.READY
        assert node.availability == Availability.ACTIVE
        for text in service.spec.task.placement.constraints:
            assert constraints.is_met(constraints.parse(text), node)
        most = service.spec.task.placement.replicas_per_node_max
        on_node = [
            other for other in state.tasks_on(node.id).values() if other.service_id == service.id
        ]
        assert not most or len(on_node) <= most


@settings(max_examples=80, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_every_task_is_placed_or_explained_and_no_room_is_wasted(
    nodes: list[dict[str, object]], services: list[dict[str, object]]
) -> None:
    decisions = _scheduled(_state(nodes, services))
    state = decisions.draft.finish()
    decided = Counter(
        change.task_id
        for change in decisions.changes
        if isinstance(change, AssignTask | ExplainTask)
    )
    assert set(decided) == set(state.tasks)
    assert set(decided.values()) <= {1}
    for task in state.tasks.values():
        if task.status.state < TaskState.ASSIGNED:
            assert task.status.error.startswith("no suitable node")
            assert not _rooms_left(state, state.services[task.service_id])


@settings(max_examples=60, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_a_second_look_decides_nothing(
    nodes: list[dict[str, object]], services: list[dict[str, object]]
) -> None:
    state = _scheduled(_state(nodes, services)).draft.finish()
    assert _scheduled(state).changes == []


@settings(max_examples=60, deadline=None)
@given(nodes=NODES, services=SERVICES)
def test_the_same_state_always_gives_the_same_placement(
    nodes: list[dict[str, object]], services: list[dict[str, object]]
) -> None:
    state = _state(nodes, services)
    assert _scheduled(state).changes == _scheduled(state).changes


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 8), replicas=st.integers(0, 40), zones=st.integers(1, 3))
def test_tasks_are_spread_within_one_of_even(count: int, replicas: int, zones: int) -> None:
    bench = Bench()
    for number in range(count):
        bench.add_node(f"n{number}", labels={"zone": str(number % zones)})
    bench.deploy(service_spec(replicas=replicas))
    bench.settle()
    placed = Counter(bench.places())
    counts = [placed[f"n{number}"] for number in range(count)]
    assert sum(counts) == replicas
    assert max(counts) - min(counts) <= 1


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), replicas=st.integers(0, 30))
def test_spread_preferences_even_out_branches_before_nodes(sizes: list[int], replicas: int) -> None:
    bench = Bench()
    for zone, size in enumerate(sizes):
        for number in range(size):
            bench.add_node(f"z{zone}n{number}", labels={"zone": str(zone)})
    placement = specs.Placement(spread=("node.labels.zone",))
    bench.deploy(service_spec(replicas=replicas, placement=placement))
    bench.settle()
    by_zone = Counter(place.partition("n")[0] for place in bench.places())
    counts = [by_zone[f"z{zone}"] for zone in range(len(sizes))]
    assert max(counts) - min(counts) <= 1


def test_what_does_not_fit_into_a_branch_spills_to_the_others() -> None:
    bench = Bench()
    bench.add_node("small", labels={"zone": "a"}, nano_cpus=NANO)
    bench.add_node("large", labels={"zone": "b"}, nano_cpus=8 * NANO)
    placement = specs.Placement(spread=("node.labels.zone",))
    reservations = specs.Resources(nano_cpus=NANO)
    bench.deploy(service_spec(replicas=6, placement=placement, reservations=reservations))
    bench.settle()
    assert Counter(bench.places()) == {"small": 1, "large": 5}


def test_tasks_of_the_same_service_count_before_tasks_of_others() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec("shop_db", replicas=1), service_spec("shop_x", replicas=4))
    bench.settle()
    bench.deploy(
        service_spec("shop_db", replicas=1),
        service_spec("shop_x", replicas=4),
        service_spec(replicas=2),
    )
    bench.settle()
    assert sorted(bench.places()) == ["n1", "n2"]


def test_a_rolling_update_leaves_tasks_as_evenly_spread_as_they_were() -> None:
    # While one slot is replaced it has two tasks; counting both would push the new one elsewhere.
    bench = Bench("n1", "n2", "n3")
    update = specs.UpdatePolicy(monitor_seconds=0)
    bench.deploy(service_spec(replicas=3, update=update))
    bench.obey()
    bench.deploy(service_spec(image="app:2", replicas=3, update=update))
    bench.obey()
    assert [task.revision for task in bench.live()] == [2, 2, 2]
    assert sorted(bench.places()) == ["n1", "n2", "n3"]


def test_a_node_on_which_the_service_keeps_failing_comes_last() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(restart=specs.RestartPolicy(delay_seconds=0)))
    places = []
    for _ in range(7):
        bench.settle()
        places.append(bench.newest().node_id)
        bench.report(bench.newest(), TaskState.FAILED, error="boom")
        bench.wait(1)
    assert places == ["n1", "n1", "n1", "n2", "n2", "n2", "n1"]


def test_a_node_whose_engine_was_restarted_is_as_good_as_before() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec())
    for _ in range(5):
        bench.settle()
        bench.report(bench.newest(), TaskState.FAILED, error="stopped", counts_as_lost=True)
    assert {task.node_id for task in bench.tasks()} == {"n1"}


def test_failures_are_forgiven_after_five_minutes() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(restart=specs.RestartPolicy(delay_seconds=0)))
    for _ in range(3):
        bench.settle()
        bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.wait(301)
    bench.settle()
    assert bench.newest().node_id == "n1"


def test_limits_play_no_part_in_placing() -> None:
    bench = Bench("n1", nano_cpus=NANO)
    spec = service_spec()
    limited = replace(spec, task=replace(spec.task, limits=specs.Resources(nano_cpus=64 * NANO)))
    bench.deploy(limited)
    bench.settle()
    assert bench.places() == ["n1"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"placement": specs.Placement(constraints=("node.labels.zone==x",))},
            "scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks",
        ),
        (
            {"reservations": specs.Resources(nano_cpus=64 * NANO)},
            "insufficient resources on 2 nodes; 1 node not available for new tasks",
        ),
    ],
)
def test_a_task_without_a_node_says_why_in_counts(
    fields: dict[str, specs.Placement], reason: str
) -> None:
    bench = Bench("n1", "n2", "n3")
    bench.change("n3", availability=Availability.DRAIN)
    bench.deploy(replace(service_spec(), task=replace(service_spec().task, **fields)))
    bench.settle()
    assert bench.newest().status.error == f"no suitable node ({reason})"


def test_reservations_may_fill_a_node_exactly() -> None:
    bench = Bench("n1", nano_cpus=2 * NANO)
    half = specs.Resources(nano_cpus=NANO, memory_bytes=4 << 30)
    bench.deploy(service_spec(replicas=3, reservations=half))
    bench.settle()
    assert [bool(task.node_id) for task in bench.live()] == [True, True, False]


def test_memory_alone_is_reason_enough() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(reservations=specs.Resources(memory_bytes=(8 << 30) + 1)))
    bench.settle()
    assert bench.newest().status.error == "no suitable node (insufficient resources on 1 node)"


def test_without_any_node_there_is_nothing_to_count() -> None:
    bench = Bench()
    bench.deploy(service_spec())
    bench.settle()
    assert bench.newest().status.error == "no suitable node"


def test_a_waiting_task_is_placed_when_another_service_makes_room() -> None:
    bench = Bench("n1", nano_cpus=NANO)
    whole = specs.Resources(nano_cpus=NANO)
    bench.deploy(service_spec("shop_db", reservations=whole))
    bench.obey()
    bench.deploy(service_spec("shop_db", reservations=whole), service_spec(reservations=whole))
    bench.obey()
    assert bench.newest().status.error == "no suitable node (insufficient resources on 1 node)"
    bench.deploy(
        service_spec("shop_db", reservations=whole, replicas=0), service_spec(reservations=whole)
    )
    bench.obey()
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_stopping_task_keeps_its_reservation_until_it_has_ended() -> None:
    bench = Bench("n1", nano_cpus=NANO)
    whole = specs.Resources(nano_cpus=NANO)
    bench.deploy(service_spec(reservations=whole, replicas=1))
    bench.obey()
    bench.deploy(service_spec(reservations=whole, replicas=0))
    bench.settle()
    bench.deploy(service_spec(reservations=whole, replicas=1))
    bench.settle()
    assert bench.newest().status.state == TaskState.PENDING
    bench.obey()
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_paused_update_keeps_the_host_ports_of_the_old_revision() -> None:
    bench = Bench("n1")
    old = specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST)
    new = replace(old, published=9090)
    bench.deploy(service_spec(ports=(old,), replicas=1))
    bench.obey()
    bench.deploy(service_spec(image="app:2", ports=(new,), replicas=1))
    bench.settle()
    first = bench.live()[0]
    bench.report(bench.newest(), TaskState.REJECTED, error="no image")
    bench.settle()
    bench.report(first, TaskState.FAILED, error="boom")
    bench.settle()
    assert [task.host_ports for task in bench.live()] == [(old,)]
