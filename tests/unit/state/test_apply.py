"""Applying is total and deterministic, and a rejected entry moves nothing but the index."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands, snapshot
from stackctl.state.apply import Applied, apply
from stackctl.state.cluster import ClusterState, Draft
from tests.unit.core.bench import Bench, service_spec
from tests.unit.state.any_command import COMMANDS

TERM = 1


def _populated() -> ClusterState:
    """A state in which the ids of `any_command` mean something."""
    draft = Draft(ClusterState(), index=1, term=TERM)
    for node_id in ("a", "b"):
        draft.put_node(
            objects.Node(
                id=node_id,
                role=NodeRole.WORKER,
                state=NodeState.READY,
                description=objects.NodeDescription(hostname=node_id, nano_cpus=4, memory_bytes=4),
            )
        )
    draft.put_stack(objects.Stack(name="shop", created_at=0, updated_at=0))
    draft.put_network(
        objects.Network(id="a", spec=specs.NetworkSpec(name="shop_front"), stack_name="shop")
    )
    spec = service_spec("shop_web", networks=("shop_front",))
    for service_id, name in (("a", "shop_web"), ("b", "shop_db")):
        named = msgspec.structs.replace(spec, name=name)
        draft.put_service(
            objects.Service(
                id=service_id, spec=named, task_specs={1: named.task}, stack_name="shop"
            )
        )
    for task_id, state in (("a", TaskState.NEW), ("b", TaskState.RUNNING)):
        draft.put_task(
            objects.Task(
                id=task_id,
                service_id="a",
                slot=1,
                revision=1,
                node_id="a" if state > TaskState.ASSIGNED else "",
                status=objects.TaskStatus(state=state),
            )
        )
    return draft.finish()


POPULATED = _populated()


def _apply(state: ClusterState, entry: bytes) -> Applied:
    return apply(state, entry, index=state.index + 1, term=TERM)


def _is_untouched(before: ClusterState, after: ClusterState) -> bool:
    return after == msgspec.structs.replace(before, index=before.index + 1, term=after.term)


@given(st.binary(max_size=80))
def test_any_bytes_are_applied_or_rejected(entry: bytes) -> None:
    applied = _apply(POPULATED, entry)
    assert applied.result.error is not None
    assert _is_untouched(POPULATED, applied.state)


@given(st.binary(max_size=60))
def test_bytes_behind_our_version_are_applied_or_rejected(rest: bytes) -> None:
    applied = _apply(POPULATED, bytes([commands.ENCODING_VERSION]) + rest)
    assert applied.result.error is not None
    assert _is_untouched(POPULATED, applied.state)


@pytest.mark.parametrize(
    "field",
    [
        b"\x91" * 100_000 + b"\xc0",  # nests without end
        b"\xdd\xff\xff\xff\xff",  # promises four thousand million items
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xa2\xff\xff",  # no UTF-8
        b"\xd4\x01\x00",  # an extension
    ],
    ids=["nested", "array", "map", "binary", "text", "extension"],
)
@pytest.mark.parametrize("name", ["name", "unknown"])
def test_a_malicious_entry_is_rejected(field: bytes, name: str) -> None:
    pack = msgspec.msgpack.encode
    entry = bytes([1]) + b"\x83" + pack("type") + pack("remove-stack") + pack("now") + pack(1.0)
    applied = _apply(POPULATED, entry + pack(name) + field)
    assert applied.result.error is not None
    assert _is_untouched(POPULATED, applied.state)


def test_an_entry_of_another_encoding_is_rejected() -> None:
    applied = _apply(POPULATED, b"\x02abc")
    assert applied.result.error is not None
    assert "encoding 02" in applied.result.error.message


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS, max_size=12))
def test_any_commands_are_applied_the_same_way_everywhere(
    given_commands: list[commands.Command],
) -> None:
    first = second = POPULATED
    for command in given_commands:
        entry = commands.encode_command(command)
        applied, again = _apply(first, entry), _apply(second, entry)
        assert applied.state == again.state
        assert applied.result == again.result
        if applied.result.error is not None:
            assert _is_untouched(first, applied.state)
            assert applied.events == ()
        first, second = applied.state, again.state
    assert first.index == POPULATED.index + len(given_commands)
    restored = snapshot.decode_state(list(snapshot.encode_state(first)))
    assert restored == first


@settings(max_examples=100, deadline=None)
@given(COMMANDS)
def test_a_command_survives_the_log(command: commands.Command) -> None:
    assert commands.decode_command(commands.encode_command(command)) == command


@pytest.mark.parametrize(
    ("observed", "is_taken"),
    [
        (TaskState.NEW, False),
        (TaskState.ASSIGNED, False),
        (TaskState.ACCEPTED, True),
        (TaskState.RUNNING, True),
        (TaskState.FAILED, True),
        (TaskState.REJECTED, True),
        (TaskState.REMOVE, False),
        (TaskState.ORPHANED, False),
    ],
)
def test_an_agent_has_a_say_between_accepted_and_rejected(
    observed: TaskState, is_taken: bool
) -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    before = bench.newest().status
    bench.report(bench.newest(), observed, message="I say")
    assert (bench.newest().status != before) is is_taken


def test_an_observed_state_only_grows() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    bench.report(bench.newest(), TaskState.RUNNING)
    bench.report(bench.newest(), TaskState.PREPARING)
    assert bench.newest().status.state == TaskState.RUNNING


def test_a_report_of_the_same_state_may_bring_a_better_message_but_no_new_time() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    bench.report(bench.newest(), TaskState.PREPARING)
    at = bench.newest().status.at
    bench.wait(5)
    bench.report(bench.newest(), TaskState.PREPARING, error="pulling")
    assert bench.newest().status.error == "pulling"
    assert bench.newest().status.at == at


def test_a_task_ends_once() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    task = bench.newest()
    bench.report(task, TaskState.COMPLETE)
    bench.report(task, TaskState.FAILED)
    assert bench.state.tasks[task.id].status.state == TaskState.COMPLETE


def test_a_node_reports_only_its_own_tasks() -> None:
    bench = Bench("n1", "n2")
    bench.deploy(service_spec())
    bench.settle()
    task = bench.newest()
    foreign = msgspec.structs.replace(task, node_id="n2")
    bench.report(foreign, TaskState.RUNNING)
    assert bench.newest().status.state == TaskState.ASSIGNED


def test_times_of_reports_are_the_managers() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    bench.settle()
    bench.wait(7)
    bench.report(bench.newest(), TaskState.RUNNING)
    assert bench.newest().running_at == bench.newest().status.at == bench.now


def test_a_round_of_another_term_is_refused_whole() -> None:
    bench = Bench("n1")
    bench.deploy(service_spec())
    done = bench.round(apply_it=False)
    bench.term = 2
    before = bench.state
    result = bench.submit(commands.ApplyRound(term=1, changes=done.changes, now=bench.now))
    assert result.error is not None
    assert "round of term 1 came in term 2" in result.error.message
    assert bench.state.tasks == before.tasks
    assert bench.state.term == 2


def test_a_verdict_of_another_term_is_refused() -> None:
    bench = Bench("n1")
    result = bench.submit(commands.LoseNode(node_id="n1", term=0, message="silent", now=bench.now))
    assert result.error is not None
    assert bench.state.nodes["n1"].state == NodeState.READY


def test_the_cluster_begins_once() -> None:
    bench = Bench()
    result = bench.submit(
        commands.InitCluster(
            cluster_id="x", worker_secret="", manager_secret="", authority_digest="", now=1
        )
    )
    assert result.error is not None
    assert bench.state.cluster is not None
    assert bench.state.cluster.id == "c"
