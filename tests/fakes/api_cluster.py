"""A cluster in memory behind the fake API: it does what its `habits` say, a step at a time.

Nothing moves by itself. Each `step` brings every task one state further, so that a test sees the
same states in the same order every time. A habit says how the tasks of a service fare.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from msgspec.structs import replace

from stackctl.errors import Conflict, InputError, UnknownName
from stackctl.model import specs
from stackctl.wire import api
from tests.fakes import api_contents
from tests.fakes.rebalancing import FakeRebalancing

Fate = Literal["runs", "crashes", "rejected", "waits", "completes"]

_NEXT = {"new": "pending", "pending": "preparing", "preparing": "starting", "starting": "running"}
_FATES: Mapping[Fate, tuple[str, str]] = {
    "crashes": ("starting", "failed"),
    "rejected": ("preparing", "rejected"),
    "completes": ("running", "complete"),
}
ENDED = frozenset({"complete", "shutdown", "failed", "rejected", "orphaned"})


@dataclass(frozen=True)
class Habit:
    """How tasks fare; `error` is what the engine says of those that fail, or why none is placed."""

    fate: Fate = "runs"
    error: str = ""
    is_replaced: bool = True


@dataclass
class FakeService:
    """A service and what it was before."""

    id: str
    spec: specs.ServiceSpec
    stack: str
    revision: int = 1
    previous: specs.ServiceSpec | None = None
    update: api.UpdateView | None = None
    is_removing: bool = False
    created_at: float = field(default_factory=time.time)


class FakeCluster:
    """State of the fake API; tests change it under `changed`, which wakes the long polls."""

    def __init__(self, nodes: Iterable[str] = ("n1", "n2", "n3")) -> None:
        self.index = 10
        self.habits: dict[str, Habit] = {}  # by service name
        self.log_lines: dict[str, list[str]] = {}  # by service name
        self.nodes = {name: _node(name, number) for number, name in enumerate(nodes)}
        self.stacks: dict[str, api.StackView] = {}
        self.services: dict[str, FakeService] = {}
        self.networks: dict[str, api.NetworkView] = {}
        self.contents: list[api.ContentView] = []
        self.images: dict[str, bytes] = {}  # what was handed over, by reference
        self.image_faults: dict[str, str] = {}  # by node: why it cannot fetch
        self.rebalancing = FakeRebalancing()
        self.tasks: list[api.TaskView] = []
        self._numbers = count(1)

    def step(self) -> bool:
        """One step of everything; False when nothing is left to do."""
        before = (list(self.tasks), {name: each.update for name, each in self.services.items()})
        self.tasks = [self._stepped(task) for task in self.tasks]
        for service in list(self.services.values()):
            self._tend(service)
        self._forget()
        has_moved = self.rebalancing.step()
        is_changed = has_moved or before != (
            self.tasks,
            {name: each.update for name, each in self.services.items()},
        )
        self.index += 1 if is_changed else 0
        return is_changed

    def settle(self) -> None:
        """Steps until nothing changes any more."""
        for _ in range(100):
            if not self.step():
                return
        raise AssertionError("the cluster never settles: some habit repeats for ever")

    def put_stack(self, spec: specs.StackSpec, *, prune: bool) -> api.DeployResult:
        """Deploys, as a manager does."""
        self.index += 1
        changes = [self._put_network(spec.name, network) for network in spec.networks]
        self.contents, of_contents = api_contents.deployed(self.contents, spec)
        changes += of_contents
        changes += [self._put_service(spec.name, service) for service in spec.services]
        if prune:
            kept = {service.name for service in spec.services}
            for service in self.services.values():
                if service.stack == spec.name and service.spec.name not in kept:
                    self._remove(service)
                    changes.append(_change("remove", service.spec.name, "no longer in the file"))
        now = time.time()
        self.stacks[spec.name] = api.StackView(
            name=spec.name,
            services=len(spec.services),
            revision=self.stacks[spec.name].revision + 1 if spec.name in self.stacks else 1,
            created_at=now,
            updated_at=now,
        )
        return api.DeployResult(
            name=spec.name,
            revision=self.stacks[spec.name].revision,
            index=self.index,
            changes=tuple(changes),
        )

    def remove_stack(self, name: str) -> api.ChangesView:
        """Begins to remove a stack."""
        if name not in self.stacks:
            raise UnknownName("stack", name, known=self.stacks)
        self.stacks[name] = replace(self.stacks[name], removing=True)
        for service in self.services.values():
            if service.stack == name:
                self._remove(service)
        self.index += 1
        return api.ChangesView(index=self.index)

    def remove_service(self, reference: str) -> api.ChangesView:
        """Begins to remove a service."""
        self._remove(self.find_service(reference))
        self.index += 1
        return api.ChangesView(index=self.index)

    def scale(self, reference: str, replicas: int) -> FakeService:
        """Sets the number of replicas."""
        service = self.find_service(reference)
        if service.spec.mode == specs.Mode.GLOBAL:
            raise Conflict(f"service {service.spec.name} is global: it has one task on each node")
        service.spec = replace(service.spec, replicas=replicas)
        self.index += 1
        return service

    def roll_back(self, reference: str) -> FakeService:
        """Returns to the previous spec."""
        service = self.find_service(reference)
        if service.previous is None:
            raise Conflict(f"service {service.spec.name} does not have a previous spec")
        service.spec, service.previous = service.previous, service.spec
        service.revision += 1
        service.update = _update("rollback_started", "manually requested rollback")
        self.index += 1
        return service

    def update_node(self, reference: str, update: api.NodeUpdate) -> api.NodeView:
        """Changes a node."""
        node = self.find_node(reference)
        labels = {**node.labels, **update.label_add}
        for key in update.label_remove:
            if key not in labels:
                raise InputError(f"node {node.hostname} has no label {key}")
            del labels[key]
        availability = update.availability.value if update.availability else node.availability
        self.nodes[node.hostname] = replace(node, labels=labels, availability=availability)
        self.index += 1
        return self.nodes[node.hostname]

    def remove_node(self, reference: str, *, force: bool) -> None:
        """Forgets a node."""
        node = self.find_node(reference)
        if node.state != "down" and not force:
            raise Conflict(f"node {node.hostname} is not down", hint="--force removes it anyway")
        del self.nodes[node.hostname]
        self.index += 1

    def lose_node(self, name: str) -> None:
        """A node falls silent: its tasks are replaced, and still look as they last did."""
        self.nodes[name] = replace(
            self.nodes[name],
            state="down",
            state_message="heartbeat failure",
            state_at=time.time(),
            manager_status="",
        )
        self.tasks = [
            replace(
                task,
                node_state="down",
                desired_state="shutdown",
                is_current=False,
                end_cause=f"node {name} is down",
            )
            if task.node == name and task.state not in ENDED
            else task
            for task in self.tasks
        ]
        self.index += 1

    def find_node(self, reference: str) -> api.NodeView:
        """By id, host name, unique start of the id, or "self"."""
        for node in self.nodes.values():
            if reference in {node.id, node.hostname} or (reference == "self" and node.is_self):
                return node
        begun = [node for node in self.nodes.values() if node.id.startswith(reference)]
        if len(begun) == 1:
            return begun[0]
        raise UnknownName("node", reference, known=self.nodes)

    def find_service(self, reference: str) -> FakeService:
        """By id, name, or unique start of the id."""
        for service in self.services.values():
            if reference in {service.id, service.spec.name}:
                return service
        begun = [each for each in self.services.values() if each.id.startswith(reference)]
        if len(begun) == 1:
            return begun[0]
        raise UnknownName("service", reference, known=self.services)

    def slots(self, service: FakeService) -> list[str]:
        """Names of the tasks that a service should have."""
        if service.spec.mode == specs.Mode.GLOBAL:
            ready = self._open_nodes()
            return [f"{service.spec.name}.{node.id}" for node in ready]
        return [f"{service.spec.name}.{slot + 1}" for slot in range(service.spec.replicas)]

    def add_task(self, service: FakeService, name: str, *, cause: str) -> api.TaskView:
        """A new task in a slot."""
        number = next(self._numbers)
        task = api.TaskView(
            id=f"{number:03}task".ljust(25, "0"),
            name=name,
            service_id=service.id,
            service=service.spec.name,
            stack=service.stack,
            slot=0 if service.spec.mode == specs.Mode.GLOBAL else int(name.rpartition(".")[2]),
            image=service.spec.task.container.image,
            node_id="",
            node="",
            node_state="",
            desired_state="running",
            state="new",
            state_at=time.time(),
            message="created",
            error="",
            cause=cause,
            end_cause="",
            created_at=time.time() + number * 1e-6,
            is_current=True,
            revision=service.revision,
        )
        self.tasks.append(task)
        return task

    def _put_network(self, stack: str, spec: specs.NetworkSpec) -> api.Change:
        if spec.name in self.networks:
            return _change("unchanged", spec.name, "", kind="network")
        number = len(self.networks)
        self.networks[spec.name] = api.NetworkView(
            id=f"{number:03}net".ljust(25, "0"),
            name=spec.name,
            stack=stack,
            subnet=f"10.20.{number}.0/24",
            vni=4097 + number,
        )
        return _change("create", spec.name, "new in the file", kind="network")

    def _put_service(self, stack: str, spec: specs.ServiceSpec) -> api.Change:
        held = self.services.get(spec.name)
        if held is None:
            number = f"{len(self.services) + 1:03}"
            self.services[spec.name] = FakeService(f"{number}svc".ljust(25, "0"), spec, stack)
            return _change("create", spec.name, "new in the file")
        if held.spec == spec:
            return _change("unchanged", spec.name, "")
        if held.spec.task != spec.task:
            held.revision += 1
            held.update = _update("updating", "update in progress")
        held.previous, held.spec = held.spec, spec
        return _change("update", spec.name, "task.container.image changed")

    def _remove(self, service: FakeService) -> None:
        service.is_removing = True
        self.tasks = [
            replace(task, desired_state="remove", is_current=False, end_cause="stack removed")
            if task.service_id == service.id
            else task
            for task in self.tasks
        ]

    def _stepped(self, task: api.TaskView) -> api.TaskView:
        if task.state in ENDED or task.node_state == "down":
            return task
        if task.desired_state in {"remove", "shutdown"}:
            return self._moved(task, "shutdown")
        service = next(each for each in self.services.values() if each.id == task.service_id)
        habit = self.habits.get(service.spec.name, Habit())
        if habit.fate == "waits" and task.state in {"new", "pending"}:
            return replace(task, state="pending", error=habit.error)
        last, end = _FATES.get(habit.fate, ("", ""))
        if task.state == last:
            return replace(self._moved(task, end), error=habit.error, is_current=False)
        state = _NEXT.get(task.state)
        if state is None:
            return task
        if task.state == "pending":
            task = self._placed(task, service)
        return self._moved(task, state)

    def _moved(self, task: api.TaskView, state: str) -> api.TaskView:
        return replace(task, state=state, state_at=time.time(), message=state, error="")

    def _placed(self, task: api.TaskView, service: FakeService) -> api.TaskView:
        ready = self._open_nodes()
        chosen = ready[max(task.slot - 1, 0) % len(ready)]
        if service.spec.mode == specs.Mode.GLOBAL:
            chosen = next(node for node in ready if task.name.endswith(node.id))
        return replace(task, node=chosen.hostname, node_id=chosen.id, node_state="ready")

    def _tend(self, service: FakeService) -> None:
        """Fills slots, ends surplus tasks, moves the update on by one slot."""
        if service.is_removing:
            return
        wanted = self.slots(service)
        own = [task for task in self.tasks if task.service_id == service.id]
        current = {task.name: task for task in own if task.is_current}
        for name in wanted:
            earlier = [task for task in own if task.name == name]
            if name in current or (earlier and self._is_spent(service, earlier[-1])):
                continue
            cause = earlier[-1].end_cause or earlier[-1].error if earlier else "service created"
            self.add_task(service, name, cause=cause)
        self._end(task for name, task in current.items() if name not in wanted)
        outdated = [task for task in current.values() if task.revision != service.revision]
        settled = all(task.state == "running" for task in current.values())
        drained = {node.id for node in self.nodes.values() if node.availability == "drain"}
        leaving = [task for task in current.values() if task.node_id in drained]
        habit = self.habits.get(service.spec.name, Habit())
        if leaving and settled and habit.fate == "waits":
            self._refuse(service, leaving[0], habit)
        elif leaving and settled:
            self._end(leaving[:1])
        elif outdated and settled:
            self._end(outdated[:1])
        elif service.update and not outdated and settled and len(current) == len(wanted):
            ends = {"updating": "completed", "rollback_started": "rollback_completed"}
            if service.update.state in ends:
                service.update = replace(
                    service.update, state=ends[service.update.state], completed_at=time.time()
                )

    def _refuse(self, service: FakeService, task: api.TaskView, habit: Habit) -> None:
        """A task that shall take over waits, and the old one goes on."""
        waiting = self.add_task(service, task.name, cause=f"node {task.node} is drained")
        self.tasks[-1] = replace(waiting, state="pending", error=habit.error)

    def _open_nodes(self) -> list[api.NodeView]:
        return [
            node
            for node in self.nodes.values()
            if node.state == "ready" and node.availability == "active"
        ]

    def _is_spent(self, service: FakeService, last: api.TaskView) -> bool:
        habit = self.habits.get(service.spec.name, Habit())
        return not habit.is_replaced and last.state in ENDED - {"shutdown"}

    def _end(self, tasks: Iterable[api.TaskView]) -> None:
        ids = {task.id for task in tasks}
        self.tasks = [
            replace(task, desired_state="shutdown", is_current=False, end_cause="replaced")
            if task.id in ids
            else task
            for task in self.tasks
        ]

    def _forget(self) -> None:
        self.tasks = [
            task for task in self.tasks if task.desired_state != "remove" or task.state not in ENDED
        ]
        busy = {task.service_id for task in self.tasks}
        for name, service in list(self.services.items()):
            if service.is_removing and service.id not in busy:
                del self.services[name]
        for name, stack in list(self.stacks.items()):
            if stack.removing and all(each.stack != name for each in self.services.values()):
                del self.stacks[name]
        self.networks = {
            name: network for name, network in self.networks.items() if network.stack in self.stacks
        }


def _update(state: str, message: str) -> api.UpdateView:
    return api.UpdateView(state=state, message=message, started_at=time.time())


def _change(action: str, name: str, cause: str, *, kind: str = "service") -> api.Change:
    return api.Change(action=action, kind=kind, name=name, cause=cause)


def _node(name: str, number: int) -> api.NodeView:
    is_manager = number == 0
    return api.NodeView(
        id=f"{name}node".ljust(25, "0"),
        hostname=name,
        role="manager" if is_manager else "worker",
        availability="active",
        state="ready",
        state_message="",
        state_at=time.time(),
        manager_status="leader" if is_manager else "",
        is_self=is_manager,
        engine_version="20.10.24",
        address=f"192.0.2.{number + 1}",
        nano_cpus=2_000_000_000,
        memory_bytes=4 << 30,
        reserved_nano_cpus=0,
        reserved_memory_bytes=0,
        tasks_running=0,
        os="linux",
        arch="x86_64",
    )
