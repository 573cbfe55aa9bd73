"""The thread for work that nobody waits for."""

import threading
from collections.abc import Iterator

import pytest

from agent.drivers.sweeper import Sweeper


@pytest.fixture
def sweeper() -> Iterator[Sweeper]:
    made = Sweeper()
    yield made
    made.close()


def test_a_request_made_twice_before_its_turn_runs_once_as_last_asked(sweeper: Sweeper) -> None:
    seen: list[str] = []
    may_go_on, is_done = threading.Event(), threading.Event()

    def wait() -> None:
        may_go_on.wait(5)

    sweeper.request("busy", wait)
    sweeper.request("one", lambda: seen.append("older"))
    sweeper.request("one", lambda: seen.append("newer"))
    sweeper.request("last", is_done.set)
    may_go_on.set()
    assert is_done.wait(5)
    assert seen == ["newer"]


def test_work_that_fails_does_not_end_the_thread(sweeper: Sweeper) -> None:
    is_done = threading.Event()

    def fail() -> None:
        raise ValueError("as expected")

    sweeper.request("bad", fail)
    sweeper.request("good", is_done.set)
    assert is_done.wait(5)


def test_a_closed_sweeper_runs_nothing(sweeper: Sweeper) -> None:
    sweeper.close()
    sweeper.request("late", lambda: pytest.fail("ran"))
    sweeper.close()
