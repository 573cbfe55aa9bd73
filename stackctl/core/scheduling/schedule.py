"""The scheduler: groups of equal tasks are placed on nodes, the best node first.

What may refuse a task is in `filters`, what makes a node better than another in `ranking`. Tasks
that must be on one node are asked about that node only: those of global services, those that move
there, and those whose volumes are there (`volumes`).
"""

from collections.abc import Iterator, Mapping, Sequence

from stackctl.core.decisions import Decisions
from stackctl.core.scheduling import apart, capacity, filters, volumes
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.core.scheduling.ranking import Field, Placement
from stackctl.core.scheduling.tally import Tally
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import revisions
from stackctl.state.changes import AssignTask, ExplainTask
from stackctl.state.cluster import Draft

GroupKey = tuple[str, int, str, str]  # service, revision, node that is given, node of its volumes


def schedule(decisions: Decisions) -> None:
    """Gives a node to every pending task that fits somewhere, and explains the others."""
    pending = _pending(decisions.draft)
    if not pending:
        return
    situation = Situation(decisions.draft, now=decisions.now)
    left_over: list[tuple[list[objects.Task], Placement]] = []
    hopeless: set[object] = set()
    for (service_id, revision, given, home), tasks in situation.groups(pending).items():
        service = decisions.draft.services[service_id]
        placement = situation.placement(service, revision, given=given, home=home)
        need = None if given or home else _need(placement.demand)
        unplaced = tasks
        if need is None or need not in hopeless:
            unplaced = _place(decisions, tasks, placement)
            situation.homes.note(service, revision, tasks[: len(tasks) - len(unplaced)])
        if unplaced:
            left_over.append((unplaced, placement))
            if need is not None and not placement.is_limited:
                hopeless.add(need)
    # Explained last, when every group has taken its room: the next round would count the same.
    known: dict[object, str] = {}
    for unplaced, placement in left_over:
        _explain(decisions, unplaced, placement, known)


def would_fit_without(
    draft: Draft, service: objects.Service, task: objects.Task, *, leaving: objects.Task
) -> bool:
    """True when a pending task would find a node if only `leaving` were gone."""
    situation = Situation(draft, now=0, without=leaving.id)
    given = task.node_id or task.meant_for
    home = situation.homes.home(service, task)
    placement = situation.placement(service, task.revision, given=given, home=home)
    return any(not refusal for refusal in placement.refusals())


class Situation:
    """The cluster as the scheduler finds it: rooms, tallies, who is apart, where volumes are.

    `without` leaves one task out of account.
    """

    def __init__(self, draft: Draft, *, now: float, without: str = "") -> None:
        self.draft = draft
        self.now = now
        self.rooms: Mapping[str, NodeRoom] = capacity.rooms(draft, without=without)
        self.homes = volumes.Homes(draft)
        self._without = without
        self.relations = apart.Relations(draft)
        self._tallies: dict[str, Tally] = {}
        self._fields: dict[object, Field] = {}

    def groups(self, pending: Sequence[objects.Task]) -> dict[GroupKey, list[objects.Task]]:
        """Pending tasks that are alike to the scheduler, in the order in which they are placed."""
        found: dict[GroupKey, list[objects.Task]] = {}
        bound: dict[tuple[str, int], bool] = {}
        for task in pending:
            kind = (task.service_id, task.revision)
            is_bound = bound.get(kind)
            if is_bound is None:
                service = self.draft.services[task.service_id]
                spec = service.task_specs.get(task.revision, service.spec.task)
                is_bound = bound[kind] = volumes.is_bound(spec)
            home = ""
            if is_bound:
                home = self.homes.home(self.draft.services[task.service_id], task)
            given = task.node_id or task.meant_for
            found.setdefault((*kind, given, home), []).append(task)
        return found

    def placement(
        self, service: objects.Service, revision: int, *, given: str = "", home: str = ""
    ) -> Placement:
        """The nodes for tasks of a revision. To be closed before the next one is used."""
        demand = self.demand(service, revision, home=home)
        tally = self.tally(service)
        return Placement(
            demand,
            self.rooms,
            self.field(demand),
            tally=tally,
            failures=tally.failures(revision),
            holders=self.homes.neighbours(service, revision),
            left_over=self.homes.left_over(service, revision),
            only=given or home,
        )

    def demand(self, service: objects.Service, revision: int, *, home: str = "") -> filters.Demand:
        """What tasks of a revision need. Ports belong to the service, not to the task spec: those
        of the previous revision stand in the previous spec.

        Where tasks may be is the service's to say, whatever their revision: its constraints are
        enforced on running tasks, and one placed by others would have to leave at once.
        """
        spec = service.task_specs.get(revision, service.spec.task)
        owner = service.spec
        if service.previous_spec is not None and revision == service.previous_revision:
            owner = service.spec if revision == service.revision else service.previous_spec
        return filters.Demand(
            spec.reservations,
            revisions.host_ports(owner),
            service.spec.task.placement,
            spec.container.platform,
            home,
            self.relations.neighbours(service.id),
        )

    def tally(self, service: objects.Service) -> Tally:
        """Where the service's tasks are; kept up while tasks are placed."""
        held = self._tallies.get(service.id)
        if held is None:
            tasks = self.draft.tasks_of(service.id).values()
            if self._without:
                tasks = [task for task in tasks if task.id != self._without]
            held = self._tallies[service.id] = Tally(tasks, now=self.now)
        return held

    def field(self, demand: filters.Demand) -> Field:
        """The nodes that the demand may be met on, shared with all that ask the same of nodes."""
        placement = demand.placement
        key = (placement.constraints, placement.spread, placement.prefer, demand.platform)
        held = self._fields.get(key)
        if held is None:
            held = self._fields[key] = Field(self.rooms.values(), placement, demand.platform)
        return held


def _place(
    decisions: Decisions, tasks: Sequence[objects.Task], placement: Placement
) -> list[objects.Task]:
    """Places one task after another; returns those for which no node was left."""
    host_ports = placement.demand.host_ports
    for number, task in enumerate(tasks):
        found = placement.take_best()
        if found is None:
            placement.close()
            return list(tasks[number:])
        room, names = found
        decisions.do(
            AssignTask(
                task_id=task.id, node_id=room.node.id, host_ports=host_ports, generic_named=names
            )
        )
    placement.close()
    return []


def _explain(
    decisions: Decisions,
    tasks: Sequence[objects.Task],
    placement: Placement,
    known: dict[object, str],
) -> None:
    """Says why; `known` are the reasons of groups with the same needs, which fail alike."""
    need = None if placement.is_narrow or placement.is_limited else _need(placement.demand)
    reason = known.get(need) if need is not None else None
    if reason is None:
        is_preassigned = placement.is_narrow and not placement.demand.home
        reason = filters.explain(placement.refusals(), is_preassigned=is_preassigned)
        if need is not None:
            known[need] = reason
    for task in tasks:
        if task.status.error != reason:
            decisions.do(ExplainTask(task_id=task.id, error=reason))


def _need(demand: filters.Demand) -> object:
    """What two groups have in common of which neither can be placed when the other cannot, as long
    as neither is limited by where its own service or others are.
    """
    amount = demand.reservations
    return (
        amount.nano_cpus,
        amount.memory_bytes,
        tuple(sorted(amount.generic.items())),
        demand.host_ports,
        demand.placement.constraints,
        demand.platform,
    )


def _pending(draft: Draft) -> list[objects.Task]:
    return sorted(
        _every_pending(draft),
        key=lambda task: (task.created_version, task.service_id, task.slot, task.id),
    )


def _every_pending(draft: Draft) -> Iterator[objects.Task]:
    for task_id in draft.unplaced():
        task = draft.task(task_id)
        if task is None or task.status.state != TaskState.PENDING:
            continue
        if not _waits_for_its_turn(draft.services[task.service_id], task):
            yield task


def _waits_for_its_turn(service: objects.Service, task: objects.Task) -> bool:
    """True for a task that may not start before another service, and that would keep room until
    then which others need: perhaps what it waits for.
    """
    if not service.holds(task.revision):
        return False
    spec = service.task_specs.get(task.revision, service.spec.task)
    return (
        spec.reservations != specs.Resources()
        or bool(spec.placement.exclude_services)
        or bool(revisions.host_ports(service.spec))
    )
