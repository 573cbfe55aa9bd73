"""How a plan is carried out when somebody interrupts it."""

import signal
import threading

import pytest

from stackctl.local.actions import Actions
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import Endpoint
from stackctl.local.execute import execute
from stackctl.local.failures import Interrupted
from stackctl.local.plan import Plan, StartContainer, Step


class Signalled(Actions):
    """Actions of which each gets the signal in its own thread, and ends in time only when told."""

    def __init__(self) -> None:
        super().__init__(Engine(Endpoint(path="/nonexistent")))
        self.ended_because: list[str] = []

    def do(self, step: Step) -> None:
        # The kernel may give a process's signal to any thread that takes one; Python's handler
        # runs in the main thread all the same, once that one wakes up.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        was_told = self._interrupted.wait(timeout=10)
        self.ended_because.append("interrupted" if was_told else "time")
        raise Interrupted


def test_a_signal_that_another_thread_gets_interrupts_and_what_is_under_way_is_awaited() -> None:
    actions = Signalled()
    shows = ("Waiting", "Healthy")
    action = StartContainer("one", "web")
    step = Step("one", "Container one", action, cause="it is wanted", shows=shows)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        execute(Plan((step,)), actions, lambda progress: told.append(progress.text))
    assert actions.ended_because == ["interrupted"]
    assert told == ["Waiting", "Interrupted"]
