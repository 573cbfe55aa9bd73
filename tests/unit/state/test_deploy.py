"""Deploying a stack: whole or not at all; what replaces tasks, what a rollback restores."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.objects import UpdateState
from stackctl.state import commands
from stackctl.state.changes import SetUpdateStatus
from stackctl.state.history import REVISIONS_MAX
from stackctl.state.results import Result
from tests.unit.core.bench import NETWORK, Bench, service_spec, stack_spec

SETTINGS = specs.ConfigSpec(name="shop_settings", content=b"blue")


def _with_config(
    content: bytes = b"blue", *, monitor_seconds: float = 5, replicas: int = 1
) -> specs.StackSpec:
    plain = service_spec("shop_plain")
    update = specs.UpdatePolicy(monitor_seconds=monitor_seconds)
    user = service_spec(update=update, replicas=replicas)
    container = replace(
        user.task.container,
        configs=(specs.ConfigReference(name="shop_settings", target="/settings"),),
    )
    user = replace(user, task=replace(user.task, container=container))
    stack = stack_spec(user, plain)
    return replace(stack, configs=(replace(SETTINGS, content=content),))


def test_the_same_stack_again_changes_nothing_but_the_index() -> None:
    bench = Bench("n1")
    bench.put(_with_config())
    bench.obey()
    before = bench.state
    result = bench.put(_with_config())
    assert {change.action for change in result.changes} == {"unchanged"}
    assert result.revision == 1
    assert bench.state == replace(before, index=before.index + 1)


def test_the_same_stack_again_leaves_the_rollback_target_alone() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(image="app:2"))
    bench.deploy(service_spec(image="app:2"))
    previous = bench.service().previous_spec
    assert previous is not None
    assert previous.task.container.image == "app:1"


def test_ids_come_from_the_seed() -> None:
    states = []
    for _ in range(2):
        bench = Bench("n1")
        bench.put(_with_config())
        states.append(bench.state)
    assert states[0] == states[1]


def test_a_refused_stack_creates_nothing() -> None:
    bench = Bench("n1")
    before = bench.state
    broken = replace(service_spec("shop_db"), replicas=-1)
    result = bench.deploy(service_spec(), broken)
    assert result.error is not None
    assert bench.state == replace(before, index=before.index + 1)


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        (lambda spec: replace(spec, replicas=4), False),
        (lambda spec: replace(spec, labels={"a": "b"}), False),
        (lambda spec: replace(spec, update=specs.UpdatePolicy(parallelism=3)), False),
        (lambda spec: replace(spec, rollback=specs.UpdatePolicy(parallelism=3)), False),
        (lambda spec: replace(spec, endpoint_mode=specs.EndpointMode.DNSRR), False),
        (
            lambda spec: replace(spec, ports=(specs.PortSpec(target=80, published=8080),)),
            False,
        ),
        (
            lambda spec: replace(
                spec,
                ports=(specs.PortSpec(target=80, published=8080, mode=specs.PortMode.HOST),),
            ),
            True,
        ),
        (
            lambda spec: replace(
                spec, task=replace(spec.task, restart=specs.RestartPolicy(attempts_max=1))
            ),
            False,
        ),
        (
            lambda spec: replace(
                spec,
                task=replace(
                    spec.task, placement=specs.Placement(constraints=("node.role==worker",))
                ),
            ),
            False,
        ),
        (lambda spec: replace(spec, task=replace(spec.task, force_update=1)), True),
        (
            lambda spec: replace(
                spec, task=replace(spec.task, limits=specs.Resources(nano_cpus=1))
            ),
            True,
        ),
        (lambda _spec: service_spec(image="app:2"), True),
    ],
)
def test_only_what_changes_a_container_starts_an_update(
    change: Callable[[specs.ServiceSpec], specs.ServiceSpec], replaces: bool
) -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    result = bench.deploy(change(service_spec()))
    assert {item.action for item in result.changes if item.kind == "service"} == {"update"}
    assert bench.service().revision == (2 if replaces else 1)
    assert (bench.service().update_status is not None) is replaces
    assert bench.service().spec == change(service_spec())


def test_a_changed_config_updates_exactly_its_users() -> None:
    bench = Bench("n1")
    bench.put(_with_config())
    bench.obey()
    result = bench.put(_with_config(b"green"))
    causes = {change.name: (change.action, change.cause) for change in result.changes}
    assert causes["shop_settings"] == ("update", "content changed")
    assert causes["shop_web"] == ("update", "content of config shop_settings changed")
    assert causes["shop_plain"] == ("unchanged", "")
    assert bench.service("shop_plain").revision == 1


def test_other_labels_of_a_config_replace_nothing() -> None:
    bench = Bench("n1")
    spec = _with_config()
    bench.put(spec)
    labelled = replace(spec.configs[0], labels={"a": "b"})
    result = bench.put(replace(spec, configs=(labelled,)))
    causes = {change.name: change.cause for change in result.changes}
    assert causes["shop_settings"] == "labels changed"
    assert bench.service().revision == 1


def test_the_contents_of_old_revisions_stay_until_nobody_needs_them() -> None:
    bench = Bench("n1")
    for content in (b"one", b"two", b"three"):
        bench.put(_with_config(content, monitor_seconds=0))
        bench.obey()
    contents = {config.spec.content for config in bench.state.configs.values()}
    # The history of the slot still refers to the first.
    assert contents == {b"one", b"two", b"three"}
    for number in range(REVISIONS_MAX + 3):
        bench.put(_with_config(str(number).encode(), monitor_seconds=0))
        bench.obey()
    contents = {config.spec.content for config in bench.state.configs.values()}
    assert b"one" not in contents
    assert len(contents) == REVISIONS_MAX


def test_services_absent_from_the_file_stay_without_prune() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(), service_spec("shop_db"))
    bench.deploy(service_spec())
    assert not bench.service("shop_db").removing


def test_pruning_takes_services_networks_and_configs() -> None:
    bench = Bench("n1")
    bench.put(_with_config())
    bench.obey()
    result = bench.put(stack_spec(service_spec("shop_new", networks=("shop_n",))), prune=True)
    removed = {(change.kind, change.name) for change in result.changes if change.action == "remove"}
    assert removed == {
        ("service", "shop_plain"),
        ("service", "shop_web"),
        ("network", NETWORK),
        ("config", "shop_settings"),
    }
    bench.obey()
    assert set(bench.state.service_ids) == {"shop_new"}
    assert set(bench.state.network_ids) == {"shop_n"}
    # Its content stays for the revision that one may return to.
    assert all(config.removing for config in bench.state.configs.values())


def test_pruning_leaves_other_stacks_alone() -> None:
    bench = Bench("n1")
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",)), name="b"))
    bench.put(stack_spec(name="shop"), prune=True)
    assert not bench.service("b_web").removing


def test_a_network_that_the_previous_spec_needs_outlives_pruning() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(networks=("shop_old",)))
    bench.obey()
    bench.deploy(service_spec(networks=("shop_new",)), prune=True)
    bench.obey()
    assert "shop_old" in bench.state.network_ids
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    bench.obey()
    old = bench.state.network_ids["shop_old"]
    assert [set(task.addresses) for task in bench.live()] == [{old}]


def test_a_small_change_during_an_update_keeps_the_rollback_target() -> None:
    # Otherwise the failing spec with another number of replicas would be what a rollback restores.
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    bench.deploy(service_spec(image="app:2"))
    bench.deploy(service_spec(image="app:2", replicas=3))
    previous = bench.service().previous_spec
    assert previous is not None
    assert previous.task.container.image == "app:1"
    assert bench.service().previous_revision == 1


def test_a_small_change_after_an_update_can_be_undone() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(replicas=3))
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    assert bench.service().spec.replicas == 1


def test_deploying_a_paused_update_again_lets_it_go_on() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(image="app:2"))
    _pause(bench, UpdateState.PAUSED)
    result = bench.deploy(service_spec(image="app:2"))
    assert result.changes[-1].cause == "the paused update goes on"
    status = bench.service().update_status
    assert status is not None
    assert (status.state, status.started_version) == (UpdateState.UPDATING, bench.state.index)


def test_deploying_a_paused_rollback_again_goes_on_backwards() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(image="app:2"))
    bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    _pause(bench, UpdateState.ROLLBACK_PAUSED)
    bench.deploy(service_spec())
    status = bench.service().update_status
    assert status is not None
    assert status.state == UpdateState.ROLLBACK_STARTED


def test_a_manual_rollback_toggles() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(image="app:2"))
    seen = []
    for _ in range(3):
        bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
        seen.append((bench.service().spec.task.container.image, bench.service().revision))
    assert seen == [("app:1", 1), ("app:2", 2), ("app:1", 1)]


def test_without_a_previous_spec_there_is_no_rollback() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    result = bench.submit(commands.RollbackService(service_id=bench.service().id, now=bench.now))
    assert result.error is not None
    assert result.error.message == "service shop_web does not have a previous spec"


def test_scaling_is_no_update_and_no_revision() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.submit(commands.ScaleService(service_id=bench.service().id, replicas=5, now=bench.now))
    assert bench.service().spec.replicas == 5
    assert (bench.service().revision, bench.service().update_status) == (1, None)
    assert bench.service().previous_spec is None


def test_a_global_service_cannot_be_scaled() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    result = bench.submit(
        commands.ScaleService(service_id=bench.service().id, replicas=5, now=bench.now)
    )
    assert result.error is not None
    assert "is global" in result.error.message


@pytest.mark.parametrize("replicas", [-1, 100_001])
def test_absurd_numbers_of_replicas_are_refused(replicas: int) -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    result = bench.submit(
        commands.ScaleService(service_id=bench.service().id, replicas=replicas, now=bench.now)
    )
    assert result.error is not None
    assert bench.service().spec.replicas == 1


def test_removing_a_stack_ends_all_its_tasks_and_leaves_nothing() -> None:
    bench = Bench("n1", "n2")
    bench.put(_with_config(replicas=3))
    bench.obey()
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    assert bench.state.stacks["shop"].removing
    bench.wait(6)
    bench.obey()
    left = (
        bench.state.stacks,
        bench.state.services,
        bench.state.networks,
        bench.state.configs,
        bench.state.tasks,
        bench.state.unplaced,
        bench.state.tasks_by_node,
    )
    assert all(not part for part in left)


def test_a_stack_with_tasks_on_a_lost_node_goes_too() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.lose("n2")
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    bench.wait(6)
    bench.obey()
    assert not bench.state.stacks


def test_an_unknown_stack_or_service_is_named() -> None:
    bench = Bench()
    for command, name in (
        (commands.RemoveStack(name="x", now=1), "no such stack: x"),
        (commands.RemoveService(service_id="x", now=1), "no such service: x"),
        (commands.ScaleService(service_id="x", replicas=1, now=1), "no such service: x"),
    ):
        result = bench.submit(command)
        assert result.error is not None
        assert (result.error.message, result.error.kind) == (name, "unknown-name")


def test_a_port_that_one_service_drops_another_of_the_same_deploy_may_take() -> None:
    bench = Bench("n1")
    port = specs.PortSpec(target=80, published=8080)
    bench.deploy(service_spec(ports=(port,)), service_spec("shop_db"))
    bench.settle()
    result = bench.deploy(service_spec(), service_spec("shop_db", ports=(port,)))
    assert result.error is None
    bench.settle()
    assert bench.service("shop_db").endpoint.ports == (port,)
    assert bench.service().endpoint.ports == ()


def test_a_number_that_was_asked_for_is_not_kept_when_the_choice_is_ours() -> None:
    bench = Bench("n1")
    asked = specs.PortSpec(target=80, published=8080)
    ours = specs.PortSpec(target=80)
    bench.deploy(service_spec(ports=(asked,)), service_spec("shop_db"))
    bench.settle()
    bench.deploy(service_spec(ports=(ours,)), service_spec("shop_db", ports=(asked,)))
    bench.settle()
    assert bench.service("shop_db").endpoint.ports == (asked,)
    assert bench.service().endpoint.ports[0].published == 30000


def test_a_chosen_number_makes_way_for_a_service_that_asks_for_it() -> None:
    bench = Bench("n1")
    ours = specs.PortSpec(target=80)
    asked = specs.PortSpec(target=80, published=30000)
    bench.deploy(service_spec(ports=(ours,)))
    bench.settle()
    bench.deploy(service_spec(ports=(ours,)), service_spec("shop_db", ports=(asked,)))
    bench.settle()
    assert bench.service("shop_db").endpoint.ports == (asked,)
    assert bench.service().endpoint.ports[0].published == 30001


def _pause(bench: Bench, state: UpdateState) -> None:

    service = bench.service()
    status = service.update_status
    assert isinstance(status, objects.UpdateStatus)
    bench.submit(
        commands.ApplyRound(
            term=bench.term,
            changes=(
                SetUpdateStatus(
                    service_id=service.id,
                    revision=service.revision,
                    status=replace(status, state=state),
                ),
            ),
            now=bench.now,
        )
    )


def _update(bench: Bench, spec: specs.ServiceSpec, previous: specs.ServiceSpec) -> Result:
    service = bench.service()
    return bench.submit(
        commands.UpdateService(service_id=service.id, spec=spec, previous=previous, now=bench.now)
    )


def test_one_service_is_updated_and_its_stack_counts_a_revision() -> None:
    bench = Bench("n1")
    bench.put(_with_config())
    before = bench.service("shop_plain")
    held = bench.service().spec
    container = replace(held.task.container, image="app:2")
    result = _update(bench, replace(held, task=replace(held.task, container=container)), held)
    assert result.error is None
    assert result.revision == 2
    assert bench.service().spec.task.container.image == "app:2"
    assert bench.service("shop_plain") == before


def test_an_update_made_from_an_older_spec_is_refused() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    previous = bench.service().spec
    bench.deploy(service_spec(image="app:2"))
    result = _update(bench, replace(previous, replicas=3), previous)
    assert result.error is not None
    assert result.error.kind == "conflict"
    assert bench.service().spec.replicas == 1


def test_an_update_is_checked_like_a_deploy() -> None:
    bench = Bench("n1")
    port = specs.PortSpec(target=80, published=80)
    bench.deploy(service_spec(), service_spec("shop_other", ports=(port,)))
    held = bench.service().spec
    result = _update(bench, replace(held, ports=(port,)), held)
    assert result.error is not None
    assert "already published by shop_other" in result.error.message
