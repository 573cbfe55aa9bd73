"""Whoever is not told of a change must have an assignment that the change left as it was."""

import pytest

from stackctl.manager import relevance
from stackctl.model.objects import TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.wire.agent_protocol import TaskReport
from tests.cluster_story import NODES, Story
from tests.manager_parts import small_stack


@pytest.mark.parametrize("seed", range(12))
def test_nobody_misses_a_change_of_its_assignment(seed: int) -> None:
    story = Story(seed)
    story.machine.take()
    before = story.sets()
    told = spared = 0
    for _ in range(40):
        story.step()
        affected = relevance.affected_by(story.machine.take())
        after = story.sets()
        for node_id in NODES:
            if affected.all_nodes or node_id in affected.node_ids:
                told += 1
            else:
                spared += 1
                assert before[node_id] == after[node_id], (seed, node_id)
        before = after
    assert told
    assert spared


def test_a_step_of_one_task_concerns_only_its_own_node_or_nobody() -> None:
    story = Story(1)
    spec = small_stack("a", replicas=2)
    story.apply(commands.PutStack(spec=spec, seed=b"s" * 16, now=1))
    story.round()
    story.machine.take()
    task = next(iter(story.machine.state.tasks.values()))
    status = TaskStatus(state=TaskState.PREPARING, at=1)
    story.apply(
        commands.ReportTasks(
            node_id=task.node_id, reports=(TaskReport(task_id=task.id, status=status),), now=2
        )
    )
    assert relevance.affected_by(story.machine.take()) == (frozenset(), False)


def test_a_loaded_snapshot_concerns_everybody() -> None:
    story = Story(1)
    story.machine.take()
    story.machine.restore(story.machine.capture()())
    assert relevance.affected_by(story.machine.take()).all_nodes
