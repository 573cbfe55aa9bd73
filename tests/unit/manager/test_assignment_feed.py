"""What an agent is sent, and which index counts as in force on its node."""

import pytest
from msgspec.structs import replace

from stackctl.manager.assignment_feed import AssignmentFeed
from stackctl.manager.vault import Vault
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import NodeRole, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.wire import increments
from stackctl.wire.agent_protocol import AssignmentMessage, TaskReport
from tests.cluster_story import Story
from tests.manager_parts import small_stack
from tests.vaults import VAULT, put_stack


def patched(held: AssignmentSet, message: AssignmentMessage) -> AssignmentSet:
    assert message.increment is not None
    return increments.patch(held, message.increment, term=message.term, index=message.index)


def deployed() -> Story:
    story = Story(1)
    spec = small_stack("a", replicas=4)
    story.apply(commands.PutStack(spec=spec, seed=b"s" * 16, now=1))
    story.round()
    return story


def test_the_first_message_is_whole_and_the_next_only_what_changed() -> None:
    story, feed = deployed(), AssignmentFeed("n1", vault=VAULT)
    first = feed.next_message(story.machine.state)
    assert first is not None
    assert first.full is not None
    task = first.full.tasks[0]
    running = TaskReport(task_id=task.id, status=TaskStatus(state=TaskState.RUNNING, at=1))
    story.apply(commands.ReportTasks(node_id="n1", reports=(running,), now=2))
    second = feed.next_message(story.machine.state)
    assert second is not None
    assert second.full is None
    assert second.increment is not None
    assert second.increment.put_tasks == ()
    assert [item.service_name for item in second.increment.put_endpoints] == ["a_web"]
    held = patched(first.full, second)
    assert (held.term, held.index) == (1, story.index)


def test_nothing_is_sent_while_nothing_changes_but_the_index_counts_as_confirmed() -> None:
    story, feed = deployed(), AssignmentFeed("n1", vault=VAULT)
    first = feed.next_message(story.machine.state)
    assert first is not None
    story.apply(commands.PutNode(node_id="n9", role=NodeRole.WORKER, hostname="n9", now=1))
    assert feed.next_message(story.machine.state) is None
    assert feed.acknowledged_index == 0
    feed.confirm(first.index)
    assert feed.acknowledged_index == story.index
    feed.is_unchanged_at(story.index + 5)
    assert feed.acknowledged_index == story.index + 5


def test_an_old_confirmation_does_not_speak_for_what_was_sent_since() -> None:
    story, feed = deployed(), AssignmentFeed("n1", vault=VAULT)
    first = feed.next_message(story.machine.state)
    assert first is not None
    feed.confirm(first.index)
    story.apply(commands.LoseNode(node_id="n2", term=1, message="", now=3))
    story.round()
    second = feed.next_message(story.machine.state)
    assert second is not None
    assert feed.acknowledged_index == first.index
    feed.confirm(second.index)
    assert feed.acknowledged_index == second.index


def test_an_agent_that_lost_its_set_gets_a_whole_one() -> None:
    story, feed = deployed(), AssignmentFeed("n1", vault=VAULT)
    feed.next_message(story.machine.state)
    feed.start_over()
    again = feed.next_message(story.machine.state)
    assert again is not None
    assert again.full is not None


def with_secret(content: bytes) -> specs.StackSpec:
    spec = small_stack("a", replicas=4)
    service = spec.services[0]
    reference = specs.ConfigReference(name="a_key", target="/run/secrets/key")
    container = replace(service.task.container, secrets=(reference,))
    service = replace(service, task=replace(service.task, container=container))
    secret = specs.SecretSpec(name="a_key", content=content)
    return replace(spec, services=(service,), secrets=(secret,))


def test_only_the_message_to_a_node_that_needs_a_secret_has_its_content() -> None:
    story = Story(1)
    story.apply(put_stack(with_secret(b"hush"), seed=b"s" * 16, now=1))
    feed = AssignmentFeed("n1", vault=VAULT)
    before = feed.next_message(story.machine.state)
    assert before is not None
    assert before.full is not None
    assert before.full.secrets == ()
    story.round()
    message = feed.next_message(story.machine.state)
    assert message is not None
    assert message.increment is not None
    assert [(item.name, item.content) for item in message.increment.put_secrets] == [
        ("a_key", b"hush")
    ]
    task = message.increment.put_tasks[0]
    assert task.secret_ids == {"a_key": message.increment.put_secrets[0].id}
    feed.start_over()
    again = feed.next_message(story.machine.state)
    assert again is not None
    assert again.full is not None
    assert again.full.secrets == message.increment.put_secrets
    held = feed._sent
    assert held is not None
    assert [item.content for item in held.secrets] == [None]


def test_a_secret_that_cannot_be_opened_goes_without_its_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = Story(1)
    story.apply(put_stack(with_secret(b"hush"), seed=b"s" * 16, now=1))
    story.round()
    feed = AssignmentFeed("n1", vault=Vault(lambda: bytes(32)))
    message = feed.next_message(story.machine.state)
    assert message is not None
    assert message.full is not None
    assert [item.content for item in message.full.secrets] == [None]
    assert message.full.tasks
    assert "node n1 does not get a secret: secret a_key was sealed with another" in caplog.text
