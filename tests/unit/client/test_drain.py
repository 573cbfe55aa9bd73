"""Watching a drain: what is left, why, and when waiting is in vain."""

from typing import Any

import pytest

from stackctl.client.drain import Drain, DrainVerdict
from stackctl.client.views import NodeView, TaskView, complete_node, complete_task
from tests.view_cases import node, task

NODE: NodeView = complete_node({**node("n1"), "availability": "drain"})


def a_task(name: str, *, on: str = "n1", at: float = 1, **fields: Any) -> TaskView:
    view = {
        **task(name),
        "service": name.rpartition(".")[0],
        "service_id": name.rpartition(".")[0],
        "node": on,
        "node_id": NODE["id"] if on == "n1" else on,
        "node_state": "ready",
        "state": "running",
        "desired_state": "running",
        "created_at": at,
        "is_current": True,
        "error": "",
        **fields,
    }
    return complete_task(view)


def replacement(name: str, **fields: Any) -> TaskView:
    return a_task(name, at=2, **{"on": "n2", **fields})


class Watch:
    """A drain whose node has these tasks when it begins."""

    def __init__(self, *here: TaskView, timeout_seconds: float | None = None) -> None:
        self.drain = Drain(now=0, stalled_seconds=30, timeout_seconds=timeout_seconds)
        self.drain.note(here)

    def look(self, *tasks: TaskView, now: float = 1, availability: str = "drain") -> DrainVerdict:
        seen = complete_node({**NODE, "availability": availability})
        return self.drain.observe(seen, tasks, now=now)


def test_each_service_is_counted_until_nothing_is_left() -> None:
    first, second = a_task("web.1"), a_task("web.2")
    watch = Watch(first, second)
    moved = a_task("web.1", state="shutdown", desired_state="shutdown", is_current=False)
    (web,) = watch.look(moved, replacement("web.1"), second).services
    assert (web.left, web.before, web.is_done) == (1, 2, False)
    gone = a_task("web.2", state="shutdown", desired_state="shutdown", is_current=False)
    verdict = watch.look(moved, replacement("web.1"), gone, replacement("web.2"))
    assert verdict.is_done
    assert verdict.services[0].is_done


def test_a_drain_is_done_when_what_has_left_runs_elsewhere() -> None:
    gone = a_task("web.1", state="shutdown", desired_state="shutdown", is_current=False)
    watch = Watch(a_task("web.1"))
    assert not watch.look(gone, replacement("web.1", state="starting")).is_done
    assert watch.look(gone, replacement("web.1")).is_done


def test_a_replacement_that_comes_up_for_ever_ends_the_wait() -> None:
    gone = a_task("web.1", state="shutdown", desired_state="shutdown", is_current=False)
    watch = Watch(a_task("web.1"))
    coming = replacement("web.1", state="starting")
    assert not watch.look(gone, coming, now=1).is_done
    assert watch.look(gone, coming, now=31).is_done


def test_what_runs_nowhere_afterwards_is_named() -> None:
    gone = a_task("db.1", state="shutdown", desired_state="shutdown", is_current=False)
    waiting = replacement("db.1", on="", state="pending", error="its data is on n1")
    verdict = Watch(a_task("db.1")).look(gone, waiting)
    assert verdict.is_done
    assert verdict.homeless == ("db.1: its data is on n1",)


@pytest.mark.parametrize(("state", "on"), [("rejected", "n2"), ("pending", "")])
def test_a_drain_is_stuck_when_nothing_goes_and_replacements_are_refused(
    state: str, on: str
) -> None:
    stays = a_task("web.1")
    refused = replacement("web.1", on=on, state=state, error="no such image", is_current=on == "")
    watch = Watch(stays)
    assert watch.look(stays, refused, now=1).failure == ""
    assert watch.look(stays, refused, now=32).failure == (
        "node n1 gets no emptier: 1 task left (web: web.1 cannot run elsewhere: no such image)"
    )


def test_a_task_that_stops_slowly_is_waited_for() -> None:
    stops = a_task("web.1", desired_state="shutdown", is_current=False)
    verdict = Watch(a_task("web.1")).look(stops, replacement("web.1"), now=3600)
    assert (verdict.is_done, verdict.failure) == (False, "")


def test_time_runs_out() -> None:
    stays = a_task("web.1")
    watch = Watch(stays, timeout_seconds=10)
    assert watch.look(stays, now=9).failure == ""
    assert watch.look(stays, now=10).failure == "node n1 is not empty after 10 s, 1 task left"


def test_a_drain_that_was_taken_back_is_said() -> None:
    stays = a_task("web.1")
    assert Watch(stays).look(stays, availability="active").failure == (
        "node n1 is no longer to be drained, 1 task left"
    )


def test_what_a_node_without_power_ran_does_not_keep_it_from_being_empty() -> None:
    lost = a_task("web.1", node_state="down", desired_state="shutdown", is_current=False)
    assert Watch(a_task("web.1")).look(lost, replacement("web.1")).is_done
