"""What each node has left: the scheduler's working view, updated as tasks are placed."""

from collections.abc import Iterable

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft

PortKey = tuple[int, str]  # published port, protocol


class NodeRoom:
    """Free resources, published host ports and number of wanted tasks of one node."""

    __slots__ = ("host_ports", "memory_bytes", "nano_cpus", "node", "tasks")

    def __init__(self, node: objects.Node) -> None:
        self.node = node
        self.nano_cpus = node.description.nano_cpus
        self.memory_bytes = node.description.memory_bytes
        self.tasks = 0
        self.host_ports: set[PortKey] = set()

    def take(
        self, amount: specs.Resources, ports: Iterable[specs.PortSpec], *, is_wanted: bool = True
    ) -> None:
        """Accounts for one task."""
        self.nano_cpus -= amount.nano_cpus
        self.memory_bytes -= amount.memory_bytes
        self.tasks += is_wanted
        self.host_ports.update((port.published, port.protocol) for port in ports if port.published)


def rooms(draft: Draft, *, without: str = "") -> dict[str, NodeRoom]:
    """The room of every node by id; `without` leaves one task out of account."""
    found: dict[str, NodeRoom] = {}
    for node in draft.nodes.values():
        room = NodeRoom(node)
        for task in draft.tasks_on(node.id).values():
            state = task.status.state
            if state < TaskState.ASSIGNED or task.has_ended or task.id == without:
                continue
            room.take(_reservation(draft, task), task.host_ports, is_wanted=task.is_wanted)
        found[node.id] = room
    return found


def _reservation(draft: Draft, task: objects.Task) -> specs.Resources:
    service = draft.services[task.service_id]
    return service.task_specs.get(task.revision, service.spec.task).reservations
