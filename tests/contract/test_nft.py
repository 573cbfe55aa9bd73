"""What applying a ruleset means, for libnftables and for the nft program alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.core import nft_rules
from agent.drivers import netns, nft
from stackctl.errors import PermanentFailure, TemporaryFailure
from tests.namespaces import TestNamespace, namespaces

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[1] / "golden" / "nft"
TEXT = "table ip stackctl {\n\tchain one {\n\t\tip daddr 10.0.0.1 drop\n\t}\n}\n"
WRONG = (
    TEXT.replace("one", "two") + "table ip stackctl {\n\tchain three {\n\t\tgoto nowhere\n\t}\n}\n"
)

Run = Callable[[str, ExitStack], None]


@pytest.fixture
def namespace() -> Iterator[TestNamespace]:
    with namespaces(1) as (made,):
        yield made


@pytest.fixture(params=["library", "program"])
def run(request: pytest.FixtureRequest) -> Run:
    if request.param == "library":
        return nft.run_library
    return lambda text, _stack: nft.run_program(text)


def apply(namespace: TestNamespace, run: Run, text: str) -> None:
    with netns.open_namespace(namespace.pid) as opened:
        opened.run(lambda stack: run(text, stack))


def rules(namespace: TestNamespace) -> str:
    return namespace.command("nft", "list", "ruleset")


def generation(namespace: TestNamespace) -> int:
    with netns.open_namespace(namespace.pid) as opened:
        return opened.run(nft.generation_here)


@pytest.mark.parametrize("golden", sorted(GOLDEN.glob("*.nft")), ids=lambda path: path.stem)
def test_every_rendered_text_is_taken_twice(
    namespace: TestNamespace, run: Run, golden: Path
) -> None:
    apply(namespace, run, golden.read_text())
    before = rules(namespace)
    apply(namespace, run, golden.read_text())
    assert rules(namespace) == before


def test_a_refused_text_changes_nothing_and_says_why(namespace: TestNamespace, run: Run) -> None:
    apply(namespace, run, TEXT)
    before = rules(namespace)
    with pytest.raises(TemporaryFailure, match=r"nftables refused: .*(No such|Could not)"):
        apply(namespace, run, WRONG)
    assert rules(namespace) == before


def test_removal_removes_our_table_and_no_other(namespace: TestNamespace, run: Run) -> None:
    apply(namespace, run, TEXT + "table ip foreign {\n}\n")
    apply(namespace, run, nft_rules.render_removal())
    apply(namespace, run, nft_rules.render_removal())
    assert rules(namespace).split() == ["table", "ip", "foreign", "{", "}"]


def test_every_change_gives_another_generation(namespace: TestNamespace, run: Run) -> None:
    generations = [generation(namespace)]
    for text in (TEXT, nft_rules.render_removal()):
        apply(namespace, run, text)
        generations.append(generation(namespace))
    assert len(set(generations)) == 3
    assert generation(namespace) == generations[-1]


def test_applying_stays_in_the_callers_namespace(namespace: TestNamespace) -> None:
    reached = namespace.run(lambda: nft.apply(TEXT))
    assert "chain one" in rules(namespace)
    assert generation(namespace) == reached


def test_a_process_that_has_ended_has_no_namespace(namespace: TestNamespace) -> None:
    namespace.end_process()
    with (
        pytest.raises(netns.NamespaceGone, match="has ended"),
        netns.open_namespace(namespace.pid),
    ):
        pass


def test_the_nodes_own_namespace_is_never_entered(namespace: TestNamespace) -> None:
    def enter_own() -> None:
        with netns.open_namespace(namespace.pid):
            pass

    with pytest.raises(netns.NamespaceGone, match="of its own"):
        namespace.run(enter_own)


def test_what_work_raises_reaches_the_caller(namespace: TestNamespace) -> None:
    def fail(_stack: ExitStack) -> None:
        raise PermanentFailure("as expected")

    with (
        netns.open_namespace(namespace.pid) as opened,
        pytest.raises(PermanentFailure, match="as expected"),
    ):
        opened.run(fail)
