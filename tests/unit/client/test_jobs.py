"""Waiting for jobs, and for services that wait for them."""

from typing import Any

from stackctl.client.convergence import Convergence, Snapshot, Verdict
from stackctl.client.views import ServiceView, TaskView
from tests.view_cases import service, task

FAILED = "waiting for shop_load to complete: shop_load.1 failed: exit 1"


def _job(**fields: Any) -> ServiceView:
    usual = {"mode": "replicated-job", "desired": 2, "completions": 3}
    return service("shop_load", **(usual | fields))


def _task(slot: int, state: str, **fields: Any) -> TaskView:
    is_over = state in ("complete", "failed")
    usual: dict[str, Any] = {"state": state, "desired_state": "complete"}
    usual["is_current"] = not is_over
    return task(f"shop_load.{slot}", **(usual | fields))


class _Wait:
    def __init__(self, *names: str) -> None:
        self._wait = Convergence(names, now=0)

    def at(self, now: float, services: list[ServiceView], tasks: list[TaskView]) -> Verdict:
        return self._wait.observe(Snapshot(services, tasks), now=now)


def test_a_job_is_converged_when_all_have_completed() -> None:
    wait = _Wait("shop_load")
    some = [_task(1, "complete"), _task(2, "running")]
    verdict = wait.at(0, [_job()], some)
    (progress,) = verdict.progress
    assert (progress.running, progress.desired) == (1, 3)
    assert progress.counts == (("queued", 1), ("running", 1))
    assert not verdict.is_converged
    done = [_task(slot, "complete") for slot in (1, 2, 3)]
    wait.at(1, [_job()], done)
    assert wait.at(2, [_job()], done).is_converged


def test_a_job_may_take_as_long_as_it_takes() -> None:
    wait = _Wait("shop_load")
    tasks = [_task(1, "running"), _task(2, "running")]
    for now in (0, 40, 4000):
        assert wait.at(now, [_job()], tasks).failure is None


def test_a_job_of_nothing_is_done() -> None:
    (progress,) = _Wait("shop_load").at(0, [_job(desired=0, completions=0)], []).progress
    assert progress.is_done


def test_a_global_job_may_have_completed_on_nodes_that_no_longer_count() -> None:
    tasks = [_task(slot, "complete") for slot in (1, 2, 3)]
    view = _job(mode="global-job", completions=2)
    (progress,) = _Wait("shop_load").at(0, [view], tasks).progress
    assert progress.is_done


def test_a_job_that_failed_and_is_not_tried_again_ends_the_wait() -> None:
    wait = _Wait("shop_load")
    tasks = [_task(1, "failed", error="exit 1", desired_state="shutdown")]
    wait.at(0, [_job(completions=1)], tasks)
    failure = wait.at(3, [_job(completions=1)], tasks).failure
    assert failure is not None
    assert failure.reason == "shop_load.1 failed and is not tried again: exit 1"


def test_who_waits_in_vain_ends_the_wait_at_once_and_names_the_task_to_blame() -> None:
    wait = _Wait("shop_web", "shop_load")
    web = service("shop_web", waiting_for=FAILED, is_blocked=True)
    tasks = [
        task("shop_web.1", state="ready", desired_state="ready"),
        _task(1, "failed", error="exit 1", desired_state="shutdown"),
    ]
    failure = wait.at(0, [web, _job(completions=1)], tasks).failure
    assert failure is not None
    assert failure.reason == f"shop_web is {FAILED}"
    assert failure.task is not None
    assert failure.task["name"] == "shop_load.1"


def test_who_waits_shows_for_what_and_hides_no_crash_loop() -> None:
    wait = _Wait("shop_web", "shop_db")
    web = service("shop_web", waiting_for="waiting for shop_db to be healthy")
    prepared = task("shop_web.1", state="ready", desired_state="ready")
    ends = [
        task("shop_db.1", number=number, state="failed", is_current=False, created_at=number)
        for number in (1, 2, 3)
    ]
    tasks = [prepared, *ends, task("shop_db.1", number=4, state="starting", created_at=4)]
    verdict = wait.at(0, [web, service("shop_db")], tasks)
    assert verdict.progress[0].reason == "waiting for shop_db to be healthy"
    assert verdict.failure is not None
    assert verdict.failure.reason == "shop_db.1 failed 3 times"


def test_who_waits_unplaced_is_not_stuck() -> None:
    wait = _Wait("shop_web", "shop_load")
    reason = "waiting for shop_load to complete"
    web = service("shop_web", waiting_for=reason)
    tasks = [
        task("shop_web.1", state="pending", desired_state="ready", node="", error=reason),
        _task(1, "running"),
    ]
    for now in (0, 100):
        assert wait.at(now, [web, _job(completions=1)], tasks).failure is None
