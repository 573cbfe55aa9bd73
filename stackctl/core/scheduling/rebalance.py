"""Rebalancing: which running tasks the scheduler would place elsewhere if it were asked today.

A task is better off on another node when, without that task itself, the other node ranks before its
own in anything but the name (`ranking`). So a task leaves for a node with two tasks fewer, never
for one with one fewer: every move brings the cluster nearer to even, and moving ends.

What a service gains for itself comes first: how evenly its own tasks are spread, what it prefers
and avoids. Only when no service gains like that do tasks move because a node has fewer tasks of
whatever service: such a move earlier would be undone as soon as the others have moved. No task
moves twice in one run: one that would rather be elsewhere again, because others left room or were
to be avoided there, waits for the next run. Each move follows from the state alone and from which
tasks have moved, so that a run, planned anew after each move, does what its plan said.

Only services at rest take part: replicated, not in an update, each slot with one task of the
current revision that has run for its monitor time. Tasks with a volume of their node stay, because
their data would; others with volumes or writable binds move only when that is allowed.
"""

import enum
from collections.abc import Iterable, Iterator

import msgspec

from stackctl.core.orchestration import rolling_update
from stackctl.core.orchestration.slots import Slot, slots_of
from stackctl.core.scheduling import volumes
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.core.scheduling.ranking import FAILURES_TO_AVOID, Placement, Rank
from stackctl.core.scheduling.schedule import Situation
from stackctl.model import objects, specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state import queries
from stackctl.state.cluster import ClusterState, Draft
from stackctl.state.revisions import PAUSED_STATES

PLANNED_MOVES_MAX = 10_000

Standing = tuple[tuple[int, ...], Rank]


class Gain(enum.Enum):
    """For whose sake a task moves."""

    SERVICE = "service"  # anything that ranks before the number of tasks of all services
    CLUSTER = "cluster"


class Choice(msgspec.Struct, frozen=True):
    """One task, and the better node for it."""

    task: objects.Task
    node: objects.Node
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """Moves in their order; services that stay though a node is better, with the reason, by name;
    and when one of them will have run for long enough, 0 if none is waited for.
    """

    choices: tuple[Choice, ...] = ()
    staying: dict[str, str] = {}
    ready_at: float = 0


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What may move: these services (None: all), `moves_max` tasks at most. Nodes that have not
    been READY since `settled_before` get nothing; tasks that have moved since `moved_since` stay.
    """

    service_ids: frozenset[str] | None = None
    allows_stateful: bool = False
    moves_max: int = PLANNED_MOVES_MAX
    settled_before: float | None = None
    moved_since: float | None = None


def plan_moves(draft: Draft, wish: Wish, *, now: float) -> Plan:
    """All moves that would follow each other if each went well."""
    planner = _Planner(draft, wish, now=now)
    moves_max = min(wish.moves_max, PLANNED_MOVES_MAX)
    choices: list[Choice] = []
    while len(choices) < moves_max and (choice := planner.next_move()):
        choices.append(choice)
    return Plan(tuple(choices), planner.staying, planner.ready_at)


def plan_for(state: ClusterState, wish: Wish, *, now: float) -> Plan:
    """The same for a state."""
    return plan_moves(Draft(state, index=state.index + 1, term=state.term), wish, now=now)


def starts_first(service: objects.Service) -> bool:
    """Whether a moving task starts beside the one it replaces; not when both would write to the
    same files.
    """
    return not _is_stateful(service.spec.task)


class _Planner:
    """The cluster as it would be after the moves so far."""

    def __init__(self, draft: Draft, wish: Wish, *, now: float) -> None:
        self.staying: dict[str, str] = {}
        self.ready_at = 0.0
        self._draft = draft
        self._wish = wish
        self._now = now
        self._situation = Situation(draft, now=now)
        self._tasks: dict[str, list[objects.Task]] = {}  # by service id, what can move
        self._moved: set[str] = set()  # ids of tasks
        self._fewest: int | None = None  # tasks on the emptiest node, once counted
        self._services = list(self._find_services())
        # Services, by id, that nothing was found for; kept so that each is not asked at each move.
        self._content: dict[Gain, set[str]] = {gain: set() for gain in Gain}

    def next_move(self) -> Choice | None:
        """The next move, accounted for; None when there is none."""
        for gain in Gain:
            content = self._content[gain]
            for service in self._services:
                if service.id in content or service.name in self.staying:
                    continue
                if choice := self._next_move_of(service, gain):
                    return choice
                content.add(service.id)
        return None

    def _next_move_of(self, service: objects.Service, gain: Gain) -> Choice | None:
        """The move that improves the service's placement most, if it is for that gain."""
        if not self._can_gain(service, gain):
            return None
        found = self._best_move(service, gain)
        if found is None:
            return None
        obstacle = self._obstacle(service)
        if obstacle:
            self.staying[service.name] = obstacle
            return None
        task, target = found
        reason = self._reason(service, task, target)
        self._account(service, task, target)
        return Choice(task, target.node, reason)

    def _can_gain(self, service: objects.Service, gain: Gain) -> bool:
        """False if it is clear without looking at every node that nothing can be gained."""
        if gain == Gain.CLUSTER:
            most = max(
                self._situation.rooms[task.node_id].tasks for task in self._tasks[service.id]
            )
            if self._fewest is None:
                self._fewest = min(room.tasks for room in self._situation.rooms.values())
            return most - self._fewest >= 2
        spec = service.spec.task
        tally = self._situation.tally(service)
        failures = tally.failures(service.revision)
        return bool(
            max(tally.slots.values(), default=0) >= 2
            or max(failures.values(), default=0) >= FAILURES_TO_AVOID
            or spec.placement.spread
            or spec.placement.prefer
            or volumes.local_volumes(spec)
            or self._situation.relations.is_related(service.id)
        )

    def _best_move(
        self, service: objects.Service, gain: Gain
    ) -> tuple[objects.Task, NodeRoom] | None:
        placement = self._situation.placement(service, service.revision)
        placement.close()
        targets = [room for room in placement.in_order() if self._may_receive(service, room)]
        best: tuple[tuple[Standing, int], objects.Task, NodeRoom] | None = None
        for task in self._tasks[service.id]:
            source = self._situation.rooms[task.node_id]
            if task.id in self._moved or not placement.is_ranked(source):
                continue  # a paused node keeps what it has; others are emptied anyway
            target = _better(placement, source, targets, gain)
            if target is not None:
                urgency = (_standing(placement, source, source), task.slot)
                if best is None or urgency > best[0]:
                    best = (urgency, task, target)
        return best[1:] if best is not None else None

    def _find_services(self) -> Iterator[objects.Service]:
        wanted = self._wish.service_ids
        for service in sorted(self._draft.services.values(), key=lambda item: item.name):
            if wanted is not None and service.id not in wanted:
                continue
            if service.removing or service.spec.mode != specs.Mode.REPLICATED:
                continue
            slots = slots_of(self._draft.tasks_of(service.id).values()).values()
            movable = [slot.live[0] for slot in slots if self._is_movable(slot)]
            self._moved.update(task.id for task in movable if self._has_moved(task))
            if movable:
                self._tasks[service.id] = movable
                yield service

    def _is_movable(self, slot: Slot) -> bool:
        if len(slot.live) != 1:
            return False
        task = slot.live[0]
        node = self._draft.nodes.get(task.node_id)
        return (
            task.status.state == TaskState.RUNNING
            and node is not None
            and node.state == NodeState.READY
        )

    def _has_moved(self, task: objects.Task) -> bool:
        since = self._wish.moved_since
        return since is not None and bool(task.meant_for) and task.created_at >= since

    def _obstacle(self, service: objects.Service) -> str:
        """Why no task of the service may move now, or ""."""
        spec = service.spec.task
        if volumes.is_bound(spec):
            return "its data is on its nodes"
        if _is_stateful(spec) and not self._wish.allows_stateful:
            return "it writes to volumes or folders, and moves only when that is allowed"
        status = service.update_status
        if rolling_update.is_moving(service) or (status and status.state in PAUSED_STATES):
            return "an update is not over"
        slots = slots_of(self._draft.tasks_of(service.id).values()).values()
        for slot in slots:
            if slot.is_present and not self._is_calm(service, slot):
                return "not all of its tasks run"
        monitor = service.spec.update.monitor_seconds
        calm_at = max(slot.live[0].running_at for slot in slots if slot.is_present) + monitor
        if calm_at > self._now:
            self.ready_at = min(calm_at, self.ready_at or calm_at)
            return "its tasks have not run for long enough"
        return ""

    def _is_calm(self, service: objects.Service, slot: Slot) -> bool:
        return (
            len(slot.live) == 1
            and slot.live[0].status.state == TaskState.RUNNING
            and slot.live[0].revision == service.revision
        )

    def _may_receive(self, service: objects.Service, room: NodeRoom) -> bool:
        """Not where the service failed lately, nor where a node has just come back."""
        failures = self._situation.tally(service).failures(service.revision)
        if failures.get(room.node.id):
            return False
        settled_before = self._wish.settled_before
        if settled_before is not None and room.node.state_at > settled_before:
            settled_at = room.node.state_at + self._now - settled_before
            self.ready_at = min(settled_at, self.ready_at or settled_at)
            return False
        return True

    def _account(self, service: objects.Service, task: objects.Task, target: NodeRoom) -> None:
        situation = self._situation
        amount = service.spec.task.reservations
        source = situation.rooms[task.node_id]
        source.give_back(amount, task.host_ports, names=task.generic_named)
        names = target.choose(amount)
        target.take(amount, task.host_ports, names=names)
        situation.tally(service).move(task.node_id, target.node.id)
        moved = msgspec.structs.replace(task, node_id=target.node.id, generic_named=names)
        tasks = self._tasks[service.id]
        tasks[tasks.index(task)] = moved
        situation.relations.move(task.id, target.node.id)
        self._moved.add(task.id)
        self._fewest = None
        is_limiting = amount != specs.Resources() or bool(task.host_ports)
        if is_limiting or situation.relations.is_related(service.id):
            for content in self._content.values():
                content.clear()  # others may go now where they could not
            return
        for content in self._content.values():
            content.discard(service.id)
        self._content[Gain.CLUSTER].difference_update(
            other.id for other in self._services if self._sees_change(other, source, target)
        )

    def _sees_change(self, service: objects.Service, source: NodeRoom, target: NodeRoom) -> bool:
        """Whether tasks of the service may move for the cluster's sake now that `source` has fewer
        tasks and `target` more.
        """
        return any(
            room is target or room.tasks - source.tasks >= 2
            for room in (self._situation.rooms[task.node_id] for task in self._tasks[service.id])
        )

    def _reason(self, service: objects.Service, task: objects.Task, target: NodeRoom) -> str:
        tally = self._situation.tally(service)
        source = self._situation.rooms[task.node_id]
        name = target.node.hostname
        here, there = tally.slots[source.node.id], tally.slots[target.node.id]
        if here - there >= 2:
            return f"node {name} has {there} of the service's tasks, {source.node.hostname} {here}"
        if source.tasks - target.tasks >= 2:
            return f"node {name} has {target.tasks} tasks, {source.node.hostname} {source.tasks}"
        return f"node {name} suits the service better than {source.node.hostname}"


def _better(
    placement: Placement, source: NodeRoom, targets: Iterable[NodeRoom], gain: Gain
) -> NodeRoom | None:
    """The best of the targets, if it is better than where the task is."""
    own = _standing(placement, source, source)
    if not placement.is_spread:
        best = next((room for room in targets if room is not source), None)
    else:
        others = (room for room in targets if room is not source)
        best = min(others, key=lambda room: _standing(placement, room, source), default=None)
    if best is None:
        return None
    there = _standing(placement, best, source)
    if gain == Gain.SERVICE:
        own, there = _without_tasks(own), _without_tasks(there)
    return best if there < own else None


def _without_tasks(standing: Standing) -> Standing:
    """The standing but for how many tasks of all services the node has."""
    counts, (failures, is_away, avoided, unmet, slots, _, order) = standing
    return (counts, (failures, is_away, avoided, unmet, slots, 0, order))


def _standing(placement: Placement, room: NodeRoom, source: NodeRoom) -> Standing:
    """How good a node is for a task on `source`, the task itself left out; without names."""
    counts, leaf = placement.branch_rank(room)
    _, own_leaf = placement.branch_rank(source)
    counts = tuple(
        count - (leaf[:depth] == own_leaf[:depth]) for depth, count in enumerate(counts, start=1)
    )
    failures, is_away, avoided, unmet, slots, tasks, _ = placement.rank(room)
    is_own = room is source
    return (counts, (failures, is_away, avoided, unmet, slots - is_own, tasks - is_own, 0))


def _is_stateful(spec: specs.TaskSpec) -> bool:
    return any(
        (mount.kind == specs.MountKind.VOLUME and mount.source and not mount.read_only)
        or (mount.kind == specs.MountKind.BIND and not mount.read_only)
        for mount in spec.container.mounts
    )


def describe(state: ClusterState, choice: Choice) -> tuple[str, str, str]:
    """Name of the task, host name it leaves, host name it goes to."""
    service = state.services[choice.task.service_id]
    source = state.nodes[choice.task.node_id]
    return queries.task_name(service, choice.task), source.hostname, choice.node.hostname
