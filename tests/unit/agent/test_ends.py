"""Which ends count as stopped by the engine or by hand, and which are the container's own."""

import pytest
from msgspec.structs import replace

from agent.core.observed import Container, ContainerState
from agent.drivers.engine import ContainerEvent
from agent.worker.ends import Ends

GRACE_SECONDS = 10.0
UP = Container(
    id="c1",
    name="web.1.t1",
    task_id="t1",
    state=ContainerState.RUNNING,
    stop_grace_seconds=GRACE_SECONDS,
)
TERM, KILL, HUP, USR1 = 15, 9, 1, 10


def _hear(
    ends: Ends, kind: str, *, signal: int = 0, now: float = 0, container: Container = UP
) -> None:
    event = ContainerEvent(container_id="c1", task_id="t1", kind=kind, signal=signal)
    ends.hear(event, container, now=now)


def _was_stopped(ends: Ends, *, code: int = 0, now: float = 0, container: Container = UP) -> bool:
    ended = replace(container, state=ContainerState.EXITED, exit_code=code)
    return ends.explain(ended, now=now).stopped_elsewhere


@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_an_end_after_a_stop_signal_is_a_stop_whatever_the_code(code: int) -> None:
    """Only code 0 was looked at: a service that ended with 143 had failed by itself."""
    ends = Ends()
    _hear(ends, "kill", signal=TERM)
    _hear(ends, "die", now=0.1)
    assert _was_stopped(ends, code=code)


def test_a_container_that_is_killed_after_its_grace_period_was_stopped() -> None:
    ends = Ends()
    _hear(ends, "kill", signal=TERM)
    _hear(ends, "kill", signal=KILL, now=60)  # `docker stop -t 60`
    _hear(ends, "die", now=60.1)
    assert _was_stopped(ends, code=137, now=60.1)


def test_a_kill_out_of_the_blue_is_an_end_of_its_own() -> None:
    ends = Ends()
    _hear(ends, "kill", signal=KILL)
    _hear(ends, "die")
    assert not _was_stopped(ends, code=137)


def test_a_crash_long_after_a_signal_is_an_end_of_its_own() -> None:
    ends = Ends()
    _hear(ends, "kill", signal=TERM)  # taken for a request to open a log anew
    _hear(ends, "die", now=600)
    assert not _was_stopped(ends, code=1, now=600)


@pytest.mark.parametrize("signal", [HUP, USR1])
def test_a_signal_that_ends_nothing_is_no_stop(signal: int) -> None:
    ends = Ends()
    _hear(ends, "kill", signal=signal)
    _hear(ends, "die", now=1)
    assert not _was_stopped(ends, now=1)


@pytest.mark.parametrize(("name", "signal"), [("SIGUSR1", USR1), ("SIGKILL", KILL)])
def test_an_images_own_stop_signal_is_a_stop_whichever_it_is(name: str, signal: int) -> None:
    """A proxy that stops by USR1 counted as completed when its engine was upgraded."""
    container = replace(UP, stop_signal=name)
    ends = Ends()
    _hear(ends, "kill", signal=signal, container=container)
    _hear(ends, "die", container=container)
    assert _was_stopped(ends, container=container)


@pytest.mark.parametrize("is_early", [True, False])
def test_a_signal_of_ours_is_no_stop_and_the_next_one_is(is_early: bool) -> None:
    """The event may come while the signal is being sent, or long after."""
    ends = Ends()
    ends.tell("c1", ["SIGTERM"], now=0)
    _hear(ends, "kill", signal=TERM, now=0 if is_early else 30)
    assert not _was_stopped(ends, now=31)
    _hear(ends, "kill", signal=TERM, now=32)
    _hear(ends, "die", now=32)
    assert _was_stopped(ends, now=32)


def test_a_signal_of_ours_that_was_never_heard_hides_no_later_stop() -> None:
    ends = Ends()
    ends.tell("c1", ["SIGTERM"], now=0)
    _hear(ends, "kill", signal=TERM, now=3600)
    _hear(ends, "die", now=3600)
    assert _was_stopped(ends, now=3600)


def test_an_end_that_is_seen_before_it_is_heard_is_a_stop() -> None:
    ends = Ends()
    _hear(ends, "kill", signal=TERM)
    assert _was_stopped(ends, code=143)


@pytest.mark.parametrize(
    ("code", "was_stopped"), [(0, True), (143, True), (137, True), (1, False), (255, False)]
)
def test_what_ended_with_its_engine_was_stopped_if_its_code_says_so(
    code: int, was_stopped: bool
) -> None:
    ends = Ends()
    ends.miss(["c1"], is_first_look=False)
    assert _was_stopped(ends, code=code) is was_stopped


@pytest.mark.parametrize(("code", "was_stopped"), [(0, True), (143, True), (137, False)])
def test_who_kills_a_container_while_the_agent_is_away_has_not_stopped_it(
    code: int, was_stopped: bool
) -> None:
    ends = Ends()
    ends.miss(["c1"], is_first_look=True)
    assert _was_stopped(ends, code=code) is was_stopped


def test_an_end_that_was_heard_needs_no_guess() -> None:
    ends = Ends()
    _hear(ends, "die")
    ends.miss(["c1"], is_first_look=False)
    assert not _was_stopped(ends)


def test_a_container_that_runs_anew_begins_anew() -> None:
    ends = Ends()
    _hear(ends, "kill", signal=TERM)
    _hear(ends, "die")
    _hear(ends, "start", now=1)
    _hear(ends, "die", now=2)
    assert not _was_stopped(ends, now=2)
