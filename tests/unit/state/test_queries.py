"""What people and programs are shown."""

import pytest

from stackctl.errors import UnknownName
from stackctl.model import specs
from stackctl.model.objects import Availability
from stackctl.model.task_state import TaskState
from stackctl.state import commands, queries
from tests.unit.core.bench import NANO, Bench, service_spec, stack_spec


def _bench() -> Bench:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2), service_spec("shop_db"))
    bench.put(stack_spec(service_spec("b_web", networks=("b_net",)), name="b"))
    bench.obey()
    return bench


def test_tasks_are_listed_newest_first_within_a_name() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.obey()
    views = queries.list_tasks(bench.state, service="shop_web")
    assert [view.state for view in views] == ["running", "failed"]
    assert [view.is_current for view in views] == [True, False]
    assert views[0].cause == "failed: boom; restart"


def test_tasks_that_a_slower_clock_created_are_listed_in_the_order_of_the_log() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.obey()
    bench.report(bench.newest(), TaskState.FAILED, error="boom")
    bench.wait(-500)
    bench.obey()
    views = queries.list_tasks(bench.state, service="shop_web")
    assert [view.state for view in views] == ["running", "failed"]


def test_lists_can_be_narrowed_by_everything_at_once() -> None:
    bench = _bench()
    everything = queries.list_tasks(bench.state)
    assert len(everything) == 4
    assert len(queries.list_tasks(bench.state, stack="shop")) == 3
    on_node = queries.list_tasks(bench.state, stack="shop", node="n1")
    assert {(view.node, view.stack) for view in on_node} == {("n1", "shop")}
    both = queries.list_tasks(bench.state, service="shop_web", node="n1")
    assert {(view.node, view.service) for view in both} == {("n1", "shop_web")}
    assert queries.list_tasks(bench.state, service="shop_web", stack="b") == []


def test_an_unknown_name_offers_near_ones() -> None:
    bench = _bench()
    with pytest.raises(UnknownName, match="no such service: shop_wev") as caught:
        queries.list_tasks(bench.state, service="shop_wev")
    assert caught.value.hint == "did you mean shop_web or shop_db?"
    with pytest.raises(UnknownName):
        queries.find_node(bench.state, "n3")
    with pytest.raises(UnknownName):
        queries.find_stack(bench.state, "c")


def test_things_are_found_by_id_name_and_unique_prefix() -> None:
    bench = _bench()
    service = bench.service()
    assert queries.find_service(bench.state, "shop_web") == service
    assert queries.find_service(bench.state, service.id) == service
    assert queries.find_service(bench.state, service.id[:8]) == service
    assert queries.find_node(bench.state, "n1").id == "n1"
    with pytest.raises(UnknownName):
        queries.find_service(bench.state, "")


def test_of_two_nodes_of_one_name_the_live_one_is_meant() -> None:
    bench = Bench("n1")
    bench.submit(
        commands.PutNode(
            node_id="old", role=bench.state.nodes["n1"].role, hostname="n1", now=bench.now
        )
    )
    assert queries.find_node(bench.state, "n1").id == "n1"


def test_running_counts_what_can_be_reached() -> None:
    bench = _bench()
    view = queries.service_view(bench.state, bench.service())
    assert (view.running, view.desired) == (2, 2)
    bench.lose("n1")
    view = queries.service_view(bench.state, bench.service())
    assert (view.running, view.desired) == (1, 2)


def test_a_global_service_desires_a_task_on_each_eligible_node() -> None:
    bench = Bench("n1", "n2", "n3")
    placement = specs.Placement(constraints=("node.hostname!=n1",))
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL, placement=placement))
    bench.obey()
    bench.change("n3", availability=Availability.DRAIN)
    view = queries.service_view(bench.state, bench.service())
    assert (view.mode, view.desired) == ("global", 1)


def test_tasks_of_a_global_service_are_named_after_their_node() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(mode=specs.Mode.GLOBAL))
    bench.settle()
    assert [view.name for view in queries.list_tasks(bench.state)] == ["shop_web.n1"]


def test_a_node_shows_what_is_reserved_on_it() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec(replicas=2, reservations=specs.Resources(nano_cpus=NANO)))
    bench.obey()
    (view,) = queries.list_nodes(bench.state, manager_status={"n1": "leader"}, self_id="n1")
    assert (view.reserved_nano_cpus, view.tasks_running) == (2 * NANO, 2)
    assert (view.manager_status, view.is_self) == ("leader", True)


def test_stacks_networks_and_services_are_listed_by_stack() -> None:
    bench = _bench()
    stacks = {view.name: view.services for view in queries.list_stacks(bench.state)}
    assert stacks == {"shop": 2, "b": 1}
    assert [view.name for view in queries.list_services(bench.state, stack="b")] == ["b_web"]
    assert [view.name for view in queries.list_networks(bench.state, stack="b")] == ["b_net"]
    assert len(queries.list_networks(bench.state)) == 2


def test_a_service_in_detail_shows_what_it_was_before() -> None:
    bench = _bench()
    bench.deploy(service_spec(image="app:2", replicas=2), service_spec("shop_db"))
    detail = queries.service_detail(bench.state, bench.service())
    assert detail.spec.task.container.image == "app:2"
    assert detail.previous_spec is not None
    assert detail.previous_spec.task.container.image == "app:1"
    assert detail.service.update is not None
    assert detail.service.update.state == "updating"
    assert len(detail.endpoint.vips) == 1


def test_a_tasks_addresses_are_shown_by_the_names_of_networks() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    (view,) = queries.list_tasks(bench.state)
    assert set(view.addresses) == {"shop_default"}
