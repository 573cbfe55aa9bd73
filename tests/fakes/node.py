"""A node's agent without threads, sockets or time of its own: for scenarios with a fake clock.

It runs the same decisions (`agent.core.reconcile`, `task_machine`) and the same carrying out
(`agent.worker.execution`) as the agent, against a `FakeEngine`. After each `assign`, `advance` or
`look` it goes on until nothing is left to do; every action and status goes to `trace`, a line each.
"""

from collections.abc import Mapping
from pathlib import Path

from agent.core import actions, reconcile, task_machine
from agent.core.observed import LABEL_CLUSTER_ID, LABEL_NODE_ID, Container
from agent.core.task_record import TaskRecord
from agent.drivers.config_files import ConfigFiles
from agent.drivers.secret_files import SecretFiles
from agent.drivers.task_files import TaskFiles
from agent.worker.execution import Execution, NodeIdentity, Seen
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import TaskStatus
from stackctl.wire.agent_protocol import TaskReport
from tests.fakes.engine import FakeEngine
from tests.fakes.memory_disk import PlainDisk
from tests.fakes.network import FakeNetwork

ROUNDS_MAX = 200


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time


class FakeNode:
    """One node: a fake engine and the agent's decisions."""

    def __init__(
        self,
        *,
        clock: FakeClock,
        configs_folder: Path,
        engine: FakeEngine | None = None,
        node_id: str = "node1",
        cluster_id: str = "cluster1",
    ) -> None:
        self.clock = clock
        self.engine = FakeEngine(clock.now) if engine is None else engine
        self.network = FakeNetwork(self.engine.networks)
        self.node_id = node_id
        self.labels = {LABEL_CLUSTER_ID: cluster_id, LABEL_NODE_ID: node_id}
        self.trace: list[str] = []
        self.reports: list[TaskReport] = []
        self.statuses: dict[str, TaskStatus] = {}
        self.records: dict[str, TaskRecord] = {}
        self.assignment = AssignmentSet(node_id=node_id, term=0, index=0)
        self.wake_at: float | None = None
        self._is_confirmed = False
        self._containers: dict[str, Container] = {}
        self._engine_networks: Mapping[str, str] = {}
        self._execution = Execution(
            engine=self.engine,
            identity=NodeIdentity(cluster_id=cluster_id, node_id=node_id),
            dns=self.network,
            files=TaskFiles(
                configs=ConfigFiles(configs_folder / "configs"),
                secrets=SecretFiles(PlainDisk(configs_folder / "secrets")),
            ),
        )

    def assign(self, assignment: AssignmentSet) -> None:
        """A manager sent this set; the network follows at once."""
        self.assignment = assignment
        self._is_confirmed = True
        self._engine_networks = self.network.ensure_networks(assignment.networks)
        self.look()

    def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever the agent wants to wake up."""
        end = self.clock.time + seconds
        while self.wake_at is not None and self.wake_at <= end:
            self.clock.time = max(self.clock.time, self.wake_at)
            self.look()
        self.clock.time = end
        self.look()

    def look(self) -> None:
        """Look at the engine and do everything that is to be done now."""
        for _ in range(ROUNDS_MAX):
            self._observe()
            plan = reconcile.reconcile(self._situation())
            for record in plan.records.values():
                self._put(record)
            for task_id in plan.forgotten:
                del self.records[task_id]
            for action in plan.actions:
                self._act(action)
            self.wake_at = plan.wake_at
            if not plan.actions and not plan.records:
                return
        raise AssertionError(f"the node does not come to rest: {self.trace[-6:]}")

    def forget_memory(self) -> None:
        """The agent was killed and its disk lost: only the engine knows what runs."""
        self.records.clear()
        self.statuses.clear()
        self._is_confirmed = False

    def _situation(self) -> reconcile.NodeSituation:
        return reconcile.NodeSituation(
            assignment=self.assignment,
            is_confirmed=self._is_confirmed,
            containers=dict(self._containers),
            records=dict(self.records),
            engine_networks=self._engine_networks,
            now=self.clock.time,
        )

    def _observe(self) -> None:
        if self.engine.unreachable:
            return
        self._containers = {}
        for item in self.engine.list_containers(self.labels):
            container = self.engine.inspect(item.id)
            if container is not None:
                self._containers[item.task_id] = container

    def _act(self, action: actions.Action) -> None:
        self.trace.append(f"{type(action).__name__} {action.task_id}: {action.cause}")
        outcome, seen = self._execution.perform(action, self.assignment, self._engine_networks)
        record = self.records.get(action.task_id)
        if record is not None:
            self._put(task_machine.with_outcome(record, action, outcome, now=self.clock.time))
        if isinstance(seen, Seen) and seen.container is not None:
            self._containers[action.task_id] = seen.container

    def _put(self, record: TaskRecord) -> None:
        before = self.records.get(record.task_id)
        self.records[record.task_id] = record
        if before is None or before.status != record.status:
            self.statuses[record.task_id] = record.status
            self.reports.append(TaskReport(task_id=record.task_id, status=record.status))
            if before is None or before.status.state != record.status.state:
                error = f" ({record.status.error})" if record.status.error else ""
                self.trace.append(f"{record.task_id} is {record.status.state.name}{error}")
