"""Global services: one task on each eligible node, which comes and goes with the node."""

from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import NANO, Bench, service_spec


def test_a_global_service_has_one_task_on_each_eligible_node() -> None:
    bench = Bench("n1", "n2")
    bench.add_node("n3", labels={"x": "no"})
    bench.add_node("n4")
    bench.change("n4", availability=Availability.PAUSE)
    placement = specs.Placement(constraints=("node.labels.x!=no",))
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, placement=placement))
    bench.obey()
    assert sorted(bench.places()) == ["n1", "n2"]
    assert {task.slot for task in bench.tasks()} == {0}


def test_global_tasks_come_and_go_with_their_nodes() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    bench.obey()
    bench.add_node("n3")
    bench.obey()
    assert sorted(bench.places()) == ["n1", "n2", "n3"]
    bench.change("n2", availability=Availability.DRAIN)
    bench.obey()
    assert sorted(bench.places()) == ["n1", "n3"]
    bench.change("n2", availability=Availability.ACTIVE)
    bench.obey()
    assert sorted(bench.places()) == ["n1", "n2", "n3"]
    assert bench.tasks()[2].cause == "node n2 is eligible"


def test_a_global_task_of_a_lost_node_is_neither_moved_nor_doubled() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    bench.obey()
    before = {task.id for task in bench.tasks()}
    bench.lose("n2")
    bench.obey()
    bench.see("n2")
    bench.obey()
    assert {task.id for task in bench.tasks()} == before


def test_a_removed_node_leaves_nothing_of_a_global_service() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    bench.obey()
    bench.submit(commands.RemoveNode(node_id="n2", force=True, now=bench.now))
    bench.obey()
    assert [task.node_id for task in bench.tasks()] == ["n1"]


def test_a_crashed_global_task_is_restarted_on_its_node() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    bench.obey()
    task = next(task for task in bench.tasks() if task.node_id == "n2")
    bench.report(task, TaskState.FAILED, error="boom")
    bench.obey()
    assert sorted(bench.places()) == ["n1", "n2"]


def test_a_global_task_that_does_not_fit_says_so() -> None:
    bench = Bench("n1")
    bench.add_node("n2", nano_cpus=NANO // 2)
    reservations = specs.Resources(nano_cpus=NANO)
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, reservations=reservations))
    bench.obey()
    waiting = next(task for task in bench.tasks() if task.node_id == "n2")
    assert waiting.status.error == "insufficient resources on 1 node"
