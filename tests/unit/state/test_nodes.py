"""Nodes: admitted, seen, lost, changed and removed."""

import pytest
from msgspec.structs import replace

from stackctl.model import objects
from stackctl.model.objects import Availability, NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from tests.unit.core.bench import Bench, service_spec


def test_an_admitted_node_is_unknown_until_its_agent_connects() -> None:
    bench = Bench()
    bench.submit(commands.PutNode(node_id="n1", role=NodeRole.WORKER, hostname="n1", now=bench.now))
    admitted = bench.state.nodes["n1"]
    bench.see("n1")
    seen = bench.state.nodes["n1"]
    assert (admitted.state, seen.state) == (NodeState.UNKNOWN, NodeState.READY)


def test_admitting_a_node_again_keeps_what_is_known_of_it() -> None:
    bench = Bench("n1")
    bench.change("n1", labels={"a": "b"})
    bench.submit(
        commands.PutNode(node_id="n1", role=NodeRole.MANAGER, hostname="new", now=bench.now)
    )
    node = bench.state.nodes["n1"]
    assert (node.role, node.hostname, node.labels) == (NodeRole.MANAGER, "new", {"a": "b"})
    assert node.state == NodeState.READY


def test_seeing_the_same_again_changes_nothing() -> None:
    bench = Bench("n1")
    version = bench.state.nodes["n1"].version
    bench.wait(5)
    bench.see("n1")
    assert bench.state.nodes["n1"].version == version


def test_a_lost_node_says_since_when_and_why() -> None:
    bench = Bench("n1")
    bench.wait(5)
    bench.lose("n1")
    node = bench.state.nodes["n1"]
    assert (node.state, node.state_at, node.state_message) == (NodeState.DOWN, bench.now, "silent")
    assert node.session_manager_id == ""


def test_losing_a_lost_node_leaves_the_time_alone() -> None:
    bench = Bench("n1")
    bench.lose("n1")
    at = bench.state.nodes["n1"].state_at
    bench.wait(5)
    bench.lose("n1")
    assert bench.state.nodes["n1"].state_at == at


def test_what_is_not_named_stays() -> None:
    bench = Bench("n1")
    bench.change("n1", labels={"a": "1", "b": "2"})
    bench.change("n1", availability=Availability.DRAIN)
    bench.submit(commands.ChangeNode(node_id="n1", label_remove=("a",), now=bench.now))
    node = bench.state.nodes["n1"]
    assert (node.labels, node.availability) == ({"b": "2"}, Availability.DRAIN)


def test_removing_an_absent_label_is_refused_and_nothing_of_the_change_stays() -> None:
    bench = Bench("n1")
    result = bench.submit(
        commands.ChangeNode(node_id="n1", label_add={"a": "1"}, label_remove=("x",), now=bench.now)
    )
    assert result.error is not None
    assert result.error.message == "node n1 has no label x"
    assert bench.state.nodes["n1"].labels == {}


def test_a_removed_nodes_tasks_are_orphaned_and_replaced() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    bench.lose("n2")
    lost = next(task for task in bench.tasks() if task.node_id == "n2")
    bench.submit(commands.RemoveNode(node_id="n2", now=bench.now))
    assert bench.state.tasks[lost.id].status.state == TaskState.ORPHANED
    bench.obey()
    assert bench.places() == ["n1", "n1"]


@pytest.mark.parametrize("force", [True, False])
def test_a_node_that_is_up_is_removed_by_force_only(force: bool) -> None:
    bench = Bench("n1")
    result = bench.submit(commands.RemoveNode(node_id="n1", force=force, now=bench.now))
    assert (result.error is None) is force
    assert ("n1" in bench.state.nodes) is not force


def test_a_manager_is_never_removed() -> None:
    bench = Bench()
    bench.add_node("m1", role=NodeRole.MANAGER)
    result = bench.submit(commands.RemoveNode(node_id="m1", force=True, now=bench.now))
    assert result.error is not None
    assert "is a manager" in result.error.message


def test_an_unknown_node_is_named() -> None:
    bench = Bench()
    unknown: tuple[commands.Command, ...] = (
        commands.RemoveNode(node_id="x", now=1),
        commands.ChangeNode(node_id="x", now=1),
        commands.LoseNode(node_id="x", term=1, message="", now=1),
        commands.SeeNode(
            node_id="x",
            manager_id="m",
            description=objects.NodeDescription(hostname="x", nano_cpus=1, memory_bytes=1),
            now=1,
        ),
    )
    for command in unknown:
        result = bench.submit(command)
        assert result.error is not None
        assert result.error.message == "no such node: x"


def _join_again(bench: Bench, node_id: str, *, like: str, address: str | None = None) -> None:
    """Another node with the host name and, unless told otherwise, the data address of `like`."""
    former = bench.state.nodes[like].description
    description = replace(former, data_address=former.data_address if address is None else address)
    bench.wait(1)
    bench.submit(
        commands.PutNode(
            node_id=node_id, role=NodeRole.WORKER, hostname=former.hostname, now=bench.now
        )
    )
    bench.submit(
        commands.SeeNode(node_id=node_id, manager_id="m", description=description, now=bench.now)
    )


def test_a_node_set_up_anew_replaces_its_old_entry_with_labels_and_availability() -> None:
    bench = Bench("n1", "n2")
    bench.change("n2", labels={"disk": "ssd"}, availability=Availability.PAUSE)
    bench.lose("n2")
    _join_again(bench, "n2b", like="n2")
    assert sorted(bench.state.nodes) == ["n1", "n2b"]
    node = bench.state.nodes["n2b"]
    assert (node.labels, node.availability) == ({"disk": "ssd"}, Availability.PAUSE)
    assert (node.state, node.former_ids) == (NodeState.READY, ("n2",))


def test_the_tasks_of_a_replaced_entry_are_orphaned_at_once_and_made_anew() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec(replicas=2))
    bench.obey()
    lost = next(task for task in bench.tasks() if task.node_id == "n2")
    bench.lose("n2")
    _join_again(bench, "n2b", like="n2")
    assert bench.state.tasks[lost.id].status.state == TaskState.ORPHANED
    bench.obey()
    assert len(bench.places()) == 2


def test_an_old_entry_is_replaced_when_it_falls_silent_after_the_new_one_has_joined() -> None:
    bench = Bench("n1", "n2")
    bench.change("n2", labels={"disk": "ssd"})
    _join_again(bench, "n2b", like="n2")
    both = sorted(bench.state.nodes)
    bench.lose("n2")
    assert both == ["n1", "n2", "n2b"]
    assert sorted(bench.state.nodes) == ["n1", "n2b"]
    assert bench.state.nodes["n2b"].labels == {"disk": "ssd"}


def test_nodes_with_one_host_name_and_two_addresses_both_stay() -> None:
    bench = Bench("n1", "n2")
    bench.lose("n2")
    _join_again(bench, "n2b", like="n2", address="10.77.0.1")
    assert sorted(bench.state.nodes) == ["n1", "n2", "n2b"]


def test_two_that_are_up_both_stay() -> None:
    bench = Bench("n1", "n2")
    _join_again(bench, "n2b", like="n2")
    assert sorted(bench.state.nodes) == ["n1", "n2", "n2b"]


def test_an_entry_that_never_connected_is_not_replaced() -> None:
    bench = Bench("n1")
    bench.submit(commands.PutNode(node_id="x", role=NodeRole.WORKER, hostname="n2", now=bench.now))
    bench.add_node("n2")
    assert sorted(bench.state.nodes) == ["n1", "n2", "x"]


def test_a_node_that_joined_again_twice_knows_both_former_ones() -> None:
    bench = Bench("n1", "n2")
    bench.lose("n2")
    _join_again(bench, "n2b", like="n2")
    bench.lose("n2b")
    _join_again(bench, "n2c", like="n2b")
    assert bench.state.nodes["n2c"].former_ids == ("n2", "n2b")


def test_an_old_entry_never_takes_the_place_of_a_newer_one() -> None:
    bench = Bench("n1", "n2")
    _join_again(bench, "n2b", like="n2")
    bench.lose("n2b")
    assert sorted(bench.state.nodes) == ["n1", "n2", "n2b"]
    bench.lose("n2")
    bench.submit(
        commands.SeeNode(
            node_id="n2b",
            manager_id="m",
            description=bench.state.nodes["n2b"].description,
            now=bench.now,
        )
    )
    assert sorted(bench.state.nodes) == ["n1", "n2b"]
