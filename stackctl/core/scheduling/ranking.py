"""Ranking: which of the nodes that may take a task is the best.

Along the spread preferences the branch with fewest tasks of the service, level by level. Within a
branch, in this order:

    nodes on which this service keeps failing last (Swarm), fewest failures first
    nodes that hold a volume of this service first
    fewest tasks of services to avoid
    most of the preferences met
    fewest tasks of this service (Swarm)
    fewest tasks (Swarm)
    by name, so that the same state always gives the same placement

Most services have nothing on most nodes, and for those nodes the order is everybody's. So a `Field`
keeps it once for all services that ask the same of nodes, and each `Placement` ranks only the
nodes that are something special to its service. Placing 10,000 services on 1,000 nodes is then
10,000 times a logarithm, not 10,000 times 1,000.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from stackctl.core.scheduling import capacity, filters
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.core.scheduling.tally import Tally
from stackctl.model import constraints, specs

FAILURES_TO_AVOID = 3  # Swarm's 5 would need more history than a slot keeps

Leaf = tuple[str, ...]
# failures, away from the volume, tasks to avoid, preferences unmet, own tasks, tasks, order of name
Rank = tuple[int, int, int, int, int, int, int]
Entry = tuple[int, int, int, NodeRoom]  # preferences unmet, tasks, order of name


class Field:
    """The nodes that may take tasks of services with the same placement, as one heap a branch.

    An entry may lag behind its node's number of tasks, which only grows while tasks are placed; it
    is brought up to date when it comes to the top.
    """

    def __init__(
        self, rooms: Iterable[NodeRoom], placement: specs.Placement, platform: str
    ) -> None:
        self.placement = placement
        self.heaps: dict[Leaf, list[Entry]] = {}
        self.leaves: dict[str, Leaf] = {}  # by node id, of every node
        self.unmet: dict[str, int] = {}  # by node id, of the nodes that may take tasks
        preferences = [constraints.parse(text) for text in placement.prefer]
        for room in rooms:
            node = room.node
            leaf = tuple(constraints.describe(node, key) for key in placement.spread)
            self.leaves[node.id] = leaf
            if not (
                filters.is_ready(room)
                and filters.meets_constraints(node, placement.constraints)
                and (not platform or filters.has_platform(node, platform))
            ):
                continue
            unmet = sum(not constraints.is_met(wish, node) for wish in preferences)
            self.unmet[node.id] = unmet
            self.heaps.setdefault(leaf, []).append((unmet, room.tasks, room.order, room))
        for heap in self.heaps.values():
            heapq.heapify(heap)

    def pop(self, leaf: Leaf) -> Entry | None:
        """Takes the best node of a branch out; None when there is none."""
        heap = self.heaps.get(leaf)
        while heap:
            unmet, tasks, order, room = heap[0]
            if tasks == room.tasks:
                return heapq.heappop(heap)
            heapq.heapreplace(heap, (unmet, room.tasks, order, room))
        return None

    def put_back(self, leaf: Leaf, room: NodeRoom) -> None:
        """Puts a node in again."""
        entry = (self.unmet[room.node.id], room.tasks, room.order, room)
        heapq.heappush(self.heaps[leaf], entry)


class Placement:
    """The nodes that may take tasks of one group, best first. To be closed when the group is done,
    so that other groups find all nodes in the field again.
    """

    def __init__(
        self,
        demand: filters.Demand,
        rooms: Mapping[str, NodeRoom],
        field: Field,
        *,
        tally: Tally,
        failures: Mapping[str, int],
        holders: frozenset[str] = frozenset(),
        left_over: frozenset[str] = frozenset(),
        only: str = "",
    ) -> None:
        """`only` is the one node that is asked, if there is but one."""
        self.demand = demand
        self._rooms = rooms
        self._field = field
        self._tally = tally
        self._failures = failures
        self._holders = holders
        self._left_over = left_over
        self._only = only
        self._aside: list[tuple[Leaf, NodeRoom]] = []
        self._special: dict[Leaf, list[tuple[Rank, NodeRoom]]] = {}
        self._special_ids: set[str] = set()
        self._open = list(field.heaps)
        self._branches: Counter[Leaf] = Counter()
        if field.placement.spread:
            self._count_branches()
        self._single_out()

    @property
    def is_narrow(self) -> bool:
        """True when but one node is asked."""
        return bool(self._only)

    @property
    def is_spread(self) -> bool:
        """True when there are branches."""
        return bool(self._field.placement.spread)

    @property
    def is_limited(self) -> bool:
        """True when where tasks of this and other services are limits where these may be."""
        return bool(self.demand.placement.replicas_per_node_max or self.demand.neighbours.excluded)

    def take_best(self) -> tuple[NodeRoom, capacity.Names] | None:
        """The best node that still has room, accounted for, with the named resources that the task
        gets there; None when there is none.
        """
        while self._open:
            leaf = self._open[0]
            if len(self._open) > 1:
                leaf = min(self._open, key=self._leaf_rank)
            room = self._best_of(leaf)
            if room is None:
                self._open.remove(leaf)
                continue
            reservations = self.demand.reservations
            names = room.choose(reservations)
            room.take(reservations, self.demand.host_ports, names=names)
            self._tally.add(room.node.id)
            for depth in range(1, len(leaf) + 1):
                self._branches[leaf[:depth]] += 1
            heapq.heappush(self._special.setdefault(leaf, []), (self._rank(room), room))
            return room, names
        return None

    def in_order(self) -> list[NodeRoom]:
        """All nodes that could take a task now, best first; nothing is accounted for."""
        rooms = [
            self._rooms[node_id]
            for node_id in self._field.unmet
            if self._only in ("", node_id) and self._has_room(self._rooms[node_id])
        ]
        return sorted(rooms, key=lambda room: (self.branch_rank(room), self._rank(room)))

    def is_ranked(self, room: NodeRoom) -> bool:
        """True for nodes that take tasks of the group at all, whether or not they have room."""
        return room.node.id in self._field.unmet

    def branch_rank(self, room: NodeRoom) -> tuple[tuple[int, ...], Leaf]:
        """How full the branch of a node is, level by level, and the branch itself."""
        return self._leaf_rank(self._field.leaves[room.node.id])

    def rank(self, room: NodeRoom) -> Rank:
        """The rank of a ranked node within its branch."""
        return self._rank(room)

    def close(self) -> None:
        """Gives the field its nodes back."""
        for leaf, room in self._aside:
            self._field.put_back(leaf, room)
        self._aside.clear()

    def refusals(self) -> Iterator[str]:
        """For each node asked the filter that it fails; where its volumes hold a task, all nodes
        count as asked.
        """
        for room in self._rooms.values():
            if self._only in ("", self.demand.home, room.node.id):
                yield filters.first_refusal(room, self.demand, self._tally.tasks[room.node.id])

    def _count_branches(self) -> None:
        for node_id, count in self._tally.slots.items():
            leaf = self._field.leaves.get(node_id, ())
            for depth in range(1, len(leaf) + 1):
                self._branches[leaf[:depth]] += count

    def _single_out(self) -> None:
        """Ranks the nodes that are special to this service from the start."""
        if self._only:
            room = self._rooms.get(self._only)
            self._open = []
            if room is not None and self._only in self._field.unmet:
                self._open = [self._field.leaves[self._only]]
                self._special[self._open[0]] = [(self._rank(room), room)]
            return
        failing = [key for key, count in self._failures.items() if count >= FAILURES_TO_AVOID]
        special = {
            *self._tally.slots,
            *failing,
            *self.demand.neighbours.avoided,
            *self._holders,
            *self._left_over,
        }
        for node_id in special:
            if node_id in self._field.unmet:
                room = self._rooms[node_id]
                leaf = self._field.leaves[node_id]
                self._special_ids.add(node_id)
                self._special.setdefault(leaf, []).append((self._rank(room), room))
        for heap in self._special.values():
            heapq.heapify(heap)

    def _best_of(self, leaf: Leaf) -> NodeRoom | None:
        """Takes the best node of a branch that has room out of where it is ranked."""
        heap = self._special.get(leaf, [])
        while heap and not self._has_room(heap[0][1]):
            heapq.heappop(heap)  # what has no room never gets any in this round
        common = self._best_common(leaf)
        if common is None:
            return heapq.heappop(heap)[1] if heap else None
        unmet, tasks, order, room = common
        is_away = 1 if self._holders or self._left_over else 0
        if heap and heap[0][0] < (0, is_away, 0, unmet, 0, tasks, order):
            self._field.put_back(leaf, room)
            return heapq.heappop(heap)[1]
        self._aside.append((leaf, room))
        self._special_ids.add(room.node.id)
        return room

    def _best_common(self, leaf: Leaf) -> Entry | None:
        if self._only:
            return None
        while (entry := self._field.pop(leaf)) is not None:
            room = entry[3]
            if room.node.id not in self._special_ids and self._has_room(room):
                return entry
            self._aside.append((leaf, room))
        return None

    def _has_room(self, room: NodeRoom) -> bool:
        return filters.has_room(room, self.demand, self._tally.tasks[room.node.id])

    def _leaf_rank(self, leaf: Leaf) -> tuple[tuple[int, ...], Leaf]:
        counts = tuple(self._branches[leaf[:depth]] for depth in range(1, len(leaf) + 1))
        return (counts, leaf)

    def _is_away(self, node_id: str) -> int:
        """1 for a node without the data that is elsewhere. What was left over is for one slot: two
        tasks of one service on it would share what each has for itself.
        """
        if node_id in self._holders:
            return 0
        if node_id in self._left_over and not self._tally.slots[node_id]:
            return 0
        return 1 if self._holders or self._left_over else 0

    def _rank(self, room: NodeRoom) -> Rank:
        node_id = room.node.id
        failures = self._failures.get(node_id, 0)
        return (
            failures if failures >= FAILURES_TO_AVOID else 0,
            self._is_away(node_id),
            self.demand.neighbours.avoided.get(node_id, 0),
            self._field.unmet[node_id],
            self._tally.slots[node_id],
            room.tasks,
            room.order,
        )
