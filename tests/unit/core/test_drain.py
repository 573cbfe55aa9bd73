"""Draining: how many tasks of a service leave a node at a time, and what a refused one does."""

import pytest

from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.task_state import TaskState
from tests.unit.core.bench import Bench, service_spec


def leaving(bench: Bench) -> int:
    """How many replacements were made for the drained node's tasks."""
    return sum(task.cause == "node n2 is drained" for task in bench.state.tasks.values())


@pytest.mark.parametrize(("parallelism", "first"), [(1, 1), (2, 2), (0, 4)])
@pytest.mark.parametrize("order", list(specs.UpdateOrder))
def test_so_many_tasks_leave_at_a_time_as_an_update_would_change(
    parallelism: int, first: int, order: specs.UpdateOrder
) -> None:
    bench = Bench("n1", "n2")
    policy = specs.UpdatePolicy(parallelism=parallelism, order=order)
    bench.deploy(service_spec(replicas=8, update=policy))
    bench.obey()
    bench.change("n2", availability=Availability.DRAIN)
    bench.settle()
    assert leaving(bench) == first
    bench.obey()
    assert bench.places() == ["n1"] * 8


def test_what_nobody_takes_over_is_ended_all_the_same() -> None:
    bench = Bench("n2")
    bench.deploy(service_spec(replicas=3))
    bench.obey()
    bench.change("n2", availability=Availability.DRAIN)
    bench.obey()
    running = [t for t in bench.state.tasks.values() if t.status.state == TaskState.RUNNING]
    assert running == []
