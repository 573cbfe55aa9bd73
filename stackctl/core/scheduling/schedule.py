"""The scheduler: groups of equal tasks are placed on nodes, the best node first.

Best is (Swarm's ranking): along the spread preferences the branch with fewest tasks of the service;
there, nodes on which this service keeps failing last; then the node with fewest tasks of this
service; then with fewest tasks; then by host name, so that the same state always gives the same
placement. Each leaf of the spread tree keeps a heap of its nodes, so placing a task costs a
logarithm.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stackctl.core.decisions import Decisions
from stackctl.core.scheduling import capacity, filters
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.core.scheduling.tally import Tally
from stackctl.model import constraints, objects
from stackctl.model.task_state import TaskState
from stackctl.state import revisions
from stackctl.state.changes import AssignTask, ExplainTask
from stackctl.state.cluster import Draft

FAILURES_TO_AVOID = 3  # Swarm's 5 would need more history than a slot keeps

Leaf = tuple[str, ...]
Rank = tuple[int, int, int, str, str]  # failures, tasks of service, tasks, host name, node id


def schedule(decisions: Decisions) -> None:
    """Gives a node to every pending task that fits somewhere, and explains the others."""
    draft = decisions.draft
    groups = _pending_groups(draft)
    if not groups:
        return
    rooms = capacity.rooms(draft)
    tallies: dict[str, Tally] = {}
    eligible: dict[tuple[constraints.Constraint, ...], list[NodeRoom]] = {}
    left_over: list[tuple[list[objects.Task], _Placement]] = []
    for (service_id, revision, _), tasks in groups.items():
        service = draft.services[service_id]
        tally = tallies.get(service_id)
        if tally is None:
            tally = Tally(draft.tasks_of(service_id).values(), now=decisions.now)
            tallies[service_id] = tally
        demand = _demand(service, revision)
        nodes = _candidates(rooms, tasks[0])
        if tasks[0].node_id:
            takers = _eligible(nodes, demand)
        else:
            if demand.constraints not in eligible:
                eligible[demand.constraints] = _eligible(nodes, demand)
            takers = eligible[demand.constraints]
        placement = _Placement(
            demand, nodes, takers=takers, tally=tally, failures=tally.failures(revision)
        )
        left_over.append((_place(decisions, tasks, placement), placement))
    # Explained last, when every group has taken its room: the next round would count the same.
    for unplaced, placement in left_over:
        _explain(decisions, unplaced, placement)


def would_fit_without(
    draft: Draft, service: objects.Service, task: objects.Task, *, leaving: objects.Task
) -> bool:
    """True when a pending task would find a node if only `leaving` were gone."""
    demand = _demand(service, task.revision)
    rooms = capacity.rooms(draft, without=leaving.id)
    others = (other for other in draft.tasks_of(service.id).values() if other.id != leaving.id)
    tally = Tally(others, now=0)
    return any(
        not filters.first_refusal(room, demand, tally.tasks[room.node.id])
        for room in _candidates(rooms, task)
    )


def _candidates(rooms: Mapping[str, NodeRoom], task: objects.Task) -> list[NodeRoom]:
    """The nodes to choose from; for a task of a global service only its own."""
    if task.node_id:
        return [rooms[task.node_id]] if task.node_id in rooms else []
    return list(rooms.values())


def _eligible(nodes: Iterable[NodeRoom], demand: filters.Demand) -> list[NodeRoom]:
    """Those of the nodes for which nothing that stays the same during a round speaks against."""
    return [
        room for room in nodes if filters.is_ready(room) and filters.meets_constraints(room, demand)
    ]


class _Placement:
    """The nodes that may take tasks of one group, best first."""

    def __init__(
        self,
        demand: filters.Demand,
        nodes: Sequence[NodeRoom],
        *,
        takers: Sequence[NodeRoom],
        tally: Tally,
        failures: Mapping[str, int],
    ) -> None:
        self.demand = demand
        self._nodes = nodes
        self._tally = tally
        self._failures = failures
        self._branches: Counter[Leaf] = Counter()
        self._leaves: dict[Leaf, list[tuple[Rank, NodeRoom]]] = {}
        if not demand.spread:
            self._leaves = {(): [(self._rank(room), room) for room in takers]}
        else:
            for room in nodes:
                leaf = self._leaf(room)
                for depth in range(1, len(leaf) + 1):
                    self._branches[leaf[:depth]] += tally.slots[room.node.id]
            for room in takers:
                leaf = self._leaf(room)
                self._leaves.setdefault(leaf, []).append((self._rank(room), room))
        for heap in self._leaves.values():
            heapq.heapify(heap)

    def take_best(self) -> NodeRoom | None:
        """The best node that still has room, accounted for; None when there is none."""
        while self._leaves:
            leaf = next(iter(self._leaves))
            if len(self._leaves) > 1:
                leaf = min(self._leaves, key=self._leaf_rank)
            heap = self._leaves[leaf]
            room = self._best_fitting(heap)
            if room is None:
                del self._leaves[leaf]
                continue
            room.take(self.demand.reservations, self.demand.host_ports)
            self._tally.add(room.node.id)
            for depth in range(1, len(leaf) + 1):
                self._branches[leaf[:depth]] += 1
            heapq.heapreplace(heap, (self._rank(room), room))
            return room
        return None

    def explain(self) -> str:
        """Why no node is left, in counts."""
        return filters.explain(
            filters.first_refusal(room, self.demand, self._tally.tasks[room.node.id])
            for room in self._nodes
        )

    def _best_fitting(self, heap: list[tuple[Rank, NodeRoom]]) -> NodeRoom | None:
        """The top of the heap that has room; what has none never gets any in this round."""
        while heap:
            room = heap[0][1]
            if filters.has_room(room, self.demand, self._tally.tasks[room.node.id]):
                return room
            heapq.heappop(heap)
        return None

    def _leaf(self, room: NodeRoom) -> Leaf:
        return tuple(constraints.describe(room.node, key) for key in self.demand.spread)

    def _leaf_rank(self, leaf: Leaf) -> tuple[tuple[int, ...], Leaf]:
        counts = tuple(self._branches[leaf[:depth]] for depth in range(1, len(leaf) + 1))
        return (counts, leaf)

    def _rank(self, room: NodeRoom) -> Rank:
        node = room.node
        failures = self._failures.get(node.id, 0)
        avoided = failures if failures >= FAILURES_TO_AVOID else 0
        return (avoided, self._tally.slots[node.id], room.tasks, node.hostname, node.id)


def _place(
    decisions: Decisions, tasks: Sequence[objects.Task], placement: _Placement
) -> list[objects.Task]:
    """Places one task after another; returns those for which no node was left."""
    for number, task in enumerate(tasks):
        room = placement.take_best()
        if room is None:
            return list(tasks[number:])
        decisions.do(
            AssignTask(
                task_id=task.id,
                node_id=room.node.id,
                host_ports=placement.demand.host_ports,
            )
        )
    return []


def _explain(decisions: Decisions, tasks: Sequence[objects.Task], placement: _Placement) -> None:
    reason = placement.explain() if tasks else ""
    for task in tasks:
        if task.status.error != reason:
            decisions.do(ExplainTask(task_id=task.id, error=reason))


def _pending_groups(draft: Draft) -> dict[tuple[str, int, str], list[objects.Task]]:
    groups: dict[tuple[str, int, str], list[objects.Task]] = {}
    pending = sorted(
        _pending(draft),
        key=lambda task: (task.created_version, task.service_id, task.slot, task.id),
    )
    for task in pending:
        key = (task.service_id, task.revision, task.node_id)
        groups.setdefault(key, []).append(task)
    return groups


def _pending(draft: Draft) -> Iterator[objects.Task]:
    for task_id in draft.unplaced():
        task = draft.task(task_id)
        if task is not None and task.status.state == TaskState.PENDING:
            yield task


def _demand(service: objects.Service, revision: int) -> filters.Demand:
    """What tasks of a revision need. Ports belong to the service, not to the task spec: those of
    the previous revision stand in the previous spec.
    """
    spec = service.task_specs.get(revision, service.spec.task)
    owner = service.spec
    if service.previous_spec is not None and revision == service.previous_revision:
        owner = service.spec if revision == service.revision else service.previous_spec
    return filters.demand_of(spec, revisions.host_ports(owner))
