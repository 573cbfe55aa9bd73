"""Visits to network namespaces: each in the right one, and nothing left behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from agent.drivers import netns
from tests.eventually import eventually
from tests.namespaces import TestNamespace, namespaces

pytestmark = pytest.mark.integration

VISITS = 60


@pytest.fixture
def two() -> Iterator[tuple[TestNamespace, ...]]:
    with namespaces(2) as made:
        yield tuple(made)


def visit(namespace: TestNamespace) -> bool:
    with netns.open_namespace(namespace.pid) as opened:
        return opened.run(lambda _stack: netns.own_identity()) == opened.identity


def test_every_visit_is_in_the_namespace_that_is_meant(two: tuple[TestNamespace, ...]) -> None:
    with ThreadPoolExecutor(6) as callers:
        assert all(callers.map(visit, two * VISITS))


def test_a_visit_that_fails_says_why_and_the_next_is_well(two: tuple[TestNamespace, ...]) -> None:
    def fail(_stack: ExitStack) -> None:
        raise LookupError("nothing here")

    with (
        pytest.raises(LookupError, match="nothing here"),
        netns.open_namespace(two[0].pid) as opened,
    ):
        opened.run(fail)

    assert visit(two[0])
    assert visit(two[1])


def test_what_visits_leave_is_cleaned_up_and_visitors_end(two: tuple[TestNamespace, ...]) -> None:
    cleaned: list[int] = []
    with netns.open_namespace(two[0].pid) as opened:
        for number in range(VISITS):

            def leave(stack: ExitStack, number: int = number) -> None:
                stack.callback(cleaned.append, number)

            opened.run(leave)

    eventually(lambda: sorted(cleaned) == list(range(VISITS)), timeout_seconds=10)
    eventually(lambda: not _visitors(), timeout_seconds=10)


def _visitors() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("network-namespace", "namespace-cleaner"))]
