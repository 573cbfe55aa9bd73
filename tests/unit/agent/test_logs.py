"""Log streams: credit, following, waiting for a container, ends."""

import threading
import time
from typing import Any

import pytest

from agent.drivers.logs import LogStreams
from stackctl.wire.agent_protocol import LogChunk, OpenLogs, StreamEnd
from tests.eventually import eventually
from tests.fakes.engine import FakeEngine

WAIT_SECONDS = 5.0


class Bench:
    """Streams over a fake engine, and the frames that came out."""

    def __init__(self) -> None:
        self.engine = FakeEngine(time.time)
        self.frames: list[LogChunk | StreamEnd] = []
        self.names: dict[str, str] = {}
        self.streams = LogStreams(
            engine=self.engine,
            find_container=lambda task_id: self.engine.inspect(self.names.get(task_id, "")),
            send=self._send,
        )

    def run(self, task_id: str, *command: str) -> None:
        labels = {"stackctl.task.id": task_id, "stackctl.task.name": "web"}
        name = f"web.{task_id}"
        body = {
            "Image": "stackctl/busybox:test",
            "Cmd": list(command),
            "Labels": labels,
            "HostConfig": {},
        }
        self.engine.start(self.engine.create(name, body))
        self.names[task_id] = name

    def texts(self) -> list[bytes]:
        return [frame.text for frame in self.frames if isinstance(frame, LogChunk)]

    def ends(self) -> list[StreamEnd]:
        return [frame for frame in self.frames if isinstance(frame, StreamEnd)]

    def until(self, check: Any) -> Any:
        return eventually(check, timeout_seconds=WAIT_SECONDS)

    def _send(self, frame: LogChunk | StreamEnd) -> bool:
        self.frames.append(frame)
        return True


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_output_of_all_tasks_then_the_end(bench: Bench) -> None:
    bench.run("t1", "sh", "-c", "echo a; echo b >&2")
    bench.run("t2", "sh", "-c", "echo c")
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1", "t2")))
    assert bench.until(bench.ends) == [StreamEnd(stream_id=7)]
    assert sorted(bench.texts()) == [b"a", b"b", b"c"]
    assert isinstance(bench.frames[-1], StreamEnd)


def test_no_more_is_sent_than_there_is_credit_for(bench: Bench) -> None:
    bench.run("t1", "sh", "-c", "echo aaaa; echo bbbb; echo cccc")
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1",), credit_bytes=9))
    bench.until(lambda: len(bench.texts()) == 2)
    assert bench.ends() == []
    bench.streams.grant(7, 3)
    bench.until(bench.ends)
    assert bench.texts() == [b"aaaa", b"bbbb", b"cccc"]


def test_followed_stream_goes_on_until_the_container_ends(bench: Bench) -> None:
    bench.run("t1", "sh", "-c", "echo a; sleep 1000")
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1",), follow=True))
    bench.until(lambda: bench.texts() == [b"a"])
    assert bench.ends() == []
    bench.engine.end("web.t1", 0)
    bench.until(bench.ends)


def test_followed_task_is_waited_for_until_it_has_a_container(bench: Bench) -> None:
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1",), follow=True))
    bench.run("t1", "sh", "-c", "echo late")
    bench.streams.notice_container()
    bench.until(bench.ends)
    assert bench.texts() == [b"late"]


def test_task_without_a_container_has_no_output(bench: Bench) -> None:
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1",)))
    assert bench.until(bench.ends) == [StreamEnd(stream_id=7)]


def test_closed_stream_ends_its_threads_without_a_word(bench: Bench) -> None:
    bench.run("t1", "sh", "-c", "echo a; sleep 1000")
    before = set(threading.enumerate())
    bench.streams.open(OpenLogs(stream_id=7, task_ids=("t1",), follow=True))
    bench.streams.open(OpenLogs(stream_id=8, task_ids=("absent",), follow=True))
    bench.until(lambda: bench.texts() == [b"a"])
    bench.streams.close_all()
    bench.until(lambda: set(threading.enumerate()) <= before)
    assert bench.ends() == []


def test_fault_is_told_at_the_end(bench: Bench) -> None:
    bench.run("t1", "sh", "-c", "echo a")
    bench.names["t1"] = "web.t1"
    container = bench.engine.inspect("web.t1")
    bench.engine.take_away("web.t1")
    streams = LogStreams(engine=bench.engine, find_container=lambda _: container, send=bench._send)
    streams.open(OpenLogs(stream_id=7, task_ids=("t1",)))
    (end,) = bench.until(bench.ends)
    assert "No such container" in end.error
