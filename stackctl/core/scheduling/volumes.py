"""Volumes that are on one node: the next task of a slot goes where its data is.

A named volume of the driver `local` (without a network file system behind it) exists on each node
apart. A container that comes up elsewhere finds an empty one, and nothing says so. Therefore a slot
that has had a container with such a volume is placed on that node again and waits for it; this ends
when the node is removed from the cluster, or when the service's constraints or platform no longer
allow the node: what the file says counts more than what we remember. A service with
`stays_with_volumes: false` is placed like any other.

Services that name the same volume mean the same data: one that has no place yet goes to a node on
which another one has it, if that has room. So does one whose former tasks nobody remembers, scaled
to nothing or removed and deployed again: agents tell which volumes of stacks their nodes have.
"""

from collections.abc import Iterable

from stackctl.core.scheduling import filters
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft
from stackctl.state.nodes import find_node_or_heir

LOCAL_DRIVERS = ("", "local")
SHARED_KINDS = {"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "lustre"}


def local_volumes(spec: specs.TaskSpec) -> frozenset[str]:
    """Names of the volumes of a task that exist on each node apart."""
    return frozenset(
        mount.source
        for mount in spec.container.mounts
        if mount.kind == specs.MountKind.VOLUME
        and mount.source
        and mount.volume_driver in LOCAL_DRIVERS
        and mount.volume_driver_options.get("type", "") not in SHARED_KINDS
    )


def is_bound(spec: specs.TaskSpec) -> bool:
    """True when a slot of this spec stays on the node where it once was."""
    return spec.placement.stays_with_volumes and bool(local_volumes(spec))


class Homes:
    """Where volumes are, as far as the tasks that the state remembers tell."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._slots: dict[str, dict[int, objects.Task]] = {}
        self._holders: dict[str, set[tuple[str, str]]] | None = None

    def home(self, service: objects.Service, task: objects.Task) -> str:
        """The node that a pending task must return to, or ""."""
        spec = service.task_specs.get(task.revision, service.spec.task)
        if not task.slot or not is_bound(spec):
            return ""
        if service.id not in self._slots:
            self._slots[service.id] = self._former(service)
        former = self._slots[service.id].get(task.slot)
        node = self._node(former.node_id) if former is not None else None
        if former is None or node is None:
            return ""
        held = local_volumes(service.task_specs.get(former.revision, service.spec.task))
        is_allowed = filters.meets_constraints(node, service.spec.task.placement.constraints)
        if not is_allowed or not filters.has_platform(node, spec.container.platform):
            return ""
        if not held & local_volumes(spec):
            return ""
        return node.id

    def _node(self, node_id: str) -> objects.Node | None:
        """The node, or the one that replaced it: it is the same machine, with the same volumes."""
        return find_node_or_heir(self._draft.nodes, node_id)

    def neighbours(self, service: objects.Service, revision: int) -> frozenset[str]:
        """Nodes on which another service has a volume that tasks of this one mount."""
        spec = service.task_specs.get(revision, service.spec.task)
        wanted = local_volumes(spec) if spec.placement.stays_with_volumes else frozenset()
        if not wanted:
            return frozenset()
        if self._holders is None:
            self._holders = self._find_holders()
        return frozenset(
            node_id
            for name in wanted
            for service_id, node_id in self._holders.get(name, ())
            if service_id != service.id
        )

    def left_over(self, service: objects.Service, revision: int) -> frozenset[str]:
        """Nodes whose agents tell of a volume that tasks of this service mount."""
        spec = service.task_specs.get(revision, service.spec.task)
        wanted = local_volumes(spec) if spec.placement.stays_with_volumes else frozenset()
        if not wanted:
            return frozenset()
        return frozenset(
            node.id
            for node in self._draft.nodes.values()
            if not wanted.isdisjoint(node.description.volumes)
        )

    def note(self, service: objects.Service, revision: int, tasks: Iterable[objects.Task]) -> None:
        """Tasks were placed."""
        spec = service.task_specs.get(revision, service.spec.task)
        names = local_volumes(spec) if self._holders is not None else ()
        if self._holders is None or not names:
            return
        for task in tasks:
            placed = self._draft.task(task.id)
            if placed is not None and placed.node_id:
                for name in names:
                    self._holders.setdefault(name, set()).add((service.id, placed.node_id))

    def _former(self, service: objects.Service) -> dict[int, objects.Task]:
        """By slot the newest task that has had a container."""
        found: dict[int, objects.Task] = {}
        for task in self._draft.tasks_of(service.id).values():
            if task.slot and has_had_container(task):
                held = found.get(task.slot)
                if held is None or held.created_version < task.created_version:
                    found[task.slot] = task
        return found

    def _find_holders(self) -> dict[str, set[tuple[str, str]]]:
        found: dict[str, set[tuple[str, str]]] = {}
        for service in self._draft.services.values():
            names = local_volumes(service.spec.task)
            if not names:
                continue
            for task in self._draft.tasks_of(service.id).values():
                node = self._node(task.node_id) if task.node_id else None
                if node is not None and (not task.has_ended or has_had_container(task)):
                    for name in names:
                        found.setdefault(name, set()).add((service.id, node.id))
        return found


def has_had_container(task: objects.Task) -> bool:
    """True when its node has made a container of the task, and with it the task's volumes."""
    was_made = TaskState.READY <= task.status.state <= TaskState.RUNNING
    return bool(task.node_id) and (was_made or bool(task.running_at))
