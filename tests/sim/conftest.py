"""Runs the simulation's seeds in other processes, beside all other tests.

They begin when the first test begins and are asked for by the last ones, so that every core is in
use whatever the order; they give way to the tests, some of which look at a clock.
"""

import multiprocessing
import os
from collections.abc import Generator, Sequence
from concurrent import futures

import pytest

from tests.sim import run

SEEDS = 1000
SHARDS = 20
NICENESS = 5

Shards = Sequence["futures.Future[list[run.Outcome]]"]
_RUNNING = pytest.StashKey[Shards]()


def _waits(item: pytest.Item) -> bool:
    return "shards" in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_waits)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    if session.config.option.collectonly or not any(map(_waits, session.items)):
        return (yield)
    context = multiprocessing.get_context("spawn")  # the tests have threads
    with futures.ProcessPoolExecutor(
        os.cpu_count(), context, initializer=os.nice, initargs=(NICENESS,)
    ) as pool:
        session.config.stash[_RUNNING] = [
            pool.submit(run.outcomes_of, range(first, first + SEEDS // SHARDS))
            for first in range(1, SEEDS + 1, SEEDS // SHARDS)
        ]
        try:
            return (yield)
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def shards(pytestconfig: pytest.Config) -> Shards:
    """The outcomes of the seeds, as many times as there are shards."""
    return pytestconfig.stash[_RUNNING]
