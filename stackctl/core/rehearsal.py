"""A rehearsal: what the controllers would do from here on, on nodes where everything works.

The same rounds decide as on the leader, on a copy of the state; nodes obey at once, no container
fails, delays pass in no time. A forecast made like this cannot say anything that the real thing
would decide otherwise, except where reality fails. It takes as long as the rounds take: about a
millisecond for each task that is started.
"""

import itertools
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from stackctl.core.agenda import Agenda
from stackctl.core.rounds import run_round
from stackctl.model import objects, specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.apply import Applied, apply
from stackctl.state.cluster import ClusterState
from stackctl.state.commands import ApplyRound, Command, ReportTasks, encode_command
from stackctl.state.results import Result
from stackctl.wire.agent_protocol import TaskReport

STEPS_MAX = 20_000
_WORKING = range(TaskState.ASSIGNED, TaskState.RUNNING + 1)


class Rehearsal:
    """A copy of the cluster in which time passes as fast as decisions are made.

    `on_step` sees the state after each step of the nodes.
    """

    def __init__(
        self,
        state: ClusterState,
        *,
        now: float,
        on_step: Callable[[ClusterState], None] = lambda _state: None,
    ) -> None:
        self.state = state
        self.now = now
        self._on_step = on_step
        self._agenda = Agenda()
        # A rehearsal that goes on from another one finds that one's tasks: its own are called
        # otherwise, because a change that makes a task with a known id does nothing.
        self._prefix = f"rehearsed-{state.index}"
        self._numbers = itertools.count()

    def submit(self, command: Command) -> Result:
        """Applies a command; it may be rejected as it would be by the cluster."""
        return self._apply(command).result

    def run(self) -> bool:
        """Lets the cluster work until it rests; False when it does not within bounds."""
        for _ in range(STEPS_MAX):
            if self._decide() or self._obey():
                continue
            wake_at = self._wake_at()
            if wake_at is None:
                return True
            self.now = max(self.now, wake_at)
        return False

    def _apply(self, command: Command) -> Applied:
        applied = apply(
            self.state,
            encode_command(command),
            index=self.state.index + 1,
            term=self.state.term,
        )
        self.state = applied.state
        self._agenda = self._agenda.with_events(applied.events)
        return applied

    def _decide(self) -> bool:
        agenda = self._agenda.at(self.now).acknowledged()
        done = run_round(
            self.state,
            now=self.now,
            new_id=lambda: f"{self._prefix}-{next(self._numbers)}",
            acknowledged=dict.fromkeys(self.state.nodes, self.state.index),
            service_ids=None if agenda.everything else agenda.services,
        )
        self._agenda = agenda.after(done, now=self.now)
        if done.changes:
            self._apply(ApplyRound(term=self.state.term, changes=done.changes, now=self.now))
        return bool(done.changes)

    def _obey(self) -> bool:
        """Every node does the next step of each of its tasks; False when there is none."""
        has_moved = False
        for node in self.state.nodes.values():
            if node.state != NodeState.READY:
                continue
            reports = tuple(self._reports(node))
            if reports:
                self._apply(ReportTasks(node_id=node.id, reports=reports, now=self.now))
                has_moved = True
        if has_moved:
            self._on_step(self.state)
        return has_moved

    def _reports(self, node: objects.Node) -> Iterator[TaskReport]:
        for task in self.state.tasks_on(node.id).values():
            reached = self._next_state(task)
            if reached is not None:
                status = replace(task.status, state=reached, error="", at=self.now)
                yield TaskReport(task_id=task.id, status=status)

    def _next_state(self, task: objects.Task) -> TaskState | None:
        held = task.status.state
        if held not in _WORKING:
            return None
        if not task.is_wanted:
            return TaskState.SHUTDOWN if task.released or held < TaskState.RUNNING else None
        if held == TaskState.RUNNING:
            return TaskState.COMPLETE if self._completes(task) else None
        if task.desired_state >= TaskState.RUNNING and self.now >= task.start_after:
            return TaskState.RUNNING
        return TaskState.READY if held < TaskState.READY else None

    def _completes(self, task: objects.Task) -> bool:
        """Jobs end, and so do services that others want to see completed."""
        service = self.state.services.get(task.service_id)
        if service is None:
            return False
        return service.spec.mode.is_job or any(
            item.service == service.name and item.condition == specs.DependencyCondition.COMPLETED
            for other in self.state.services.values()
            for item in other.spec.depends_on
        )

    def _wake_at(self) -> float | None:
        """When something goes on by itself."""
        return min((at for at in self._agenda.wakes.values() if at > self.now), default=None)
