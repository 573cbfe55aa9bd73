"""A random but repeatable story of a cluster: entries, one after the other, for a state machine."""

import random

from msgspec.structs import replace

from stackctl.core import assignments, rounds
from stackctl.manager.machine import ReplicatedState
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet
from stackctl.model.objects import NodeRole, TaskStatus
from stackctl.model.task_state import TaskState
from stackctl.state import commands
from stackctl.wire.agent_protocol import TaskReport
from tests.manager_parts import description, small_stack

NODES = ("n1", "n2", "n3", "n4")
STATES = (TaskState.PREPARING, TaskState.RUNNING, TaskState.FAILED, TaskState.SHUTDOWN)


class Story:
    """A state machine, and a random sequence of entries for it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a story repeats, it guards nothing
        self.machine = ReplicatedState(lambda: None)
        self.index = 0
        self.now = 1000.0
        self.apply(
            commands.InitCluster(
                cluster_id="c",
                worker_secret="00",
                manager_secret="11",
                authority_digest="22",
                now=0,
            )
        )
        for node_id in NODES:
            self.apply(
                commands.PutNode(
                    node_id=node_id, role=NodeRole.WORKER, hostname=node_id, now=self.now
                )
            )
            self._see(node_id)

    def step(self) -> None:
        """One to three random entries."""
        for _ in range(self.random.randint(1, 3)):
            self.now += self.random.choice((0.1, 1.0, 7.0))
            self.random.choice(
                (self._deploy, self.round, self.round, self._report, self._report, self._node)
            )()

    def sets(self) -> dict[str, AssignmentSet]:
        """Every node's assignment, without its place in the log."""
        state = self.machine.state
        return {
            node_id: replace(assignments.assignment_for(state, node_id, term=0), index=0)
            for node_id in NODES
        }

    def apply(self, command: commands.Command) -> None:
        self.index += 1
        self.machine.apply(commands.encode_command(command), index=self.index, term=1)

    def _see(self, node_id: str) -> None:
        self.apply(
            commands.SeeNode(
                node_id=node_id, manager_id="m", description=description(node_id), now=self.now
            )
        )

    def _deploy(self) -> None:
        name = self.random.choice(("a", "b", "c"))
        ports = (specs.PortSpec(target=80),) if name == "c" else ()
        spec = small_stack(name, replicas=self.random.randint(0, 4), ports=ports)
        self.apply(commands.PutStack(spec=spec, seed=self.random.randbytes(16), now=self.now))

    def round(self) -> None:
        state = self.machine.state
        done = rounds.run_round(
            state,
            now=self.now,
            new_id=lambda: f"{self.random.getrandbits(64):x}",
            acknowledged={node_id: state.index - self.random.randint(0, 3) for node_id in NODES},
        )
        self.apply(commands.ApplyRound(term=1, changes=done.changes, now=self.now))

    def _report(self) -> None:
        placed = [task for task in self.machine.state.tasks.values() if task.node_id]
        for task in self.random.sample(placed, min(2, len(placed))):
            status = TaskStatus(state=self.random.choice(STATES), at=self.now)
            report = TaskReport(task_id=task.id, status=status)
            self.apply(commands.ReportTasks(node_id=task.node_id, reports=(report,), now=self.now))

    def _node(self) -> None:
        node_id = self.random.choice(NODES)
        if self.random.random() < 0.5:
            self._see(node_id)
        else:
            self.apply(commands.LoseNode(node_id=node_id, term=1, message="", now=self.now))
