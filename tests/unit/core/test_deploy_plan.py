"""What a plan says is what the deploy then does, and a plan changes nothing."""

import random
from typing import Any

import pytest
from msgspec.structs import replace

from stackctl.core.deploy_plan import plan_deploy
from stackctl.core.rehearsal import Rehearsal
from stackctl.model import specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.state.cluster import ClusterState
from stackctl.state.results import Rejection
from stackctl.wire import api
from tests.scenarios.mini_spec import FOREVER
from tests.sim.world import World
from tests.unit.core import bench
from tests.unit.core.bench import stack_spec

IMAGES = ("app:1", "app:2")
REST_SECONDS = 120.0
START_FIRST = specs.UpdatePolicy(order=specs.UpdateOrder.START_FIRST, monitor_seconds=0)
BOUND = specs.Placement(constraints=("node.hostname==n1",))


def service_spec(name: str = "shop_web", **fields: Any) -> specs.ServiceSpec:
    """A service of the bench whose program goes on."""
    made = bench.service_spec(name, **fields)
    container = replace(made.task.container, command=FOREVER)
    return replace(made, task=replace(made.task, container=container))


def world(*hostnames: str) -> World:
    made = World()
    for hostname in hostnames:
        made.add_node(hostname, images=IMAGES)
    return made


def plan(made: World, *services: specs.ServiceSpec, prune: bool = False) -> api.PlanView:
    # The seed that the world gives to its next deploy: new objects have the same ids.
    seed = f"seed {made._seeds + 1}".encode()
    command = commands.PutStack(
        spec=stack_spec(*services), seed=seed, prune=prune, now=made.managers.now()
    )
    before = made.state
    view = plan_deploy(before, command)
    assert view.settles
    assert made.state is before
    return view


def deploy(made: World, *services: specs.ServiceSpec, prune: bool = False) -> None:
    assert made.put_stack(stack_spec(*services), prune=prune).error is None
    made.advance(REST_SECONDS)


def running(state: ClusterState, name: str) -> dict[str, str]:
    """Node by task id."""
    service_id = state.service_ids.get(name, "")
    return {
        task.id: state.nodes[task.node_id].hostname
        for task in state.tasks_of(service_id).values()
        if task.status.state == TaskState.RUNNING
        and state.nodes[task.node_id].state != NodeState.DOWN
    }


def of(view: api.PlanView, name: str = "shop_web") -> api.ServicePlan:
    return next(service for service in view.services if service.name == name)


def test_an_unchanged_file_changes_nothing() -> None:
    made = world("n1", "n2")
    deploy(made, service_spec(replicas=2))
    planned = of(plan(made, service_spec(replicas=2)))
    assert (planned.action, planned.tasks_kept, planned.tasks_started) == ("unchanged", 2, 0)
    assert planned.running_lowest == 2


def test_a_changed_field_is_shown_with_both_values() -> None:
    made = world("n1")
    deploy(made, service_spec())
    planned = of(plan(made, service_spec(image="app:2")))
    assert planned.fields == (
        api.FieldChange(path="task.container.image", before="app:1", after="app:2"),
    )
    assert planned.cause == "task.container.image changed"


def test_one_task_that_stops_first_is_an_outage_and_start_first_is_none() -> None:
    made = world("n1")
    deploy(made, service_spec())
    stop_first = of(plan(made, service_spec(image="app:2")))
    start_first = of(plan(made, service_spec(image="app:2", update=START_FIRST)))
    assert (stop_first.running_lowest, start_first.running_lowest) == (0, 1)
    assert stop_first.tasks_started == start_first.tasks_started == 1


def test_a_service_that_no_node_takes_is_said_to_wait_with_its_reason() -> None:
    made = world("n1")
    placement = specs.Placement(constraints=("node.hostname==nowhere",))
    planned = of(plan(made, service_spec(placement=placement)))
    assert planned.waiting == (
        "1 task: no suitable node (scheduling constraints not satisfied on 1 node)",
    )


def test_what_the_loss_of_a_node_takes_away_is_said() -> None:
    made = world("n1", "n2")
    view = plan(
        made,
        service_spec("shop_bound", placement=BOUND),
        service_spec("shop_web", replicas=2),
    )
    first = next(loss for loss in view.losses if loss.node == "n1")
    assert first.gone == ("shop_bound",)
    assert "shop_web" not in first.interrupted


def test_a_rejected_deploy_has_no_plan() -> None:
    made = world("n1")
    port = specs.PortSpec(target=80, published=80)
    deploy(made, service_spec("shop_a", ports=(port,)))
    other = stack_spec(service_spec("other_a", ports=(port,), networks=("other",)), name="other")
    command = commands.PutStack(spec=other, seed=b"s", now=made.managers.now())
    with pytest.raises(Rejection, match="80"):
        plan_deploy(made.state, command)


@pytest.mark.parametrize("seed", range(25))
def test_what_a_plan_says_is_what_the_deploy_then_does(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a story repeats, it guards nothing
    made = world("n1", "n2", "n3")
    names = ("shop_a", "shop_b", "shop_c")
    for _ in range(4):
        services = [_random_service(chance, name) for name in names if chance.random() < 0.8]
        if not services:
            continue
        view = plan(made, *services, prune=True)
        before = {name: running(made.state, name) for name in names}
        deploy(made, *services, prune=True)
        for planned in view.services:
            after = running(made.state, planned.name)
            kept = set(before[planned.name]) & set(after)
            assert planned.running_after == len(after)
            assert planned.tasks_kept == len(kept)
            assert planned.tasks_started == len(after) - len(kept)
            assert sorted(planned.nodes.items()) == sorted(
                (host, list(after.values()).count(host)) for host in set(after.values())
            )


def _random_service(chance: random.Random, name: str) -> specs.ServiceSpec:
    order = chance.choice(list(specs.UpdateOrder))
    return service_spec(
        name,
        image=chance.choice(IMAGES),
        replicas=chance.randint(0, 4),
        mode=specs.Mode.GLOBAL if name == "shop_c" else specs.Mode.REPLICATED,
        placement=chance.choice((specs.Placement(), BOUND)),
        update=specs.UpdatePolicy(order=order, monitor_seconds=1, parallelism=chance.randint(0, 2)),
    )


def test_tasks_that_run_to_completion_are_counted() -> None:
    made = world("n1")
    job = service_spec("shop_load", mode=specs.Mode.REPLICATED_JOB, replicas=2)
    planned = of(plan(made, job), "shop_load")
    assert (planned.tasks_completed, planned.running_after) == (2, 0)


def job_spec(*, seconds: int, replicas: int) -> specs.ServiceSpec:
    made = service_spec("shop_load", mode=specs.Mode.REPLICATED_JOB, replicas=replicas)
    container = replace(made.task.container, command=("sh", "-c", f"sleep {seconds}; exit 0"))
    return replace(made, task=replace(made.task, container=container))


def after_runs(count: int) -> World:
    """A job with four tasks that was run that often."""
    made = world("n1", "n2")
    for number in range(count):
        deploy(made, job_spec(seconds=number, replicas=4))
        assert not running(made.state, "shop_load")
    return made


@pytest.mark.parametrize("runs", range(1, 8))
def test_a_run_whose_history_is_limited_counts_what_completes_in_it(runs: int) -> None:
    planned = of(plan(after_runs(runs), job_spec(seconds=9, replicas=4)), "shop_load")
    assert (planned.action, planned.tasks_completed) == ("update", 4)


def test_a_smaller_job_that_runs_again_counts_its_own_tasks_only() -> None:
    planned = of(plan(after_runs(1), job_spec(seconds=9, replicas=2)), "shop_load")
    assert planned.tasks_completed == 2


def test_a_smaller_job_that_does_not_run_again_completes_nothing() -> None:
    planned = of(plan(after_runs(1), job_spec(seconds=0, replicas=2)), "shop_load")
    assert planned.tasks_completed == 0


def test_a_service_that_restarts_elsewhere_is_interrupted_and_not_gone() -> None:
    made = world("n1", "n2")
    view = plan(made, service_spec())
    assert [(loss.gone, loss.interrupted) for loss in view.losses] == [((), ("shop_web",))]


def test_rehearsals_that_go_on_from_one_another_give_tasks_different_ids() -> None:
    made = world("n1", "n2")
    command = commands.PutStack(spec=stack_spec(service_spec()), seed=b"s", now=1.0)
    first = Rehearsal(made.state, now=1.0)
    first.submit(command)
    assert first.run()
    task = next(iter(first.state.tasks.values()))
    second = Rehearsal(first.state, now=first.now)
    lost = commands.LoseNode(
        node_id=task.node_id, term=first.state.term, message="silent", now=first.now
    )
    second.submit(lost)
    assert second.run()
    ids = set(second.state.tasks)
    assert task.id in ids
    assert len(ids) == 2


def test_a_field_that_is_as_by_default_before_and_after_is_not_shown() -> None:
    made = world("n1")
    # A number that equals the default and is another object, as when it was read from a file.
    window = specs.RestartPolicy(window_seconds=float("0.0"), attempts_max=3)
    deploy(made, service_spec(restart=specs.RestartPolicy(attempts_max=2)))
    planned = of(plan(made, service_spec(restart=window)))
    assert planned.fields == (
        api.FieldChange(path="task.restart.attempts_max", before="2", after="3"),
    )


def test_a_default_is_shown_with_its_value() -> None:
    made = world("n1")
    default = specs.UpdatePolicy()
    other = replace(default, monitor_seconds=default.monitor_seconds + 1)
    deploy(made, service_spec())
    planned = of(plan(made, service_spec(replicas=2, update=other)))
    assert planned.fields == (
        api.FieldChange(path="replicas", before="1", after="2"),
        api.FieldChange(
            path="update.monitor_seconds",
            before=str(default.monitor_seconds),
            after=str(other.monitor_seconds),
        ),
    )


def test_what_a_list_lost_and_gained_is_shown() -> None:
    made = world("n1")
    ports = tuple(specs.PortSpec(target=80, published=number) for number in (80, 81))
    deploy(made, service_spec(ports=ports[:1]))
    more = of(plan(made, service_spec(ports=ports)))
    assert [(field.path, field.before) for field in more.fields] == [("ports", "")]
    assert "81" in more.fields[0].after


def with_config(content: bytes, *services: specs.ServiceSpec) -> specs.StackSpec:
    config = specs.ConfigSpec(name="shop_motd", content=content)
    return replace(stack_spec(*services), configs=(config,))


def reading(name: str, *, on_change: str = "", image: str = "app:1") -> specs.ServiceSpec:
    """A service with two tasks that have the config."""
    reference = specs.ConfigReference(name="shop_motd", target="/motd", on_change=on_change)
    made = service_spec(name, image=image, replicas=2, update=START_FIRST)
    container = replace(made.task.container, configs=(reference,))
    return replace(made, task=replace(made.task, container=container))


def test_tasks_whose_process_is_told_of_a_content_are_counted_and_not_replaced() -> None:
    made = world("n1", "n2")
    services = (reading("shop_told", on_change="SIGHUP"), reading("shop_anew"))
    assert made.put_stack(with_config(b"one", *services)).error is None
    made.advance(REST_SECONDS)
    before = {name: running(made.state, name) for name in ("shop_told", "shop_anew")}
    command = commands.PutStack(
        spec=with_config(b"two", *services), seed=b"s", now=made.managers.now()
    )
    view = plan_deploy(made.state, command)
    told, anew = of(view, "shop_told"), of(view, "shop_anew")
    assert (told.action, told.tasks_told, told.tasks_kept, told.tasks_started) == (
        "update",
        2,
        2,
        0,
    )
    assert (anew.action, anew.tasks_told, anew.tasks_kept, anew.tasks_started) == (
        "update",
        0,
        0,
        2,
    )
    assert made.put_stack(with_config(b"two", *services)).error is None
    made.advance(REST_SECONDS)
    assert running(made.state, "shop_told") == before["shop_told"]
    assert not set(running(made.state, "shop_anew")) & set(before["shop_anew"])


def test_a_content_that_changes_with_the_image_tells_nobody() -> None:
    made = world("n1", "n2")
    told = reading("shop_told", on_change="SIGHUP")
    assert made.put_stack(with_config(b"one", told)).error is None
    made.advance(REST_SECONDS)
    newer = reading("shop_told", on_change="SIGHUP", image="app:2")
    command = commands.PutStack(spec=with_config(b"two", newer), seed=b"s", now=made.managers.now())
    planned = of(plan_deploy(made.state, command), "shop_told")
    assert (planned.tasks_told, planned.tasks_started) == (0, 2)
