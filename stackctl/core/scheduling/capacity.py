"""What each node has left: the scheduler's working view, updated as tasks are placed.

A generic resource is a kind of which a node has a number (`SSD=3`), or pieces with names
(`GPU=UUID1`); a task asks for a number of a kind either way, and of named ones it gets its own.
"""

from collections.abc import Iterable, Mapping

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft

PortKey = tuple[int, str]  # published port, protocol
Names = Mapping[str, tuple[str, ...]]  # kind of a generic resource -> names

NO_NAMES: Names = {}


class NodeRoom:
    """Free resources, published host ports and number of wanted tasks of one node.

    `order` numbers the nodes by their names, so that equal ones are always taken in one order.
    """

    __slots__ = (
        "generic",
        "generic_named",
        "host_ports",
        "memory_bytes",
        "nano_cpus",
        "node",
        "order",
        "tasks",
    )

    def __init__(self, node: objects.Node, *, order: int) -> None:
        offer = node.description
        self.node = node
        self.order = order
        self.nano_cpus = offer.nano_cpus
        self.memory_bytes = offer.memory_bytes
        self.generic = dict(offer.generic)
        self.generic_named = {kind: set(names) for kind, names in offer.generic_named.items()}
        self.tasks = 0
        self.host_ports: set[PortKey] = set()

    def free(self, kind: str) -> int:
        """How many of a generic resource are left."""
        return self.generic.get(kind, 0) + len(self.generic_named.get(kind, ()))

    def choose(self, amount: specs.Resources) -> Names:
        """The named pieces that a task with these reservations would get; the others are only
        counted.
        """
        if not amount.generic or not self.generic_named:
            return NO_NAMES
        chosen = {
            kind: tuple(sorted(self.generic_named.get(kind, ()))[:number])
            for kind, number in amount.generic.items()
        }
        return {kind: names for kind, names in chosen.items() if names}

    def take(
        self,
        amount: specs.Resources,
        ports: Iterable[specs.PortSpec],
        *,
        names: Names = NO_NAMES,
        is_wanted: bool = True,
    ) -> None:
        """Accounts for one task."""
        self.nano_cpus -= amount.nano_cpus
        self.memory_bytes -= amount.memory_bytes
        self.tasks += is_wanted
        for port in ports:
            if port.published:
                self.host_ports.add((port.published, port.protocol))
        for kind, number in amount.generic.items():
            own = names.get(kind, ())
            if own:
                self.generic_named.get(kind, set()).difference_update(own)
            if number > len(own):
                self.generic[kind] = self.generic.get(kind, 0) - number + len(own)

    def give_back(
        self,
        amount: specs.Resources,
        ports: Iterable[specs.PortSpec],
        *,
        names: Names = NO_NAMES,
    ) -> None:
        """Takes one wanted task out of account again."""
        self.nano_cpus += amount.nano_cpus
        self.memory_bytes += amount.memory_bytes
        self.tasks -= 1
        self.host_ports.difference_update((port.published, port.protocol) for port in ports)
        for kind, number in amount.generic.items():
            own = names.get(kind, ())
            if own:
                self.generic_named.setdefault(kind, set()).update(own)
            if number > len(own):
                self.generic[kind] = self.generic.get(kind, 0) + number - len(own)


def rooms(draft: Draft, *, without: str = "") -> dict[str, NodeRoom]:
    """The room of every node by id, in order of names; `without` leaves one task out of account."""
    found: dict[str, NodeRoom] = {}
    amounts: dict[tuple[str, int], specs.Resources] = {}
    nodes = sorted(draft.nodes.values(), key=lambda node: (node.hostname, node.id))
    for order, node in enumerate(nodes):
        room = NodeRoom(node, order=order)
        for task in draft.tasks_on(node.id).values():
            state = task.status.state
            if not TaskState.ASSIGNED <= state <= TaskState.RUNNING or task.id == without:
                continue
            key = (task.service_id, task.revision)
            amount = amounts.get(key)
            if amount is None:
                amount = amounts[key] = _reservation(draft, task)
            room.take(amount, task.host_ports, names=task.generic_named, is_wanted=task.is_wanted)
        found[node.id] = room
    return found


def _reservation(draft: Draft, task: objects.Task) -> specs.Resources:
    service = draft.services[task.service_id]
    return service.task_specs.get(task.revision, service.spec.task).reservations
