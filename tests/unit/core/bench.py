"""A cluster on the bench: the state, rounds by hand, and nodes that do what the test says.

Nothing happens by itself. `settle` runs rounds until one decides nothing; `obey` lets every node
report what it was asked to do.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from stackctl.core.rest import NO_REST
from stackctl.core.rounds import Round, run_round
from stackctl.model import objects, specs
from stackctl.model.objects import NodeRole
from stackctl.model.task_state import TaskState
from stackctl.state import commands, invariants
from stackctl.state.apply import apply
from stackctl.state.cluster import ClusterState
from stackctl.state.results import Result
from stackctl.wire.agent_protocol import TaskReport
from tests import vaults

NANO = 1_000_000_000
ROUNDS_MAX = 8
NETWORK = "shop_default"


def service_spec(
    name: str = "shop_web",
    *,
    image: str = "app:1",
    restart: specs.RestartPolicy | None = None,
    placement: specs.Placement | None = None,
    reservations: specs.Resources | None = None,
    networks: Iterable[str] = (NETWORK,),
    **fields: object,
) -> specs.ServiceSpec:
    """A service that is attached to the stack's network."""
    task = specs.TaskSpec(
        container=specs.ContainerSpec(image=image),
        restart=restart or specs.RestartPolicy(),
        placement=placement or specs.Placement(),
        reservations=reservations or specs.Resources(),
        networks=tuple(specs.NetworkAttachment(network=network) for network in networks),
    )
    return replace(specs.ServiceSpec(name=name, task=task), **fields)


def stack_spec(*services: specs.ServiceSpec, name: str = "shop") -> specs.StackSpec:
    """A stack of these services with the networks that they use."""
    networks = {
        attachment.network: specs.NetworkSpec(name=attachment.network)
        for service in services
        for attachment in service.task.networks
    }
    return specs.StackSpec(name=name, services=services, networks=tuple(networks.values()))


class Bench:
    """The state under test and what is done to it."""

    def __init__(self, *hostnames: str, nano_cpus: int = 4 * NANO) -> None:
        self.state = ClusterState()
        self.now = 1000.0
        self.term = 1
        self.acknowledged: dict[str, int] = {}
        self.last_round: Round | None = None
        self.rest = NO_REST
        self._numbers = itertools.count(1)
        self.submit(
            commands.InitCluster(
                cluster_id="c",
                worker_secret="w",
                manager_secret="m",
                authority_digest="d",
                now=self.now,
            )
        )
        for hostname in hostnames:
            self.add_node(hostname, nano_cpus=nano_cpus)

    # -- commands ----------------------------------------------------------------------------

    def submit(self, command: commands.Command) -> Result:
        """Applies a command; every invariant holds afterwards."""
        before = self.state
        entry = commands.encode_command(command)
        applied = apply(before, entry, index=before.index + 1, term=self.term)
        faults = invariants.violations(applied.state)
        faults += invariants.regressions(before, applied.state)
        assert not faults, faults
        self.state = applied.state
        return applied.result

    def add_node(
        self,
        hostname: str,
        *,
        role: NodeRole = NodeRole.WORKER,
        nano_cpus: int = 4 * NANO,
        labels: Mapping[str, str] | None = None,
        routes: tuple[str, ...] = (),
    ) -> None:
        """A node that is READY."""
        self.submit(commands.PutNode(node_id=hostname, role=role, hostname=hostname, now=self.now))
        self.see(hostname, nano_cpus=nano_cpus, routes=routes)
        if labels:
            self.submit(commands.ChangeNode(node_id=hostname, label_add=labels, now=self.now))

    def see(
        self,
        hostname: str,
        *,
        nano_cpus: int = 4 * NANO,
        routes: tuple[str, ...] = (),
        volumes: tuple[str, ...] = (),
    ) -> None:
        """The node is connected."""
        description = objects.NodeDescription(
            hostname=hostname,
            nano_cpus=nano_cpus,
            memory_bytes=8 << 30,
            data_address="192.168.7.1",
            routes=routes,
            volumes=volumes,
        )
        self.submit(
            commands.SeeNode(
                node_id=hostname, manager_id="m", description=description, now=self.now
            )
        )

    def lose(self, hostname: str) -> None:
        """The node is DOWN."""
        self.submit(
            commands.LoseNode(node_id=hostname, term=self.term, message="silent", now=self.now)
        )

    def change(
        self,
        hostname: str,
        *,
        availability: objects.Availability | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """The operator changes the node."""
        self.submit(
            commands.ChangeNode(
                node_id=hostname,
                availability=availability,
                label_add=labels or {},
                now=self.now,
            )
        )

    def deploy(self, *services: specs.ServiceSpec, prune: bool = False) -> Result:
        """Deploys the stack `shop` with these services."""
        return self.put(stack_spec(*services), prune=prune)

    def put(self, spec: specs.StackSpec, *, prune: bool = False, rerun: bool = False) -> Result:
        """Deploys a stack."""
        seed = str(next(self._numbers)).encode()
        return self.submit(
            vaults.put_stack(spec, seed=seed, prune=prune, rerun=rerun, now=self.now)
        )

    def roll_back(self, name: str = "shop_web") -> Result:
        """The operator wants the service's previous spec back."""
        return self.submit(commands.RollbackService(service_id=self.service(name).id, now=self.now))

    def report(
        self,
        task: objects.Task,
        state: TaskState,
        *,
        error: str = "",
        message: str = "",
        counts_as_lost: bool = False,
    ) -> None:
        """The task's node observed something."""
        status = objects.TaskStatus(
            state=state, error=error, message=message, counts_as_lost=counts_as_lost
        )
        self.submit(
            commands.ReportTasks(
                node_id=task.node_id,
                reports=(TaskReport(task_id=task.id, status=status),),
                now=self.now,
            )
        )

    # -- rounds ------------------------------------------------------------------------------

    def round(self, *, apply_it: bool = True) -> Round:
        """One round over everything; what rests is passed over, and would have stayed as it is."""
        done = run_round(
            self.state,
            now=self.now,
            new_id=lambda: f"t{next(self._numbers)}",
            acknowledged=self.acknowledged,
            rest=self.rest,
        )
        others = itertools.count(1)
        whole = run_round(
            self.state,
            now=self.now,
            new_id=lambda: f"w{next(others)}",
            acknowledged=self.acknowledged,
        )
        assert Counter(map(type, done.changes)) == Counter(map(type, whole.changes))
        self.rest = done.rest
        self.last_round = done
        if done.changes and apply_it:
            self.apply_round(done)
        return done

    def apply_round(self, done: Round) -> None:
        """Puts a round's changes into the log."""
        result = self.submit(
            commands.ApplyRound(term=self.term, changes=done.changes, now=self.now)
        )
        assert result.error is None, result.error

    def settle(self) -> Round:
        """Rounds until one decides nothing; returns that one."""
        for _ in range(ROUNDS_MAX):
            done = self.round()
            if not done.changes:
                return done
        raise AssertionError(f"rounds go on deciding: {done.changes}")

    def obey(self) -> None:
        """Every node that is READY does what it was asked; rounds run until all is done."""
        for _ in range(20):
            self.settle()
            if not self.work():
                return
        raise AssertionError("nodes and rounds go on answering each other")

    def acknowledge(self) -> None:
        """Every node that is READY has the newest assignment in force."""
        for node in self.state.nodes.values():
            if node.state == objects.NodeState.READY:
                self.acknowledged[node.id] = self.state.index

    def work(self) -> bool:
        """Every node that is READY does one step; False when there was nothing to do."""
        before = self.state
        self.acknowledge()
        self.settle()
        for task in sorted(self.state.tasks.values(), key=lambda task: task.id):
            node = self.state.nodes.get(task.node_id)
            if node is None or node.state != objects.NodeState.READY or task.has_ended:
                continue
            if task.status.state < TaskState.ASSIGNED:
                continue
            if not task.is_wanted:
                if task.released:
                    self.report(task, TaskState.SHUTDOWN)
                continue
            self.report(task, min(TaskState.RUNNING, task.desired_state))
        return any(task != before.tasks.get(task.id) for task in self.state.tasks.values())

    def wait(self, seconds: float) -> None:
        """Time passes; nothing else."""
        self.now += seconds

    # -- what is there -----------------------------------------------------------------------

    def service(self, name: str = "shop_web") -> objects.Service:
        """The service of that name."""
        return self.state.services[self.state.service_ids[name]]

    def tasks(self, name: str = "shop_web") -> list[objects.Task]:
        """Its tasks, history included, by slot and age."""
        return sorted(
            self.state.tasks_of(self.service(name).id).values(),
            key=lambda task: (
                task.slot,
                task.node_id if not task.slot else "",
                task.created_version,
            ),
        )

    def live(self, name: str = "shop_web") -> list[objects.Task]:
        """Its tasks that are wanted and have not ended."""
        return [task for task in self.tasks(name) if task.is_wanted and not task.has_ended]

    def newest(self, slot: int = 1, name: str = "shop_web") -> objects.Task:
        """The newest task of a slot."""
        return [task for task in self.tasks(name) if task.slot == slot][-1]

    def places(self, name: str = "shop_web") -> list[str]:
        """Nodes of the live tasks, in order of slots."""
        return [task.node_id for task in self.live(name)]
