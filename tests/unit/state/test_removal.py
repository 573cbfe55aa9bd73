"""What goes together goes in order: dependants first."""

from stackctl.model.specs import Dependency
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import Bench, service_spec

ON_DB = (Dependency(service="shop_db"),)


def _started(*hostnames: str) -> Bench:
    bench = Bench(*hostnames)
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=ON_DB))
    bench.obey()
    return bench


def _remove(bench: Bench) -> None:
    bench.submit(commands.RemoveStack(name="shop", now=bench.now))
    bench.settle()


def test_what_others_depend_on_ends_after_them() -> None:
    bench = _started("n1")
    _remove(bench)
    (db,) = bench.tasks("shop_db")
    (web,) = bench.tasks()
    assert (web.desired_state, db.desired_state) == (TaskState.REMOVE, TaskState.RUNNING)
    assert bench.round().holding == {bench.service("shop_db").id}
    bench.acknowledge()
    bench.settle()
    bench.report(web, TaskState.SHUTDOWN)
    bench.settle()
    assert [task.desired_state for task in bench.tasks("shop_db")] == [TaskState.REMOVE]
    bench.obey()
    assert not bench.state.services


def test_nobody_waits_for_what_runs_on_a_lost_node() -> None:
    bench = _started("n1", "n2")
    bench.lose(bench.live()[0].node_id)
    _remove(bench)
    assert all(task.desired_state == TaskState.REMOVE for task in bench.state.tasks.values())


def test_a_service_removed_alone_waits_for_nobody() -> None:
    bench = _started("n1")
    service_id = bench.service("shop_db").id
    bench.submit(commands.RemoveService(service_id=service_id, now=bench.now))
    assert [task.desired_state for task in bench.tasks("shop_db")] == [TaskState.REMOVE]


def test_what_has_not_started_ends_at_once() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec("shop_db"), service_spec(depends_on=ON_DB))
    bench.settle()
    _remove(bench)
    assert all(task.desired_state == TaskState.REMOVE for task in bench.state.tasks.values())


def test_pruned_services_go_in_order_too() -> None:
    bench = _started("n1")
    bench.deploy(service_spec("shop_other"), prune=True)
    assert [task.desired_state for task in bench.tasks("shop_db")] == [TaskState.RUNNING]
    bench.obey()
    assert set(bench.state.service_ids) == {"shop_other"}


def test_services_that_depend_on_each_other_do_not_wait_for_each_other() -> None:
    bench = _started("n1")
    # A file may leave a service out that depends on one of its own: circles come about by and by.
    loop = (Dependency(service="shop_web", required=False),)
    bench.deploy(service_spec("shop_db", depends_on=loop))
    bench.obey()
    _remove(bench)
    assert all(task.desired_state == TaskState.REMOVE for task in bench.state.tasks.values())
