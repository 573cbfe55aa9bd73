"""Model values survive encoding, and say of themselves what others rely on."""

import msgspec
import pytest

from stackctl.model import assignment, objects, specs, task_state
from stackctl.model.task_state import TaskState


def test_states_are_swarms_in_swarms_order() -> None:
    assert [state.name for state in sorted(TaskState)] == [
        "NEW",
        "PENDING",
        "ASSIGNED",
        "ACCEPTED",
        "PREPARING",
        "READY",
        "STARTING",
        "RUNNING",
        "COMPLETE",
        "SHUTDOWN",
        "FAILED",
        "REJECTED",
        "REMOVE",
        "ORPHANED",
    ]


@pytest.mark.parametrize("state", list(TaskState))
def test_a_task_has_ended_exactly_when_its_state_is_terminal(state: TaskState) -> None:
    task = objects.Task(
        id="t", service_id="s", slot=1, revision=1, status=objects.TaskStatus(state=state)
    )
    assert task.has_ended == task_state.is_terminal(state) == (state > TaskState.RUNNING)


@pytest.mark.parametrize("desired", list(TaskState))
def test_a_task_is_wanted_until_it_is_told_to_end(desired: TaskState) -> None:
    task = objects.Task(id="t", service_id="s", slot=1, revision=1, desired_state=desired)
    assert task.is_wanted == task_state.is_active_wish(desired) == (desired < TaskState.SHUTDOWN)


def test_a_misspelt_field_of_a_spec_is_an_error() -> None:
    text = b'{"name": "web", "task": {"container": {"image": "a"}}, "replica": 2}'
    with pytest.raises(msgspec.ValidationError, match="unknown field `replica`"):
        msgspec.json.decode(text, type=specs.ServiceSpec)


def test_an_unknown_field_of_an_object_is_passed_over() -> None:
    # A newer manager may know more of a task than an older agent.
    text = b'{"id": "t", "service_id": "s", "slot": 1, "revision": 1, "mood": "fine"}'
    assert msgspec.json.decode(text, type=objects.Task).id == "t"


def test_a_task_that_an_older_manager_wrote_is_read() -> None:
    old = msgspec.msgpack.encode({"id": "t", "service_id": "s", "slot": 1, "revision": 1})
    task = msgspec.msgpack.decode(old, type=objects.Task)
    assert task.created_version == 0
    assert task.is_wanted


def test_values_cannot_be_changed() -> None:
    task = objects.Task(id="t", service_id="s", slot=1, revision=1)
    with pytest.raises(AttributeError):
        task.slot = 2  # type: ignore[misc]  # that it cannot is the point


@pytest.mark.parametrize(
    "value",
    [
        specs.StackSpec(name="shop", secrets=(specs.SecretSpec(name="key", content=b"hush"),)),
        assignment.AssignmentSet(
            node_id="n",
            term=1,
            index=1,
            secrets=(assignment.SecretAssignment(id="s", name="key", content=b"hush"),),
        ),
    ],
)
def test_the_content_of_a_secret_is_never_printed(value: object) -> None:
    assert "key" in repr(value)
    assert "hush" not in repr(value)
    assert "hush" not in f"{value!s} {value}"
