"""Frames of the agent protocol: everything survives, nothing else is taken for a frame."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.model import objects
from stackctl.model.task_state import TaskState
from stackctl.wire import agent_protocol as protocol
from stackctl.wire import api, codec

DESCRIPTION = objects.NodeDescription(hostname="n1", nano_cpus=1, memory_bytes=2)
AGENT_FRAMES = (
    protocol.Hello(protocol_version=1, node_id="n", description=DESCRIPTION, term=2, index=3),
    protocol.StatusReport(
        reports=(
            protocol.TaskReport(
                task_id="t", status=objects.TaskStatus(state=TaskState.FAILED, exit_code=3)
            ),
        )
    ),
    protocol.Heartbeat(sequence=4, applied_index=5),
    protocol.Applied(index=6),
    protocol.Description(description=DESCRIPTION),
    protocol.LogChunk(stream_id=1, task_id="t", at=1.5, source="stderr", text=b"\xff\x00"),
    protocol.StreamEnd(stream_id=1, error="gone"),
)
MANAGER_FRAMES = (
    protocol.Welcome(cluster_id="c", manager_id="m", managers=("a:1",)),
    protocol.HeartbeatAnswer(sequence=4, has_leader=False),
    protocol.AssignmentMessage(term=1, index=2),
    protocol.OpenLogs(stream_id=1, task_ids=("t",), tail=10),
    protocol.Credit(stream_id=1, credit_bytes=100),
    protocol.CloseStream(stream_id=1),
)


@pytest.mark.parametrize("frame", AGENT_FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_of_an_agent_survives(frame: protocol.AgentFrame) -> None:
    assert protocol.decode_agent_frame(protocol.encode_frame(frame)) == frame


@pytest.mark.parametrize("frame", MANAGER_FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_of_a_manager_survives(frame: protocol.ManagerFrame) -> None:
    assert protocol.decode_manager_frame(protocol.encode_frame(frame)) == frame


def test_each_side_refuses_the_frames_of_its_own() -> None:
    with pytest.raises(protocol.ProtocolError, match="not a frame of a manager"):
        protocol.decode_manager_frame(protocol.encode_frame(AGENT_FRAMES[2]))
    with pytest.raises(protocol.ProtocolError, match="not a frame of an agent"):
        protocol.decode_agent_frame(protocol.encode_frame(MANAGER_FRAMES[1]))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_frame_are_refused(data: bytes) -> None:
    for decode in (protocol.decode_agent_frame, protocol.decode_manager_frame):
        try:
            decode(data)
        except protocol.ProtocolError:
            continue


def test_a_frame_that_nests_without_end_is_refused() -> None:
    data = msgspec.msgpack.encode({"type": "heartbeat", "sequence": 1})
    nested = b"\x83" + data[1:] + msgspec.msgpack.encode("x") + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_agent_frame(nested)


def test_a_body_survives_json_and_msgpack() -> None:
    body = api.ErrorBody(kind="conflict", message="no", hint="yes", exit_code=3)
    assert codec.from_json(codec.to_json(body), api.ErrorBody) == body
    assert codec.unpack(codec.pack(body), api.ErrorBody) == body


@given(st.binary(max_size=40))
def test_other_bytes_are_undecodable(data: bytes) -> None:
    for read in (codec.from_json, codec.unpack):
        try:
            read(data, api.ErrorBody)
        except codec.Undecodable:
            continue


def test_a_request_that_nests_without_end_is_undecodable() -> None:
    text = b'{"kind": "a", "message": "b", "more": ' + b"[" * 100_000
    with pytest.raises(codec.Undecodable):
        codec.from_json(text, api.ErrorBody)
    data = b"\x83" + msgspec.msgpack.encode({"kind": "a", "message": "b"})[1:]
    with pytest.raises(codec.Undecodable):
        codec.unpack(data + msgspec.msgpack.encode("more") + b"\x91" * 100_000, api.ErrorBody)
