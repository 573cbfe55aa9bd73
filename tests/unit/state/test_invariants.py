"""Every invariant finds the fault it is there for, and none in a healthy state."""

from collections.abc import Callable

import pytest
from immutables import Map
from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import invariants
from stackctl.state.cluster import ClusterState, Draft
from tests.unit.core.bench import NANO, Bench, service_spec, stack_spec


def _healthy() -> ClusterState:
    bench = Bench("n1", "n2")
    port = specs.PortSpec(target=80, published=8080)
    bench.put(stack_spec(service_spec(replicas=2, ports=(port,)), service_spec("shop_db")))
    bench.obey()
    return bench.state


HEALTHY = _healthy()
WEB = next(item for item in HEALTHY.services.values() if item.name == "shop_web")
DB = next(item for item in HEALTHY.services.values() if item.name == "shop_db")
TASK = next(iter(HEALTHY.tasks_of(WEB.id).values()))
OTHER = next(iter(HEALTHY.tasks_of(DB.id).values()))
NETWORK = next(iter(HEALTHY.networks.values()))
READY = objects.TaskStatus(state=TaskState.READY)
ON_DB = (specs.Dependency(service="shop_db"),)
JOB = replace(WEB.spec, mode=specs.Mode.REPLICATED_JOB)
UPDATING = objects.UpdateStatus(state=objects.UpdateState.UPDATING, started_at=0)


def _with(*changed: objects.Task | objects.Service | objects.Network) -> ClusterState:
    draft = Draft(HEALTHY, index=HEALTHY.index + 1, term=1)
    for item in changed:
        match item:
            case objects.Task():
                draft.put_task(item)
            case objects.Service():
                draft.put_service(item)
            case objects.Network():
                draft.put_network(item)
    return draft.finish()


def test_a_healthy_state_has_no_fault() -> None:
    assert invariants.violations(HEALTHY) == []
    assert invariants.overcommitments(HEALTHY) == []


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (lambda: replace(HEALTHY, tasks_by_service=Map()), "tasks by service differs"),
        (lambda: replace(HEALTHY, tasks_by_node=Map()), "tasks by node differs"),
        (lambda: replace(HEALTHY, unplaced=Map({"x": None})), "tasks without a node differs"),
        (lambda: replace(HEALTHY, service_ids=Map()), "services by name differs"),
        (lambda: replace(HEALTHY, network_ids=Map()), "networks by name differs"),
        (lambda: replace(HEALTHY, config_ids=Map({"c": "x"})), "config c means x"),
        (lambda: replace(HEALTHY, stacks=Map()), "belongs to stack shop, which is not there"),
        (lambda: replace(HEALTHY, index=1), "at index 1"),
        (
            lambda: replace(HEALTHY, networks=Map(), network_ids=Map()),
            "is attached to shop_default, which is not there",
        ),
        (lambda: _with(replace(WEB, config_ids={1: {"c": "x"}})), "has lost its config c"),
        (lambda: _with(replace(TASK, service_id="x")), "belongs to service x"),
        (lambda: _with(replace(TASK, revision=9)), "of which the spec is lost"),
        (lambda: _with(replace(TASK, slot=0)), "has slot 0"),
        (lambda: _with(replace(TASK, node_id="")), "is RUNNING without a node"),
        (
            lambda: _with(replace(TASK, status=objects.TaskStatus(state=TaskState.PENDING))),
            "is PENDING and has a node",
        ),
        (lambda: _with(replace(TASK, node_id="n9")), "on node n9, which is not there"),
        (lambda: _with(replace(TASK, released=True)), "is wanted, yet released"),
        (
            lambda: _with(replace(WEB, removing=True), replace(TASK, status=READY)),
            "stays although its service is removed",
        ),
        (
            lambda: _with(replace(WEB, spec=replace(WEB.spec, depends_on=ON_DB))),
            "starts before what its service depends on",
        ),
        (lambda: _with(replace(WEB, held_reason="waiting")), "may start, yet it says that it is"),
        (lambda: _with(replace(WEB, cleared_revision=9)), "revision 9 may start and is not there"),
        (lambda: _with(replace(WEB, spec=JOB, update_status=UPDATING)), "is in a rolling update"),
        (lambda: _with(replace(TASK, restarts=-1)), "was restarted -1 times"),
        (lambda: _with(replace(WEB, task_specs={})), "the spec of its revision 1 is lost"),
        (
            lambda: _with(
                replace(WEB, task_specs={1: DB.spec.task, 2: service_spec(image="x").task})
            ),
            "its last revision is not the last",
        ),
        (
            lambda: _with(replace(WEB, spec=service_spec(image="other"))),
            "its revision 1 is not its spec",
        ),
        (
            lambda: _with(replace(WEB, previous_spec=WEB.spec, previous_revision=7)),
            "previous revision 7 is lost",
        ),
        (
            lambda: _with(replace(WEB, previous_revision=1)),
            "a previous revision without a previous spec",
        ),
        (
            lambda: replace(
                HEALTHY,
                stacks=Map({"shop": replace(HEALTHY.stacks["shop"], removing=True)}),
            ),
            "stays although its stack is removed",
        ),
        (
            lambda: _with(replace(NETWORK, id="n", spec=specs.NetworkSpec(name="n"))),
            "is given to 2 networks",
        ),
        (
            lambda: _with(
                replace(NETWORK, id="n", spec=specs.NetworkSpec(name="n"), vni=9, gateways={})
            ),
            "overlap",
        ),
        (lambda: _with(replace(NETWORK, subnet="")), "has a VNI and no subnet"),
        (lambda: _with(replace(OTHER, addresses=TASK.addresses)), "is used twice"),
        (
            lambda: _with(replace(TASK, addresses={NETWORK.id: "10.9.9.9"})),
            "which is no address of shop_default",
        ),
        (
            lambda: _with(replace(TASK, addresses={"x": "10.9.9.9"})),
            "on network x, which is not there",
        ),
        (
            lambda: _with(replace(DB, endpoint=WEB.endpoint)),
            "port 8080/tcp is published by shop_db and shop_web",
        ),
    ],
)
def test_a_fault_is_found(broken: Callable[[], ClusterState], fault: str) -> None:
    assert any(fault in found for found in _violations(broken())), _violations(broken())


def _violations(state: ClusterState) -> list[str]:
    return invariants.violations(state)


def _later(task: objects.Task | None = None) -> ClusterState:
    draft = Draft(HEALTHY, index=HEALTHY.index + 1, term=1)
    if task is not None:
        draft.put_task(task)
    return draft.finish()


def test_time_going_on_is_no_regression() -> None:
    assert invariants.regressions(HEALTHY, _later()) == []


@pytest.mark.parametrize(
    ("task", "fault"),
    [
        (
            replace(TASK, status=objects.TaskStatus(state=TaskState.READY)),
            "went from RUNNING to READY",
        ),
        (replace(TASK, desired_state=TaskState.READY), "desired RUNNING, then READY"),
        (replace(TASK, slot=7), "its slot changed"),
        (replace(TASK, revision=7), "its revision changed"),
        (replace(TASK, cause="other"), "its cause changed"),
        (replace(TASK, node_id="n9"), "moved from"),
        (replace(TASK, addresses={"a": "b"}), "its addresses changed"),
    ],
)
def test_a_regression_is_found(task: objects.Task, fault: str) -> None:
    assert any(fault in found for found in invariants.regressions(HEALTHY, _later(task)))


def test_going_back_in_the_log_is_found() -> None:
    assert invariants.regressions(HEALTHY, replace(HEALTHY, term=0)) == [
        f"index went from {HEALTHY.index} to {HEALTHY.index}",
        "term went from 1 to 0",
    ]


def _after(state: ClusterState, task: objects.Task) -> ClusterState:
    draft = Draft(state, index=state.index + 1, term=1)
    draft.put_task(task)
    return draft.finish()


def test_ending_twice_is_found() -> None:
    ended = _later(replace(TASK, status=objects.TaskStatus(state=TaskState.FAILED)))
    again = _after(ended, replace(TASK, status=objects.TaskStatus(state=TaskState.REJECTED)))
    assert invariants.regressions(ended, again) == [
        f"task {TASK.id} ended as FAILED, then as REJECTED"
    ]


def test_taking_a_release_back_is_found() -> None:
    stopping = replace(TASK, desired_state=TaskState.SHUTDOWN)
    released = _later(replace(stopping, released=True))
    assert invariants.regressions(released, _after(released, stopping)) == [
        f"task {TASK.id} was released and is no longer"
    ]


def test_forgetting_a_task_that_may_run_is_found() -> None:
    draft = Draft(HEALTHY, index=HEALTHY.index + 1, term=1)
    draft.drop_task(TASK.id)
    assert invariants.regressions(HEALTHY, draft.finish()) == [
        f"task {TASK.id} was forgotten while it may run"
    ]


def test_overcommitment_is_found() -> None:
    bench = Bench("n1")
    port = specs.PortSpec(target=80, published=80, mode=specs.PortMode.HOST)
    bench.deploy(
        service_spec(reservations=specs.Resources(nano_cpus=NANO), ports=(port,), replicas=1)
    )
    bench.obey()
    draft = Draft(bench.state, index=bench.state.index + 1, term=1)
    for number in range(4):
        draft.put_task(replace(bench.newest(), id=f"copy{number}", addresses={}))
    assert invariants.overcommitments(draft.finish()) == [
        "node n1: 5000000000 nano_cpus reserved of 4000000000",
        "node n1: host port 80/tcp is given to 5 tasks",
    ]
