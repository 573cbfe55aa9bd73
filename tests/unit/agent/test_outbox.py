"""What waits to be sent: the newest status of each task, and not too many log frames."""

import threading

from agent.session.outbox import LOG_FRAMES_MAX, Outbox
from stackctl.model.objects import TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.wire.agent_protocol import Applied, LogChunk, StatusReport, TaskReport


def report(task_id: str, state: TaskState) -> TaskReport:
    return TaskReport(task_id=task_id, status=TaskStatus(state=state))


def chunk(number: int) -> LogChunk:
    return LogChunk(stream_id=1, task_id="t1", at=number, source="stdout", text=b"x")


def test_only_the_newest_status_of_a_task_waits() -> None:
    outbox = Outbox()
    outbox.connect(lambda: None)
    outbox.put_report(report("t1", TaskState.STARTING))
    outbox.put_report(report("t1", TaskState.RUNNING))
    outbox.put_report(report("t1", TaskState.PREPARING))
    outbox.put_report(report("t2", TaskState.FAILED))
    assert outbox.take() == [
        StatusReport(reports=(report("t1", TaskState.RUNNING), report("t2", TaskState.FAILED)))
    ]
    assert outbox.take() == []


def test_connection_begins_with_all_statuses() -> None:
    outbox = Outbox()
    outbox.put_report(report("gone", TaskState.FAILED))
    outbox.connect(lambda: None)
    outbox.put_all_reports((report("t1", TaskState.RUNNING),))
    assert outbox.take() == [StatusReport(reports=(report("t1", TaskState.RUNNING),))]


def test_status_reported_while_all_were_collected_is_newer() -> None:
    outbox = Outbox()
    outbox.connect(lambda: None)
    outbox.put_report(report("t1", TaskState.FAILED))
    outbox.put_all_reports((report("t1", TaskState.RUNNING), report("t2", TaskState.READY)))
    assert outbox.take() == [
        StatusReport(reports=(report("t1", TaskState.FAILED), report("t2", TaskState.READY)))
    ]


def test_applied_index_is_urgent_and_goes_first() -> None:
    outbox = Outbox()
    outbox.connect(lambda: None)
    outbox.put_report(report("t1", TaskState.RUNNING))
    assert not outbox.has_urgent()
    outbox.put_applied(4)
    outbox.put_applied(6)
    assert outbox.has_urgent()
    assert outbox.take()[0] == Applied(index=6)
    assert not outbox.has_urgent()


def test_news_wakes_the_connection() -> None:
    outbox = Outbox()
    woken: list[int] = []
    outbox.put_applied(1)
    outbox.connect(lambda: woken.append(1))
    outbox.put_applied(2)
    assert woken == [1]


def test_flood_of_output_waits_for_room() -> None:
    outbox = Outbox()
    connection = outbox.connect(lambda: None)
    for number in range(LOG_FRAMES_MAX):
        assert outbox.put_log(chunk(number), connection=connection)
    results: list[bool] = []
    writer = threading.Thread(
        target=lambda: results.append(outbox.put_log(chunk(-1), connection=connection))
    )
    writer.start()
    writer.join(0.05)
    assert writer.is_alive()
    assert len(outbox.take()) == LOG_FRAMES_MAX
    writer.join(5)
    assert results == [True]


def test_log_stream_of_a_lost_connection_is_told_so() -> None:
    outbox = Outbox()
    connection = outbox.connect(lambda: None)
    outbox.disconnect()
    assert outbox.put_log(chunk(1), connection=connection) is False
    assert outbox.take() == []
