"""Revisions of a stack: what it was after each deploy, and returning to it whole."""

from msgspec.structs import replace

from stackctl.model import specs
from stackctl.model.objects import UpdateState
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.state.history import REVISIONS_MAX
from stackctl.state.results import Result
from tests.unit.core.bench import Bench, service_spec, stack_spec


def stack(
    image: str = "app:1", *, content: bytes = b"blue", secret: bytes = b"s1"
) -> specs.StackSpec:
    user = service_spec(image=image)
    container = replace(
        user.task.container,
        configs=(specs.ConfigReference(name="shop_settings", target="/settings"),),
        secrets=(specs.ConfigReference(name="shop_key", target="/run/secrets/key"),),
    )
    return replace(
        stack_spec(replace(user, task=replace(user.task, container=container))),
        configs=(specs.ConfigSpec(name="shop_settings", content=content),),
        secrets=(specs.SecretSpec(name="shop_key", content=secret),),
    )


def roll_back(bench: Bench, revision: int = 0, *, name: str = "shop") -> Result:
    return bench.submit(
        commands.RollBackStack(name=name, revision=revision, seed=b"again", now=bench.now)
    )


def settled(bench: Bench) -> None:
    """Everything that a deploy asks for is done and what nobody needs is forgotten."""
    for _ in range(6):
        bench.settle()
        bench.obey()
        bench.now += 10
    bench.settle()


def test_a_stack_returns_whole_with_specs_configs_and_secrets() -> None:
    bench = Bench("n1")
    bench.put(stack())
    first = bench.service()
    held = (bench.state.config_ids, bench.state.secret_ids)
    settled(bench)
    bench.put(stack("app:2", content=b"green", secret=b"s2"))
    settled(bench)
    assert (bench.state.config_ids, bench.state.secret_ids) != held
    result = roll_back(bench)
    assert result.error is None
    assert result.revision == 3
    assert bench.service().spec == first.spec
    assert (bench.state.config_ids, bench.state.secret_ids) == held
    settled(bench)
    assert bench.state.stacks["shop"].revisions[-1].cause == "rolled back to revision 1"


def test_services_that_came_later_go_and_those_that_went_return() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_a"), service_spec("shop_b"))
    settled(bench)
    bench.deploy(service_spec("shop_a"), service_spec("shop_c"), prune=True)
    settled(bench)
    assert roll_back(bench, 1).error is None
    settled(bench)
    names = {service.name for service in bench.state.services.values()}
    assert names == {"shop_a", "shop_b"}


def test_going_back_twice_is_where_one_was() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec(image="app:2"))
    roll_back(bench)
    roll_back(bench)
    assert bench.service().spec.task.container.image == "app:2"


def test_a_deploy_that_changes_nothing_is_no_revision() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.deploy(service_spec())
    assert [revision.number for revision in bench.state.stacks["shop"].revisions] == [1]


def test_the_oldest_revisions_go_and_their_contents_with_them() -> None:
    bench = Bench("n1")
    for number in range(REVISIONS_MAX + 3):
        bench.put(stack(content=str(number).encode()))
        settled(bench)
    numbers = [revision.number for revision in bench.state.stacks["shop"].revisions]
    assert numbers == list(range(4, REVISIONS_MAX + 4))
    assert len(bench.state.configs) == REVISIONS_MAX
    result = roll_back(bench, 1)
    assert result.error is not None
    assert result.error.message == "stack shop has no revision 1"
    assert result.error.hint.startswith("it has 4, 5")


def test_a_removed_stack_leaves_no_content_behind() -> None:
    bench = Bench("n1")
    bench.put(stack())
    bench.put(stack(content=b"green", secret=b"s2"))
    settled(bench)
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    settled(bench)
    assert not bench.state.stacks
    assert not bench.state.configs
    assert not bench.state.secrets


def test_without_an_earlier_revision_or_such_a_stack_it_is_refused() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    for result, said in (
        (roll_back(bench), "stack shop has no earlier revision"),
        (roll_back(bench, 1), "stack shop is at revision 1 already"),
        (roll_back(bench, name="blog"), "no such stack: blog"),
    ):
        assert result.error is not None
        assert result.error.message == said


def mounted(bench: Bench, name: str = "shop_web") -> bytes:
    """What the config says that the service mounts now."""
    service = bench.service(name)
    config_id = service.config_ids[service.revision]["shop_settings"]
    return bench.state.configs[config_id].spec.content


def update(bench: Bench, name: str, **fields: object) -> Result:
    held = bench.service(name)
    return bench.submit(
        commands.UpdateService(
            service_id=held.id, spec=replace(held.spec, **fields), previous=held.spec, now=bench.now
        )
    )


def rolled_back_beside_another() -> Bench:
    """`shop_web` mounts its first content again, which is not what the name means by now."""
    bench = Bench("n1")
    other = service_spec("shop_other")
    for content in (b"blue", b"green"):
        spec = stack(content=content)
        bench.put(replace(spec, services=(*spec.services, other)))
        settled(bench)
    assert bench.roll_back().error is None
    settled(bench)
    assert mounted(bench) == b"blue"
    return bench


def test_a_changed_service_keeps_the_contents_that_it_mounts() -> None:
    """A label for a service that had been rolled back brought the failing content again."""
    bench = rolled_back_beside_another()
    before = bench.service().revision
    assert update(bench, "shop_web", labels={"a": "b"}).error is None
    assert (bench.service().revision, mounted(bench)) == (before, b"blue")


def test_a_change_of_one_service_leaves_the_others_as_they_are() -> None:
    """It replaced the tasks of one that had been rolled back."""
    bench = rolled_back_beside_another()
    before = bench.service()
    result = update(bench, "shop_other", replicas=2)
    assert [change.name for change in result.changes if change.action != "unchanged"] == [
        "shop_other"
    ]
    assert bench.service() == before


def test_a_change_of_one_service_resumes_no_update_of_another() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(), service_spec("shop_other"))
    settled(bench)
    bench.deploy(service_spec(image="app:2"), service_spec("shop_other"))
    bench.settle()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.settle()
    paused = bench.service().update_status
    assert paused is not None
    assert paused.state == UpdateState.PAUSED
    update(bench, "shop_other", replicas=2)
    assert bench.service().update_status == paused


def test_a_rollback_of_a_service_is_a_revision_of_its_stack_to_return_to() -> None:
    bench = rolled_back_beside_another()
    held = bench.state.stacks["shop"]
    assert held.revisions[-1].cause == "service shop_web rolled back"
    spec = stack("app:3", content=b"red")
    bench.put(replace(spec, services=(*spec.services, service_spec("shop_other"))))
    settled(bench)
    assert mounted(bench) == b"red"
    assert roll_back(bench, held.revision).error is None
    settled(bench)
    assert mounted(bench) == b"blue", "what it mounted, not what the name meant then"


def test_a_content_that_only_a_rolled_back_service_mounts_may_be_kept_by_a_change() -> None:
    """Its name means nothing any longer, since the file has it no more."""
    bench = Bench("n1")
    bench.put(stack())
    settled(bench)
    bench.put(stack_spec(service_spec()), prune=True)
    settled(bench)
    assert bench.roll_back().error is None
    settled(bench)
    assert update(bench, "shop_web", replicas=2).error is None
    assert mounted(bench) == b"blue"
