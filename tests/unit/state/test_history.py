"""Revisions of a stack: what it was after each deploy, and returning to it whole."""

from msgspec.structs import replace

from stackctl.model import specs
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
