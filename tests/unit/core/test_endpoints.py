"""Who is balanced to, and when a leaving task may be stopped."""

import pytest

from stackctl.core.assignments import assignment_for
from stackctl.core.endpoints import is_backend
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

PORT = specs.PortSpec(target=80, published=8080)


def _assignment(bench: Bench, node_id: str) -> AssignmentSet:
    return assignment_for(bench.state, node_id, term=bench.term)


def _backends(bench: Bench, node_id: str = "n1") -> list[str]:
    (endpoint,) = _assignment(bench, node_id).endpoints
    return [backend.task_name for backend in endpoint.backends]


def _leaving(*hostnames: str, replicas: int = 2) -> Bench:
    """A service whose last slot was told to stop, with no acknowledgement yet."""
    bench = Bench(*hostnames)
    bench.deploy(service_spec(replicas=replicas))
    bench.obey()
    bench.submit(
        commands.ScaleService(service_id=bench.service().id, replicas=replicas - 1, now=bench.now)
    )
    bench.acknowledged.clear()
    bench.settle()
    return bench


def _victim(bench: Bench) -> str:
    return next(task.id for task in bench.tasks() if not task.is_wanted)


def test_only_running_tasks_are_backends() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.settle()
    assert _backends(bench, "n2") == []
    bench.report(bench.newest(1), TaskState.STARTING)
    assert _backends(bench, "n2") == []
    bench.report(bench.newest(1), TaskState.RUNNING)
    assert _backends(bench, "n2") == ["shop_web.1"]
    bench.report(bench.newest(1), TaskState.FAILED)
    assert _backends(bench, "n2") == []


def test_a_task_stops_being_a_backend_before_it_may_stop() -> None:
    bench = _leaving("n1", "n2")
    task = bench.state.tasks[_victim(bench)]
    assert not is_backend(bench.state, task)
    assert not task.released
    assert "shop_web.2" not in _backends(bench)


def test_a_task_of_a_node_that_is_down_is_no_backend() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.lose("n2")
    assert _backends(bench) == ["shop_web.1"]


def test_a_stopping_task_is_released_when_every_ready_node_has_confirmed() -> None:
    bench = _leaving("n1", "n2", "n3")
    victim = _victim(bench)
    version = bench.state.tasks[victim].desired_version
    for node_id in ("n1", "n2"):
        bench.acknowledged[node_id] = version
        bench.settle()
        assert not bench.state.tasks[victim].released
    bench.acknowledged["n3"] = version - 1
    bench.settle()
    assert not bench.state.tasks[victim].released
    bench.acknowledged["n3"] = version
    bench.settle()
    assert bench.state.tasks[victim].released


def test_a_node_that_is_down_is_not_waited_for() -> None:
    bench = _leaving("n1", "n2")
    victim = _victim(bench)
    other = "n1" if bench.state.tasks[victim].node_id == "n2" else "n2"
    bench.acknowledged[bench.state.tasks[victim].node_id] = bench.state.index
    bench.lose(other)
    bench.settle()
    assert bench.state.tasks[victim].released


def test_nobody_is_waited_for_longer_than_five_seconds() -> None:
    bench = _leaving("n1", "n2")
    victim = _victim(bench)
    done = bench.settle()
    assert done.wakes == {bench.service().id: bench.now + 5}
    assert done.draining == {bench.service().id}
    bench.wait(4.9)
    bench.settle()
    assert not bench.state.tasks[victim].released
    bench.wait(0.1)
    done = bench.settle()
    assert bench.state.tasks[victim].released
    assert done.draining == frozenset()


def test_a_task_that_never_ran_is_released_at_once() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.settle()
    bench.submit(commands.ScaleService(service_id=bench.service().id, replicas=0, now=bench.now))
    bench.settle()
    assert [task.released for task in bench.tasks()] == [True, True]


def test_an_ended_task_whose_container_came_back_may_stop() -> None:
    # It was given up with its node; the node is back, and nobody balances to it.
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.lose("n2")
    bench.obey()
    bench.wait(25 * 3600)
    bench.obey()
    bench.see("n2")
    (task,) = _assignment(bench, "n2").tasks
    assert task.desired_state == TaskState.SHUTDOWN
    assert task.may_stop


def test_a_ready_wish_means_create_and_do_not_start() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(restart=specs.RestartPolicy(delay_seconds=9)))
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED)
    bench.settle()
    by_id = {task.id: task for task in _assignment(bench, "n1").tasks}
    assert by_id[bench.newest().id].desired_state == TaskState.READY


def test_an_assignment_has_the_nodes_own_tasks_and_what_they_may_know() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(
        service_spec(placement=specs.Placement(constraints=("node.hostname==n1",))),
    )
    bench.put(stack_spec(service_spec("b_db", networks=("b_net",)), name="b"))
    bench.obey()
    first, second = _assignment(bench, "n1"), _assignment(bench, "n2")
    assert [task.name for task in first.tasks] == ["shop_web.1"]
    assert [task.name for task in second.tasks] == ["b_db.1"]
    assert [network.name for network in first.networks] == [NETWORK]
    assert [endpoint.service_name for endpoint in first.endpoints] == ["shop_web"]
    assert [endpoint.service_name for endpoint in second.endpoints] == ["b_db"]
    assert first.ingress == ()


def test_neighbours_are_the_tasks_and_gateways_of_other_nodes_on_the_same_networks() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    network = bench.state.networks[bench.state.network_ids[NETWORK]]
    other = next(task for task in bench.tasks() if task.node_id == "n2")
    addresses = {item.address for item in _assignment(bench, "n1").neighbours}
    assert addresses == {other.addresses[network.id], network.gateways["n2"]}
    assert {item.data_address for item in _assignment(bench, "n1").neighbours} == {"192.168.7.1"}


def test_every_node_answers_on_an_ingress_port() -> None:
    bench = Bench("n1", "n2", "n3")
    bench.deploy(service_spec(ports=(PORT,)))
    bench.obey()
    for node_id in ("n1", "n2", "n3"):
        (ingress,) = _assignment(bench, node_id).ingress
        assert (ingress.published, ingress.target, len(ingress.backends)) == (8080, 80, 1)


def test_a_removed_service_answers_no_more() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(ports=(PORT,)))
    bench.obey()
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    assert _assignment(bench, "n1").ingress == ()


def test_names_are_the_services_name_and_its_aliases() -> None:
    bench = Bench("n1")
    spec = service_spec()
    attachment = specs.NetworkAttachment(network=NETWORK, aliases=("web", "www", "web"))
    bench.deploy(_with_attachment(spec, attachment))
    bench.settle()
    (endpoint,) = _assignment(bench, "n1").endpoints
    assert endpoint.names == ("shop_web", "web", "www")
    assert endpoint.vip == next(iter(bench.service().endpoint.vips.values()))


@pytest.mark.parametrize("node_id", ["n1", "n9"])
def test_the_same_state_gives_the_same_assignment(node_id: str) -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=3, ports=(PORT,)))
    bench.obey()
    assert _assignment(bench, node_id) == _assignment(bench, node_id)
    assert _assignment(bench, node_id).index == bench.state.index


def test_names_of_a_network_come_with_the_network_itself() -> None:
    # A task may be assigned an entry before its node gets a gateway.
    bench = Bench("n1")
    bench.deploy(service_spec())
    done = bench.round(apply_it=False)
    without_gateway = [change for change in done.changes if type(change).__name__ != "SetGateway"]
    bench.submit(
        commands.ApplyRound(term=bench.term, changes=tuple(without_gateway), now=bench.now)
    )
    assigned = _assignment(bench, "n1")
    assert len(assigned.tasks) == 1
    assert (assigned.networks, assigned.endpoints) == ((), ())


def _with_attachment(
    spec: specs.ServiceSpec, attachment: specs.NetworkAttachment
) -> specs.ServiceSpec:
    task = specs.TaskSpec(container=spec.task.container, networks=(attachment,))
    return specs.ServiceSpec(name=spec.name, task=task)
