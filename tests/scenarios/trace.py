"""What happened in a scenario, one line per thing that a person would want to know."""

from stackctl.model import objects
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import commands, queries
from stackctl.state.apply import Applied
from stackctl.state.cluster import ClusterState
from tests.sim.timeline import Timeline


class Trace:
    """Watches every applied entry."""

    def __init__(self) -> None:
        self.clock: Timeline | None = None
        self._before = ClusterState()
        self._lines: list[str] = []

    def note(self, applied: Applied, _command: commands.Command) -> None:
        """Writes down what an entry changed."""
        before, after = self._before, applied.state
        self._before = after
        task_ids = {event.object_id for event in applied.events if event.kind == "task"}
        tasks = [after.tasks[task_id] for task_id in task_ids if task_id in after.tasks]
        for node_id, node in sorted(after.nodes.items()):
            self._note_node(before.nodes.get(node_id), node)
        for service_id, service in sorted(after.services.items()):
            self._note_service(before.services.get(service_id), service)
        for task in sorted(tasks, key=lambda task: (_name(after, task), task.created_version)):
            self._note_task(after, before.tasks.get(task.id), task)
        for name in before.stacks:
            if name not in after.stacks:
                self._say(f"stack {name} is gone")

    def take(self) -> list[str]:
        """The lines since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def _note_node(self, old: objects.Node | None, new: objects.Node) -> None:
        if old is None or (old.state == NodeState.UNKNOWN and not old.session_manager_id):
            return
        if old.state != new.state:
            message = f": {new.state_message}" if new.state_message else ""
            self._say(f"node {new.hostname} is {new.state.value}{message}")

    def _note_service(self, old: objects.Service | None, new: objects.Service) -> None:
        status = new.update_status
        if status is not None and (
            old is None or old.update_status is None or old.update_status.state != status.state
        ):
            self._say(f"{new.name} {status.state.value}: {status.message}")
        before = "" if old is None else old.held_reason
        if new.held_reason != before:
            for_good = " (for good)" if new.held_for_good else ""
            self._say(f"{new.name} is {new.held_reason or 'waiting no longer'}{for_good}")

    def _note_task(self, state: ClusterState, old: objects.Task | None, new: objects.Task) -> None:
        name = f"{_name(state, new)} ({new.id})"
        node = state.nodes.get(new.node_id)
        if old is None:
            when = ""
            if new.start_after:
                when = f", to start {new.start_after - new.created_at:.1f} s later"
            self._say(f"{name} created{when}: {new.cause}")
            old = new
            if new.status.state < TaskState.ASSIGNED:
                self._note_waiting("", name, new)
                return
        if new.desired_state > TaskState.COMPLETE >= old.desired_state and not new.has_ended:
            self._say(f"{name} is to stop: {new.end_cause}")
        if old.carried_over_version != new.carried_over_version:
            self._say(f"{name} is told of revision {new.revision}")
        was, now = old.status.state, new.status.state
        if was == now:
            self._note_waiting(old.status.error, name, new)
        elif was < TaskState.ASSIGNED <= now and node is not None:
            self._say(f"{name} goes to {node.hostname}")
        elif now == TaskState.RUNNING and node is not None:
            self._say(f"{name} runs on {node.hostname}")
        elif now > TaskState.RUNNING:
            detail = f": {new.status.error}" if new.status.error else ""
            self._say(f"{name} {now.name.lower()}{detail}")

    def _note_waiting(self, before: str, name: str, task: objects.Task) -> None:
        if task.status.error and task.status.error != before and not task.has_ended:
            self._say(f"{name} waits: {task.status.error}")

    def _say(self, line: str) -> None:
        if self.clock is not None:
            self._lines.append(f"{self.clock.now - self.clock.start:6.2f}  {line}")


def _name(state: ClusterState, task: objects.Task) -> str:
    return queries.task_name(state.services[task.service_id], task)
