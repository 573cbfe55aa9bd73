"""When a wait ends, and with what words: observations in, verdict out, no clock."""

from collections.abc import Sequence
from typing import Any

import pytest

from stackctl.client.convergence import Convergence, Limits, Snapshot, Verdict, baseline_of
from stackctl.client.views import ServiceView, TaskView
from tests.view_cases import service, task, update


class Watched:
    """A wait that a test drives second by second."""

    def __init__(self, *names: str, **options: Any) -> None:
        self.wait = Convergence(names or ("web",), now=0, **options)

    def at(
        self, now: float, services: Sequence[ServiceView], tasks: Sequence[TaskView] = ()
    ) -> Verdict:
        return self.wait.observe(Snapshot(services, tasks), now=now)


def reason(verdict: Verdict) -> str:
    return verdict.failure.reason if verdict.failure else ""


def running(name: str = "web", slots: int = 2, **fields: Any) -> list[TaskView]:
    return [task(f"{name}.{slot + 1}", state="running", **fields) for slot in range(slots)]


def failed(slot: str, count: int, **fields: Any) -> list[TaskView]:
    """A slot whose tasks failed `count` times, and whose next one is on its way."""
    words: dict[str, Any] = {"state": "failed", "error": "task: non-zero exit (1)"}
    ended = [
        task(slot, number=number, is_current=False, created_at=number, **{**words, **fields})
        for number in range(1, count + 1)
    ]
    return [*ended, task(slot, number=count + 1, state="starting", created_at=count + 1)]


def test_running_for_a_second_is_converged() -> None:
    watched = Watched()
    first = watched.at(0, [service(desired=2)], running())
    assert not first.is_converged
    assert first.wake_at == 1
    assert not watched.at(0.9, [service(desired=2)], running()).is_converged
    assert watched.at(1.0, [service(desired=2)], running()).is_converged


def test_a_task_that_dies_within_the_second_starts_it_anew() -> None:
    watched = Watched()
    watched.at(0, [service(desired=1)], [task("web.1", state="running")])
    watched.at(0.5, [service(desired=1)], failed("web.1", 1))
    again = [*failed("web.1", 1)[:1], task("web.1", number=2, state="running", created_at=2)]
    assert not watched.at(1.2, [service(desired=1)], again).is_converged
    assert watched.at(2.2, [service(desired=1)], again).is_converged


def test_a_quick_replacement_between_two_looks_starts_the_second_anew() -> None:
    watched = Watched()
    watched.at(0, [service(desired=1)], [task("web.1", state="running")])
    other = [task("web.1", number=2, state="running", created_at=2)]
    assert not watched.at(1.0, [service(desired=1)], other).is_converged
    assert watched.at(2.0, [service(desired=1)], other).is_converged


def test_an_update_that_the_manager_watched_needs_no_second() -> None:
    watched = Watched()
    updating = service(desired=2, revision=2, update=update("updating"))
    assert not watched.at(0, [updating], running(revision=2)).is_converged
    done = service(desired=2, revision=2, update=update("completed", completed_at=20))
    assert watched.at(0.1, [done], running(revision=2)).is_converged


def test_an_update_of_before_is_no_reason_to_skip_the_second() -> None:
    done = service(desired=2, update=update("completed", completed_at=20))
    baseline = baseline_of(Snapshot([done], []))
    watched = Watched(baseline=baseline)
    assert not watched.at(0, [done], running()).is_converged
    assert watched.at(1, [done], running()).is_converged


def test_tasks_of_an_older_revision_do_not_count() -> None:
    verdict = Watched().at(0, [service(desired=2, revision=2)], running(revision=1))
    (progress,) = verdict.progress
    assert (progress.running, progress.desired) == (0, 2)
    assert progress.counts == (("outdated", 2),)
    assert not progress.is_done


def test_tasks_on_lost_nodes_do_not_count() -> None:
    (progress,) = Watched().at(0, [service(desired=2)], running(node_state="down")).progress
    assert progress.counts == (("missing", 2),)


def test_too_many_tasks_are_not_done_either() -> None:
    (progress,) = Watched().at(0, [service(desired=1)], running(slots=3)).progress
    assert not progress.is_done


def test_a_global_service_may_have_more_tasks_than_ready_nodes() -> None:
    (progress,) = Watched().at(0, [service(mode="global", desired=1)], running()).progress
    assert progress.is_done


def test_a_service_scaled_to_nothing_is_done() -> None:
    (progress,) = Watched().at(0, [service(desired=0)]).progress
    assert progress.is_done


def test_states_are_counted_in_the_order_of_a_tasks_life() -> None:
    tasks = [
        task("web.1", state="starting"),
        task("web.2", state="pending", error="no suitable node (x)"),
        task("web.3", state="preparing"),
    ]
    (progress,) = Watched().at(0, [service(desired=4)], tasks).progress
    assert progress.counts == (("missing", 1), ("pending", 1), ("preparing", 1), ("starting", 1))
    assert progress.reason == "no suitable node (x)"


def test_all_services_must_be_there() -> None:
    watched = Watched("web", "db")
    services = [service(desired=2), service("db", desired=1)]
    tasks = [*running(), task("db.1", service="db", state="preparing")]
    watched.at(0, services, tasks)
    assert not watched.at(9, services, tasks).is_converged
    tasks = [*running(), task("db.1", service="db", state="running")]
    watched.at(9.1, services, tasks)
    assert watched.at(10.1, services, tasks).is_converged


def test_three_failures_of_a_slot_are_enough() -> None:
    watched = Watched()
    assert not reason(watched.at(0, [service(desired=1)], failed("web.1", 2)))
    verdict = watched.at(1, [service(desired=1)], failed("web.1", 3))
    assert reason(verdict) == "web.1 failed 3 times: task: non-zero exit (1)"
    assert verdict.failure is not None
    assert verdict.failure.task is not None
    assert verdict.failure.task["created_at"] == 3


def test_what_failed_is_said_while_it_is_tried_again() -> None:
    (progress,) = Watched().at(0, [service(desired=1)], failed("web.1", 1)).progress
    assert progress.counts == (("starting", 1),)
    assert progress.reason == "web.1 failed: task: non-zero exit (1)"


def test_failures_of_different_slots_do_not_add_up() -> None:
    tasks = [*failed("web.1", 2), *failed("web.2", 2)]
    assert not reason(Watched().at(0, [service(desired=2)], tasks))


def test_failures_of_before_are_forgiven() -> None:
    before = Snapshot([service(desired=1)], failed("web.1", 3))
    watched = Watched(baseline=baseline_of(before))
    assert not reason(watched.at(0, [service(desired=1)], before.tasks))


def test_failures_of_an_older_revision_do_not_count() -> None:
    verdict = Watched().at(0, [service(desired=1, revision=2)], failed("web.1", 3))
    assert not reason(verdict)


def test_crashes_are_not_held_against_a_service_whose_neighbour_still_comes_up() -> None:
    watched = Watched("web", "db")
    services = [service(desired=1), service("db", desired=1)]
    coming = task("db.1", service="db", state="preparing")
    assert not reason(watched.at(0, services, [*failed("web.1", 5), coming]))
    up = task("db.1", service="db", state="running")
    assert not reason(watched.at(1, services, [*failed("web.1", 5), up]))
    assert not reason(watched.at(2, services, [*failed("web.1", 7), up]))
    assert reason(watched.at(3, services, [*failed("web.1", 8), up])).startswith("web.1 failed 3")


def test_two_services_that_both_crash_do_not_wait_for_each_other() -> None:
    watched = Watched("web", "db")
    services = [service(desired=1), service("db", desired=1)]
    tasks = [*failed("web.1", 3), *failed("db.1", 3, service="db")]
    assert reason(watched.at(0, services, tasks)).startswith("web.1 failed 3 times")


def test_two_rejections_with_the_same_words_are_enough() -> None:
    tasks = failed("web.1", 2, state="rejected", error="No such image: nobody/has:this")
    verdict = Watched().at(0, [service(desired=1)], tasks)
    assert reason(verdict) == "web.1 was rejected 2 times: No such image: nobody/has:this"


def test_an_image_that_only_one_node_lacks_is_no_failure() -> None:
    tasks = failed("web.1", 1, state="rejected", error="No such image: only/here")
    assert not reason(Watched().at(0, [service(desired=1)], tasks))
    found = [tasks[0], task("web.1", number=2, state="running", created_at=2)]
    assert not reason(Watched().at(0, [service(desired=1)], found))


def test_a_task_that_is_not_tried_again_is_a_failure_after_three_seconds() -> None:
    watched = Watched()
    ended = failed("web.1", 1)[:1]
    first = watched.at(0, [service(desired=1)], ended)
    assert not reason(first)
    assert first.wake_at == 3
    assert reason(watched.at(3, [service(desired=1)], ended)) == (
        "web.1 failed and is not tried again: task: non-zero exit (1)"
    )


def test_a_task_that_completed_and_is_not_tried_again_is_done() -> None:
    watched = Watched()
    ended = [task("web.1", state="complete", is_current=False)]
    (first,) = watched.at(0, [service(desired=1)], ended).progress
    assert first.counts == (("complete", 1),)
    assert not first.is_done
    (progress,) = watched.at(3, [service(desired=1)], ended).progress
    assert progress.counts == (("complete", 1),)
    assert progress.is_done
    assert watched.at(4, [service(desired=1)], ended).is_converged


@pytest.mark.parametrize("state", ["paused", "rollback_paused"])
def test_a_paused_update_is_a_failure_with_its_reason(state: str) -> None:
    culprit = failed("web.1", 1)[0]
    message = f"update paused due to failure or early termination of task {culprit['id']}"
    paused = service(desired=1, revision=2, update=update(state, message))
    verdict = Watched().at(0, [paused], [culprit])
    assert reason(verdict) == f"web: {message}: task: non-zero exit (1)"
    assert verdict.failure is not None
    assert verdict.failure.task == culprit


def test_a_rollback_is_awaited_and_then_a_failure() -> None:
    watched = Watched()
    culprit = failed("web.1", 1)[0]
    started = service(desired=1, revision=1, update=update("rollback_started", "rolled back"))
    assert not reason(watched.at(0, [started], [culprit, task("web.1", number=2, created_at=2)]))
    done = service(desired=1, update=update("rollback_completed", "done", completed_at=9))
    verdict = watched.at(5, [done], [culprit, *running(slots=1)])
    assert reason(verdict) == (
        "web: the update failed and was rolled back: task: non-zero exit (1)"
    )


def test_a_rollback_that_was_asked_for_is_no_failure() -> None:
    done = service(desired=2, update=update("rollback_completed", "done", completed_at=9))
    assert Watched(accepts_rollback=("web",)).at(0, [done], running()).is_converged
    assert reason(Watched(accepts_rollback=("db",)).at(0, [done], running()))


def test_a_rollback_of_before_is_no_failure() -> None:
    done = service(desired=2, update=update("rollback_completed", "done", completed_at=9))
    watched = Watched(baseline=baseline_of(Snapshot([done], [])))
    assert not reason(watched.at(0, [done], running()))


def test_tasks_without_a_node_are_given_up_after_thirty_seconds() -> None:
    watched = Watched()
    waiting = [task("web.1", state="pending", error="no suitable node (3 nodes full)")]
    first = watched.at(0, [service(desired=1)], waiting)
    assert first.wake_at == 30
    assert not reason(watched.at(29.9, [service(desired=1)], waiting))
    assert reason(watched.at(30, [service(desired=1)], waiting)) == (
        "web got no further for 30 s: no suitable node (3 nodes full)"
    )


def test_progress_elsewhere_keeps_the_patience() -> None:
    watched = Watched(limits=Limits(stalled_seconds=30))
    waiting = task("web.1", state="pending", error="no suitable node (x)")
    watched.at(0, [service(desired=2)], [waiting])
    watched.at(20, [service(desired=2)], [waiting, task("web.2", state="running")])
    assert not reason(
        watched.at(40, [service(desired=2)], [waiting, task("web.2", state="running")])
    )


def test_a_slow_image_is_waited_for() -> None:
    watched = Watched()
    pulling = [task("web.1", state="preparing")]
    watched.at(0, [service(desired=1)], pulling)
    assert not reason(watched.at(3600, [service(desired=1)], pulling))


def test_an_update_between_two_slots_is_not_stalled() -> None:
    watched = Watched()
    between = service(desired=2, revision=2, update=update("updating"))
    tasks = [task("web.1", state="running", revision=2), task("web.2", state="running")]
    watched.at(0, [between], tasks)
    assert not reason(watched.at(100, [between], tasks))


def test_an_update_without_a_node_is_left_to_the_manager_that_gives_it_a_minute() -> None:
    """The wait ended before, and nobody saw the rollback."""
    watched = Watched()
    moving = service(desired=1, revision=2, update=update("updating"))
    waiting = [task("web.1", state="pending", revision=2, error="no suitable node (x)")]
    watched.at(0, [moving], waiting)
    assert not reason(watched.at(70, [moving], waiting))
    assert reason(watched.at(75, [moving], waiting))


def test_whoever_states_a_timeout_has_decided_how_long_to_wait() -> None:
    watched = Watched(limits=Limits(timeout_seconds=100))
    waiting = [task("web.1", state="pending", error="no suitable node (x)")]
    watched.at(0, [service(desired=1)], waiting)
    assert not reason(watched.at(99, [service(desired=1)], waiting))
    assert "is not complete after 100 s" in reason(watched.at(100, [service(desired=1)], waiting))


def test_the_timeout_ends_any_wait() -> None:
    watched = Watched(limits=Limits(timeout_seconds=5))
    pulling = [task("web.1", state="preparing")]
    assert watched.at(0, [service(desired=1)], pulling).wake_at == 5
    verdict = watched.at(5, [service(desired=1)], pulling)
    assert reason(verdict) == "web is not complete after 5 s"


def test_the_timeout_spares_what_only_proves_itself() -> None:
    watched = Watched(limits=Limits(timeout_seconds=1))
    watched.at(0.5, [service(desired=2)], running())
    assert not reason(watched.at(1.2, [service(desired=2)], running()))
    assert watched.at(1.5, [service(desired=2)], running()).is_converged


@pytest.mark.parametrize("services", [[], [service(desired=2, removing=True)]])
def test_a_service_that_somebody_removes_ends_the_wait(services: list[ServiceView]) -> None:
    assert reason(Watched().at(0, services, running())) == (
        "web was removed while it was waited for"
    )
