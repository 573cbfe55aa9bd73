"""Carries out a plan: each step when those before it are done, steps that are ready beside others.

The executor knows nothing about why; `actions` knows how one step is done. When a step fails,
what needs it is left out, what is under way is finished, and the first failure is raised at the
end. An interrupt (Ctrl-C) lets what is under way finish, too, so that nothing is left half made.

Threads are not joined: they count what they do. A thread that is starting another may be the one to
get a signal, and then nothing wakes a join; and a join that is interrupted takes its thread for
ended (Python 3.11).
"""

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from stackctl.errors import PermanentFailure, StackctlError
from stackctl.local.actions import Actions, Skipped
from stackctl.local.failures import Interrupted
from stackctl.local.plan import Plan, Step
from stackctl.local.progress import Phase, Progress, Report

AT_ONCE_MAX = 16
_SIGNAL_LOOK_SECONDS = 0.2


class Outcome(NamedTuple):
    """How a plan went: keys of steps that were done, and what was not as it should be."""

    done: frozenset[str]
    warnings: tuple[str, ...]


def execute(
    plan: Plan, actions: Actions, report: Report, *, at_once_max: int = AT_ONCE_MAX
) -> Outcome:
    """Carry out the plan. Raises StackctlError for the first step that failed."""
    return _Execution(plan, actions, report).run(at_once_max)


class _Execution:
    def __init__(self, plan: Plan, actions: Actions, report: Report) -> None:
        self._actions = actions
        self._report = report
        self._waiting = {step.key: step for step in plan.steps}
        known = frozenset(self._waiting)
        # A step that another plan of the same stack would have had is as good as done.
        self._needs = {step.key: set(step.needs) & known for step in plan.steps}
        self._done: set[str] = set()
        self._running = 0
        self._threads_ended = 0
        self._failures: list[BaseException] = []
        self._warnings: list[str] = []
        self._changed = threading.Condition()
        self._is_stopping = False

    def run(self, at_once_max: int) -> Outcome:
        count = min(len(self._waiting), max(at_once_max, 1))
        try:
            for _ in range(count):
                threading.Thread(target=self._work, daemon=True).start()
            self._await(lambda: self._threads_ended == count)
        except KeyboardInterrupt:
            with self._changed:
                self._is_stopping = True
                self._changed.notify_all()
            self._actions.interrupt()
            self._await(lambda: not self._running)
            raise
        if self._failures:
            raise self._failures[0]
        return Outcome(frozenset(self._done), tuple(self._warnings))

    def _await(self, is_over: Callable[[], bool]) -> None:
        with self._changed:
            while not is_over():
                self._changed.wait(_SIGNAL_LOOK_SECONDS)

    def _work(self) -> None:
        try:
            self._do_steps()
        finally:
            with self._changed:
                self._threads_ended += 1
                self._changed.notify_all()

    def _do_steps(self) -> None:
        while (step := self._next()) is not None:
            failure: BaseException | None = None
            try:
                self._do(step)
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failure = error
            self._end(step, failure)

    def _next(self) -> Step | None:
        with self._changed:
            while True:
                if self._is_stopping or not self._waiting:
                    return None
                ready = self._ready(self._waiting.values())
                if ready is not None:
                    del self._waiting[ready.key]
                    self._running += 1
                    return ready
                if not self._running:
                    return None  # what is left needs something that failed
                self._changed.wait()

    def _ready(self, steps: Iterable[Step]) -> Step | None:
        return next((step for step in steps if self._needs[step.key] <= self._done), None)

    def _do(self, step: Step) -> None:
        if (step.shows[1:] and step.shows[0]) or len(step.shows) == 1:
            self._say(step, Phase.WORKING, step.shows[0])
        try:
            self._actions.do(step)
        except Interrupted:
            self._say(step, Phase.WARNING, "Interrupted")
            raise
        except Skipped as skipped:
            self._say(step, Phase.WARNING, "Skipped", skipped.reason)
            with self._changed:
                self._warnings.append(skipped.reason)
            return
        except PermanentFailure as failure:
            self._say(step, Phase.ERROR, "Error", failure.reason)
            raise StackctlError(f"{step.resource}: {failure.reason}") from failure
        except StackctlError as error:
            self._say(step, Phase.ERROR, "Error", error.message.partition("\n")[0])
            raise
        if step.shows[1:]:
            self._say(step, Phase.DONE, step.shows[1])

    def _end(self, step: Step, failure: BaseException | None) -> None:
        with self._changed:
            self._running -= 1
            if failure is None:
                self._done.add(step.key)
            else:
                self._failures.append(failure)
            self._changed.notify_all()

    def _say(self, step: Step, phase: Phase, text: str, details: str = "") -> None:
        self._report(Progress(step.resource, phase, text, details))
