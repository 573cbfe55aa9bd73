"""Which manager next, how long to wait, and when to leave one."""

import pytest

from agent.core.manager_choice import ManagerChoice
from agent.core.pulse import Pulse


def test_failures_go_round_the_list_and_wait_longer() -> None:
    choice = ManagerChoice(managers=("a", "b", "c"))
    assert choice.pause_seconds(1.0) == 0
    tried, pauses = [], []
    for _ in range(8):
        tried.append(choice.current)
        choice = choice.after_failure()
        pauses.append(choice.pause_seconds(1.0))
    assert tried == ["a", "b", "c", "a", "b", "c", "a", "b"]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert choice.pause_seconds(0.0) == 1.0
    assert choice.after_success().pause_seconds(1.0) == 0


def test_connecting_may_take_longer_after_a_whole_round_of_failures() -> None:
    choice = ManagerChoice(managers=("a", "b"))
    waits = []
    for _ in range(7):
        waits.append(choice.connect_seconds)
        choice = choice.after_failure()
    assert waits == [1, 1, 2, 2, 4, 4, 5]


def test_suspicion_moves_on_without_a_pause() -> None:
    choice = ManagerChoice(managers=("a", "b"), failures=3).after_suspicion()
    assert (choice.current, choice.pause_seconds(1.0)) == ("b", 0)


def test_new_list_keeps_the_order_of_those_known() -> None:
    choice = ManagerChoice(managers=("b", "a")).with_managers(("a", "b", "c"))
    assert choice.managers == ("b", "a", "c")
    assert choice.with_managers(("c", "d")).managers == ("c", "d")
    assert choice.with_managers(()).managers == ("b", "a", "c")


def pulse(**fields: object) -> Pulse:
    known = {"period_seconds": 1.0, "looked_at": 100.0, "answered_at": 100.0, "beat_at": 100.0}
    return Pulse(**(known | fields))  # type: ignore[arg-type]  # a table of fields


@pytest.mark.parametrize(
    ("has_alternatives", "leaves_at"), [(True, 101.9), (False, 103.1)], ids=["several", "one"]
)
def test_silent_manager_is_left_before_the_node_counts_as_down(
    has_alternatives: bool, leaves_at: float
) -> None:
    silent = pulse(has_alternatives=has_alternatives)
    assert silent.fault(now=leaves_at - 0.2) == ""
    assert "no answer for" in silent.fault(now=leaves_at)
    answered = silent.after_answer(now=leaves_at - 0.2, has_leader=True)
    assert answered.fault(now=leaves_at) == ""


def test_manager_without_leader_is_left_after_a_while() -> None:
    current = pulse()
    for second in range(1, 4):
        current = current.after_answer(now=100.0 + second, has_leader=False)
        assert current.fault(now=100.0 + second) == ""
    current = current.after_answer(now=104.0, has_leader=False)
    assert "no leader" in current.fault(now=104.0)
    assert current.after_answer(now=104.0, has_leader=True).fault(now=104.0) == ""


def test_lonely_manager_without_leader_is_kept() -> None:
    current = pulse(has_alternatives=False)
    for second in range(1, 20):
        current = current.after_answer(now=100.0 + second, has_leader=False)
    assert current.fault(now=119.0) == ""


def test_late_look_means_that_the_node_stood_still() -> None:
    assert not pulse().stood_still(now=101.9)
    assert pulse().stood_still(now=102.1)
    assert not pulse().after_look(now=102.0).stood_still(now=102.1)


def test_late_heartbeats_do_not_add_up() -> None:
    current = pulse()
    assert current.beat_at == 100.0
    current = current.after_beat(now=100.3)
    assert current.beat_at == 101.0
    current = current.after_beat(now=103.0)
    assert current.beat_at == 103.5
