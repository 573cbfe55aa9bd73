"""The state machine between consensus and the event loop."""

from stackctl.manager.machine import ReplicatedState
from stackctl.model.objects import NodeRole
from stackctl.state import commands, results
from stackctl.state.events import Kind


def put_node(node_id: str) -> bytes:
    return commands.encode_command(
        commands.PutNode(node_id=node_id, role=NodeRole.WORKER, hostname=node_id, now=1)
    )


def test_a_burst_of_entries_wakes_the_loop_once() -> None:
    wakes: list[None] = []
    machine = ReplicatedState(lambda: wakes.append(None))
    for index in (1, 2, 3):
        machine.apply(put_node(f"n{index}"), index=index, term=1)
    assert len(wakes) == 1
    publication = machine.take()
    assert [event.object_id for event in publication.events] == ["n1", "n2", "n3"]
    assert publication.before.index == 0
    assert publication.state.index == 3
    machine.apply(put_node("n4"), index=4, term=1)
    assert len(wakes) == 2
    assert machine.take().before.index == 3


def test_a_refused_entry_moves_the_index_and_answers_why() -> None:
    machine = ReplicatedState(lambda: None)
    result = results.decode_result(machine.apply(b"\xff?", index=7, term=2))
    assert result.error is not None
    assert machine.state.index == 7
    assert machine.take().events == ()


def test_a_capture_is_not_disturbed_by_later_entries() -> None:
    machine = ReplicatedState(lambda: None)
    machine.apply(put_node("n1"), index=1, term=1)
    encode = machine.capture()
    machine.apply(put_node("n2"), index=2, term=1)
    other = ReplicatedState(lambda: None)
    other.restore(encode())
    assert list(other.state.nodes) == ["n1"]
    publication = other.take()
    assert publication.everything
    assert publication.state.index == 1


def test_events_name_what_changed() -> None:
    machine = ReplicatedState(lambda: None)
    machine.apply(put_node("n1"), index=1, term=1)
    (event,) = machine.take().events
    assert (event.kind, event.node_id) == (Kind.NODE, "n1")
