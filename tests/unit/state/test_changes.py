"""A round meets a state that has moved on: what no longer fits is left out, the rest applies."""

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import changes, commands
from stackctl.state.changes import Change
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

PORT = specs.PortSpec(target=80, published=8080)


def _apply(bench: Bench, *decided: Change) -> None:
    result = bench.submit(commands.ApplyRound(term=bench.term, changes=decided, now=bench.now))
    assert result.error is None


def _running(*hostnames: str, replicas: int = 1) -> Bench:
    bench = Bench(*hostnames)
    bench.deploy(service_spec(replicas=replicas))
    bench.obey()
    return bench


def test_no_task_is_created_for_a_service_that_was_removed_meanwhile() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    done = bench.round(apply_it=False)
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    bench.apply_round(done)
    assert not bench.state.tasks


def test_no_task_is_created_on_a_node_that_was_removed_meanwhile() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    done = bench.round(apply_it=False)
    bench.submit(commands.RemoveNode(node_id="n2", force=True, now=bench.now))
    bench.apply_round(done)
    assert [task.node_id for task in bench.tasks()] == ["n1"]


def test_a_task_of_a_global_service_never_goes_to_another_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, networks=()))
    bench.change("n1", availability=objects.Availability.PAUSE)
    bench.settle()
    service = bench.service()
    _apply(
        bench,
        changes.CreateTask(
            task_id="g", service_id=service.id, slot=0, revision=1, cause="", node_id="n1"
        ),
        changes.AllocateTask(task_id="g", addresses={}),
        changes.AssignTask(task_id="g", node_id="n2"),
    )
    assert bench.state.tasks["g"].status.state == TaskState.PENDING
    assert bench.state.tasks["g"].node_id == "n1"


def test_a_task_is_not_assigned_to_a_node_that_was_removed_meanwhile() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    done = bench.round(apply_it=False)
    bench.submit(commands.RemoveNode(node_id="n1", force=True, now=bench.now))
    bench.apply_round(done)
    assert bench.newest().status.state == TaskState.PENDING


def test_a_task_that_was_told_to_end_meanwhile_gets_no_node() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.change("n1", availability=objects.Availability.PAUSE)
    bench.settle()
    bench.change("n1", availability=objects.Availability.ACTIVE)
    done = bench.round(apply_it=False)
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    bench.apply_round(done)
    assert bench.newest().node_id == ""


def test_a_desired_state_never_goes_back() -> None:
    bench = _running("n1")
    task = bench.newest()
    _apply(
        bench,
        changes.SetDesired(task_id=task.id, desired_state=TaskState.SHUTDOWN, cause="one"),
        changes.SetDesired(task_id=task.id, desired_state=TaskState.RUNNING, cause="two"),
    )
    assert bench.newest().desired_state == TaskState.SHUTDOWN
    assert bench.newest().end_cause == "one"


def test_only_an_unwanted_task_is_released() -> None:
    bench = _running("n1")
    _apply(bench, changes.ReleaseTask(task_id=bench.newest().id))
    assert not bench.newest().released


def test_a_task_of_a_node_that_came_back_meanwhile_is_not_given_up() -> None:
    bench = _running("n1")
    task = bench.newest()
    _apply(bench, changes.EndTask(task_id=task.id, state=TaskState.ORPHANED, error="gone"))
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_removed_task_of_a_node_that_came_back_meanwhile_is_not_forgotten() -> None:
    bench = _running("n1")
    bench.lose("n1")
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    done = bench.round(apply_it=False)
    bench.see("n1")
    bench.apply_round(done)
    assert [task.desired_state for task in bench.tasks()] == [TaskState.REMOVE]


def test_a_wanted_task_is_not_dropped() -> None:
    bench = _running("n1")
    _apply(bench, changes.DropTask(task_id=bench.newest().id))
    assert len(bench.tasks()) == 1


def test_a_pruned_network_goes_with_the_last_service_that_might_need_it_again() -> None:
    bench = _running("n1")
    other = service_spec(networks=("shop_other",))
    bench.deploy(other, prune=True)
    bench.obey()
    assert NETWORK in bench.state.network_ids
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    assert "shop_web" not in bench.state.service_ids
    assert NETWORK not in bench.state.network_ids


def test_a_removed_network_is_not_dropped_when_a_deploy_came_in_between() -> None:
    bench = Bench("n1")
    spec = stack_spec(service_spec())
    bench.put(spec)
    bench.obey()
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    bench.put(replace(spec, services=(), networks=()), prune=True)
    done = bench.round(apply_it=False)
    assert any(isinstance(change, changes.DropNetwork) for change in done.changes)
    bench.put(spec)
    bench.apply_round(done)
    assert NETWORK in bench.state.network_ids
    bench.obey()
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_config_that_a_deploy_took_up_again_is_not_dropped() -> None:
    bench = Bench("n1")
    container = specs.ContainerSpec(
        image="app:1",
        configs=(specs.ConfigReference(name="shop_settings", target="/settings"),),
    )
    task = replace(service_spec().task, container=container)
    spec = replace(
        stack_spec(service_spec()),
        services=(replace(service_spec(), task=task),),
        configs=(specs.ConfigSpec(name="shop_settings", content=b"x"),),
    )
    bench.put(spec)
    bench.obey()
    [config_id] = bench.state.configs
    bench.put(replace(spec, services=(), configs=()), prune=True)
    bench.put(spec)
    late = changes.DropConfig(config_id=config_id)
    bench.submit(commands.ApplyRound(term=bench.term, changes=(late,), now=bench.now))
    assert list(bench.state.configs) == [config_id]


def test_an_endpoint_whose_port_was_taken_meanwhile_is_decided_anew() -> None:
    bench = Bench("n1")
    automatic = specs.PortSpec(target=80)
    bench.deploy(service_spec(ports=(automatic,)))
    done = bench.round(apply_it=False)
    explicit = specs.PortSpec(target=80, published=30000)
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",), ports=(explicit,)), name="b"))
    bench.apply_round(done)
    bench.settle()
    assert bench.service("b_web").endpoint.ports == (explicit,)
    assert [port.published for port in bench.service().endpoint.ports] == [30001]


def test_a_service_is_not_rolled_back_onto_a_port_that_another_has() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(ports=(PORT,)))
    bench.obey()
    bench.deploy(service_spec(image="app:2"))
    bench.settle()
    service = bench.service()
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",), ports=(PORT,)), name="b"))
    _apply(
        bench,
        changes.RollBackService(service_id=service.id, revision=service.revision, message=""),
    )
    assert bench.service().revision == 2


def test_an_update_status_of_an_earlier_spec_is_left_out() -> None:
    bench = _running("n1")
    service = bench.service()
    bench.deploy(service_spec(image="app:2"))
    status = objects.UpdateStatus(state=objects.UpdateState.COMPLETED, started_at=0)
    _apply(
        bench,
        changes.SetUpdateStatus(service_id=service.id, revision=1, status=status),
    )
    held = bench.service().update_status
    assert held is not None
    assert held.state == objects.UpdateState.UPDATING


def test_revisions_in_use_are_never_forgotten() -> None:
    bench = _running("n1")
    bench.deploy(service_spec(image="app:2"))
    _apply(bench, changes.ForgetRevisions(service_id=bench.service().id, revisions=(1, 2)))
    assert set(bench.service().task_specs) == {1, 2}


def test_a_service_is_dropped_only_when_it_is_removed_and_empty() -> None:
    bench = _running("n1")
    _apply(bench, changes.DropService(service_id=bench.service().id))
    assert "shop_web" in bench.state.service_ids
    bench.submit(commands.RemoveService(service_id=bench.service().id, now=bench.now))
    _apply(bench, changes.DropService(service_id=bench.service().id))
    assert "shop_web" in bench.state.service_ids


def test_a_stack_is_not_forgotten_while_a_node_that_returned_keeps_a_task_of_it() -> None:
    bench = _running("n1", "n2")
    bench.lose("n1")
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    done = bench.round(apply_it=False)
    bench.see("n1")
    bench.apply_round(done)
    assert bench.state.services
    assert "shop" in bench.state.stacks


def test_a_gateway_is_not_given_to_a_node_that_was_removed_meanwhile() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(ports=(PORT,)))
    done = bench.round(apply_it=False)
    bench.submit(commands.RemoveNode(node_id="n2", force=True, now=bench.now))
    bench.apply_round(done)
    network = bench.state.networks[bench.state.network_ids[NETWORK]]
    assert set(network.gateways) == {"n1"}


def test_moving_a_cursor_calls_nobody() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    network_id = bench.state.network_ids[NETWORK]
    bench.add_node("n2", role=NodeRole.WORKER)
    bench.settle()
    before = bench.state
    _apply(bench, changes.SetAddressCursor(network_id=network_id, address_next=99))
    assert bench.state.networks[network_id].address_next == 99
    assert before.networks[network_id].address_next != 99
    assert bench.state.nodes["n2"].state == NodeState.READY
