"""A simulated node: the agent's real decisions on the fake engine, with virtual time.

What the agent's worker does with threads is done here by the timeline: one action per task at a
time, each taking a while, health tests and pulls beside them, the network part after the set. What
survives a restart of the agent is what the real one keeps on disk: records and assignment.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from agent.core import actions, image_wishes, reconcile, task_machine
from agent.core.observed import LABEL_NODE_ID, Container
from agent.core.task_record import TaskRecord
from agent.drivers.task_files import TaskFiles
from agent.worker.ends import Ends
from agent.worker.execution import Execution, NodeIdentity
from stackctl.model import objects
from stackctl.model.assignment import AssignmentSet, TaskAssignment
from stackctl.wire import increments
from stackctl.wire.agent_protocol import AssignmentMessage, TaskReport
from tests.fakes.engine import FakeEngine
from tests.sim.machinery import Machinery
from tests.sim.timeline import Timeline

CLUSTER_ID = "simulated"
POWER_LOSS_CODE = 255
SIGTERM_CODE = 143


class Uplink(Protocol):
    """The managers, as an agent sees them."""

    def report(self, node_id: str, report: TaskReport) -> None:
        """A status changed."""

    def applied(self, node_id: str, index: int) -> None:
        """The network part of the assignment at that index is in force."""

    def hello(self, node_id: str) -> None:
        """The agent needs a whole set."""


class NoFiles(TaskFiles):
    """Configs and secrets as names of files that are never written."""

    def __init__(self) -> None:
        """Without the real ones."""

    def rewrite(self, task: TaskAssignment, assignment: AssignmentSet) -> None:
        self.write(task, assignment)

    def write(self, task: TaskAssignment, assignment: AssignmentSet) -> Mapping[str, str]:
        configs = {item.id: item.content for item in assignment.configs}
        secrets = {item.id: item.content for item in assignment.secrets}
        container = task.spec.container
        sources = {}
        for reference in container.configs:
            assert configs[task.config_ids[reference.name]] is not None
            sources[reference.target] = f"/configs/{reference.name}"
        for reference in container.secrets:
            assert secrets[task.secret_ids[reference.name]] is not None
            sources[reference.target] = f"/secrets/{reference.name}"
        return sources


class NoDns:
    """No DNS servers of our own."""

    def dns_servers(self, task_networks: Iterable[str]) -> tuple[str, ...]:
        return ()


class SimulatedNode:
    """One node with its engine and agent."""

    def __init__(
        self,
        description: objects.NodeDescription,
        *,
        node_id: str,
        timeline: Timeline,
        machinery: Machinery,
        uplink: Uplink,
        images: tuple[str, ...],
    ) -> None:
        self.id = node_id
        self.description = description
        self.engine = FakeEngine(timeline.clock, images=images)
        self.is_powered = True
        self.is_cut = False
        self.is_agent_up = True
        self.records: dict[str, TaskRecord] = {}
        self.assignment = AssignmentSet(node_id=node_id, term=0, index=0)
        self.applied_index = 0
        self._timeline = timeline
        self._machinery = machinery
        self._uplink = uplink
        self._execution = Execution(
            engine=self.engine,
            identity=NodeIdentity(cluster_id=CLUSTER_ID, node_id=node_id),
            dns=NoDns(),
            files=NoFiles(),
        )
        self._life = 0  # counts starts of the agent; what an earlier life began is not its own
        self._is_confirmed = False
        self._networks: dict[str, str] = {}
        self._seen: dict[str, Container] = {}  # by task id
        self._ends = Ends()
        self._events = self.engine.events({})
        self._busy: dict[str, actions.Action] = {}
        self._probing: set[str] = set()
        self._pulling: set[str] = set()
        self._looks_at: float | None = None

    @property
    def hostname(self) -> str:
        """The node's name."""
        return self.description.hostname

    @property
    def is_reachable(self) -> bool:
        """True when managers and agent can talk."""
        return self.answers and self.is_agent_up

    @property
    def answers(self) -> bool:
        """True when the machine itself gives signs of life."""
        return self.is_powered and not self.is_cut

    def running(self) -> list[str]:
        """Names of the containers that run, sorted; none on a node without power."""
        return self.engine.running() if self.is_powered else []

    # -- what happens to it ------------------------------------------------------------------

    def power_off(self) -> None:
        """Everything stops at once, unasked."""
        self.is_powered = False
        self._begin_life()
        for name in self.engine.running():
            self.engine.end(name, POWER_LOSS_CODE)

    def power_on(self) -> None:
        """The machine starts; its agent finds what it left on disk."""
        self.is_powered = True
        self.start_agent()

    def restart_engine(self) -> None:
        """The engine is stopped in an orderly way, and with it every container; it is back soon."""
        for name in self.running():
            self.engine.stop_with_engine(name, SIGTERM_CODE)
        self.look()

    def stop_agent(self) -> None:
        """The agent dies; containers go on."""
        if not (self.is_powered and self.is_agent_up):
            return
        for action in list(self._busy.values()):
            if self._machinery.loses_the_outcome():
                self._execution.perform(action, self.assignment, self._networks)
        self.is_agent_up = False

    def start_agent(self) -> None:
        """An agent starts; it finds what the last one left on disk and in the engine."""
        self._begin_life()
        self.is_agent_up = True
        self.look()

    def receive(self, message: AssignmentMessage) -> None:
        """A manager sent an assignment."""
        if not self._is_alive(self._life):
            return
        held = self.assignment
        if (message.term, message.index) < (held.term, held.index):
            return
        if message.full is not None:
            wanted = message.full
        elif message.increment is not None:
            try:
                wanted = increments.patch(
                    held, message.increment, term=message.term, index=message.index
                )
            except ValueError:
                self._uplink.hello(self.id)
                return
        self.assignment = wanted
        self._is_confirmed = True
        life = self._life
        self._timeline.after(
            self._machinery.network_seconds(), lambda: self._network_is_applied(wanted, life)
        )
        self.look()

    def all_reports(self) -> list[TaskReport]:
        """The last status of every task of the set: what a new session begins with."""
        return [
            TaskReport(task_id=task.id, status=self.records[task.id].status)
            for task in self.assignment.tasks
            if task.id in self.records
        ]

    def look(self) -> None:
        """Decide as soon as possible."""
        self._look_at(self._timeline.now)

    # -- the agent's loop --------------------------------------------------------------------

    def _is_alive(self, life: int) -> bool:
        return life == self._life and self.is_powered and self.is_agent_up

    def _begin_life(self) -> None:
        self._life += 1
        self._is_confirmed = False
        self.applied_index = 0
        self._busy.clear()
        self._probing.clear()
        self._pulling.clear()
        self._looks_at = None
        self._look_at_everything()

    def _look_at(self, time: float) -> None:
        if self._looks_at is not None and self._looks_at <= time:
            return
        self._looks_at = time
        life = self._life
        self._timeline.at(time, lambda: self._decide(life))

    def _decide(self, life: int) -> None:
        if not self._is_alive(life):
            return
        self._looks_at = None
        plan = reconcile.reconcile(
            reconcile.NodeSituation(
                assignment=self.assignment,
                is_confirmed=self._is_confirmed,
                containers=self._containers(),
                records=dict(self.records),
                engine_networks=self._networks,
                now=self._timeline.now,
                busy=frozenset(self._busy),
                stopping=frozenset(
                    task_id
                    for task_id, action in self._busy.items()
                    if isinstance(action, actions.SignalContainer)
                ),
                probing=frozenset(self._probing),
                pulling=frozenset(self._pulling),
            )
        )
        for record in plan.records.values():
            self._put_record(record)
        for task_id in plan.forgotten:
            del self.records[task_id]
        for action in plan.actions:
            self._begin(action)
        for time in (plan.wake_at, self._next_end()):
            if time is not None:
                self._look_at(time)

    def _containers(self) -> dict[str, Container]:
        self.engine.advance()
        for event in self._events.pending():
            self._ends.hear(event, self._seen.get(event.task_id), now=self._timeline.now)
            self._see(event.task_id, self.engine.inspect(event.container_id))
        return dict(self._seen)

    def _see(self, task_id: str, container: Container | None) -> None:
        if container is None:
            self._seen.pop(task_id, None)
        else:
            self._seen[task_id] = self._ends.explain(container, now=self._timeline.now)

    def _look_at_everything(self) -> None:
        self._seen.clear()
        for summary in self.engine.list_containers({LABEL_NODE_ID: self.id}):
            self._see(summary.task_id, self.engine.inspect(summary.id))

    def _next_end(self) -> float | None:
        """When a program will end by itself next."""
        ends = (
            container.started_at + container.program.runs_seconds
            for container in self.engine.containers.values()
            if container.pid and container.program.runs_seconds < 1e9
        )
        return min(ends, default=None)

    def _begin(self, action: actions.Action) -> None:
        if isinstance(action, actions.ProbeHealth):
            self._probing.add(action.task_id)
        elif isinstance(action, actions.PullImage):
            self._pulling.add(action.subject)
        else:
            self._busy[action.task_id] = action
        life = self._life
        self._timeline.after(self._machinery.engine_seconds(), lambda: self._finish(action, life))

    def _finish(self, action: actions.Action, life: int) -> None:
        if not self._is_alive(life):
            return
        if isinstance(action, actions.TellContents):
            self._ends.tell(action.container_id, action.signals, now=self._timeline.now)
        outcome, seen = self._execution.perform(action, self.assignment, self._networks)
        if seen is not None:
            self._see(action.task_id, seen.container)
        now = self._timeline.now
        if isinstance(action, actions.PullImage):
            self._pulling.discard(action.subject)
            waiting = [
                self.records[task.id]
                for task in self.assignment.tasks
                if task.id in self.records
                and image_wishes.is_served(task, self.records[task.id], action)
            ]
            for record in waiting:
                after = task_machine.with_pull(record, action.image, outcome, now=now)
                self._put_record(after)
        else:
            self._probing.discard(action.task_id)
            if not isinstance(action, actions.ProbeHealth):
                self._busy.pop(action.task_id, None)
            before = self.records.get(action.task_id)
            if before is not None:
                self._put_record(task_machine.with_outcome(before, action, outcome, now=now))
        self.look()

    def _put_record(self, record: TaskRecord) -> None:
        before = self.records.get(record.task_id)
        self.records[record.task_id] = record
        if before is None or before.status != record.status:
            self._uplink.report(self.id, TaskReport(task_id=record.task_id, status=record.status))

    def _network_is_applied(self, assignment: AssignmentSet, life: int) -> None:
        if not self._is_alive(life) or assignment.index < self.applied_index:
            return
        self._networks = {network.id: network.name for network in assignment.networks}
        self.engine.networks.update(self._networks.values())
        self.applied_index = assignment.index
        self._uplink.applied(self.id, assignment.index)
        self.look()
