"""Why a task is where it is, or nowhere: the scheduler's view of each node, in words.

The same filters and the same ranking as the scheduler's, asked anew without the task itself. What
was decided when the task was placed may have been different: the cluster was.
"""

from stackctl.core.scheduling import filters, volumes
from stackctl.core.scheduling.capacity import NodeRoom
from stackctl.core.scheduling.ranking import Placement
from stackctl.core.scheduling.schedule import Situation
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import NodeState
from stackctl.state import queries
from stackctl.state.cluster import ClusterState, Draft
from stackctl.wire import api

_MEBIBYTE = 1 << 20


def explain(state: ClusterState, task: objects.Task, *, now: float) -> api.TaskExplanation:
    """One line for each node: whether the task could be there, why, and how good the node is."""
    view = queries.task_view(state, task)
    return api.TaskExplanation(
        task_id=task.id,
        name=view.name,
        state=view.state,
        node=view.node,
        error=view.error,
        cause=task.cause,
        nodes=_verdicts(state, task, now=now),
    )


def _verdicts(
    state: ClusterState, task: objects.Task, *, now: float
) -> tuple[api.NodeVerdict, ...]:
    draft = Draft(state, index=state.index + 1, term=state.term)
    situation = Situation(draft, now=now, without=task.id)
    service = state.services[task.service_id]
    given = task.meant_for or ("" if task.slot else task.node_id)
    home = situation.homes.home(service, task)
    placement = situation.placement(service, task.revision, given=given, home=home)
    ranks = {room.node.id: at for at, room in enumerate(placement.in_order(), start=1)}
    found = []
    for room in situation.rooms.values():
        node = room.node
        tally = situation.tally(service).tasks[node.id]
        refusal = filters.first_refusal(room, placement.demand, tally)
        if not refusal and given not in ("", node.id):
            refusal = "given"
        verdict = "refused" if refusal else "possible"
        if node.id == task.node_id:
            verdict = "here"
        elif ranks.get(node.id) == 1:
            verdict = "best"
        reason = _why_not(situation, task, room, placement.demand, refusal)
        found.append(
            api.NodeVerdict(
                node_id=node.id,
                hostname=node.hostname,
                verdict=verdict,
                reason=reason or _why(situation, service, placement, room),
                rank=ranks.get(node.id, 0),
            )
        )
    return tuple(sorted(found, key=lambda item: (item.rank or len(found) + 1, item.hostname)))


def _why(
    situation: Situation, service: objects.Service, placement: Placement, room: NodeRoom
) -> str:
    """What the rank of a node rests on."""
    failures, is_away, avoided, unmet, own, tasks, _ = placement.rank(room)
    wishes = len(placement.demand.placement.prefer)
    notes: list[str] = []
    branch, leaf = placement.branch_rank(room)
    notes.extend(
        f"{value or 'no label'} has {_tasks(count)} of the service"
        for value, count in zip(leaf, branch, strict=True)
    )
    if failures:
        notes.append(f"failed here {failures} times lately")
    homes = situation.homes
    has_data = homes.neighbours(service, service.revision) or homes.left_over(
        service, service.revision
    )
    if has_data and not is_away:
        notes.append("a volume of this name is here")
    if avoided:
        notes.append(f"{_tasks(avoided)} to avoid")
    if wishes:
        notes.append(f"{wishes - unmet} of {wishes} preferences met")
    notes.append(f"{_tasks(own)} of the service, {tasks} in all")
    return "; ".join(notes)


def _why_not(
    situation: Situation,
    task: objects.Task,
    room: NodeRoom,
    demand: filters.Demand,
    refusal: str,
) -> str:
    node = room.node
    match refusal:
        case "ready":
            is_unknown = node.state != NodeState.READY
            return f"it is {node.state.value if is_unknown else _availability(node)}"
        case "resources":
            return _missing(room, demand.reservations)
        case "constraints":
            return _unmet(node, demand.placement.constraints)
        case "platform":
            described = node.description
            return f"it is {described.os}/{described.arch}, the image is for {demand.platform}"
        case "ports":
            return _taken_ports(situation, room, demand)
        case "maximum":
            most = demand.placement.replicas_per_node_max
            return f"it has the most tasks of the service that a node may have, {most}"
        case "apart":
            return f"{demand.neighbours.excluded[node.id]} is there, to be kept apart from"
        case "volumes":
            service = situation.draft.services[task.service_id]
            spec = service.task_specs.get(task.revision, service.spec.task)
            names = ", ".join(sorted(volumes.local_volumes(spec)))
            return f"its data is on {situation.rooms[demand.home].node.hostname} ({names})"
        case "given":
            return "it was made for another node"
    return ""


def _availability(node: objects.Node) -> str:
    return {"drain": "drained", "pause": "paused"}.get(node.availability.value, "not ready")


def _missing(room: NodeRoom, wanted: specs.Resources) -> str:
    lacks = []
    if wanted.nano_cpus > room.nano_cpus:
        lacks.append(
            f"{wanted.nano_cpus / specs.NANO:g} cpus, {room.nano_cpus / specs.NANO:g} free"
        )
    if wanted.memory_bytes > room.memory_bytes:
        free = max(room.memory_bytes, 0) // _MEBIBYTE
        lacks.append(f"{wanted.memory_bytes / _MEBIBYTE:g} MiB of memory, {free} MiB free")
    lacks.extend(
        f"{number} {kind}, {max(room.free(kind), 0)} free"
        for kind, number in sorted(wanted.generic.items())
        if number > room.free(kind)
    )
    return "it needs " + " and ".join(lacks)


def _unmet(node: objects.Node, texts: tuple[str, ...]) -> str:
    found = []
    for text in texts:
        constraint = constraints.parse(text)
        if not constraints.is_met(constraint, node):
            actual = constraints.describe(node, constraint.key)
            found.append(
                f"{text} does not hold: it has {actual!r}" if actual else f"it lacks {text}"
            )
    return "; ".join(found)


def _taken_ports(situation: Situation, room: NodeRoom, demand: filters.Demand) -> str:
    wanted = {(port.published, port.protocol) for port in demand.host_ports}
    for task in situation.draft.tasks_on(room.node.id).values():
        for port in task.host_ports:
            key = (port.published, port.protocol)
            if key in wanted and key in room.host_ports and not task.has_ended:
                holder = queries.task_name(situation.draft.services[task.service_id], task)
                return f"{holder} has its port {port.published}/{port.protocol}"
    return "its port is in use"


def _tasks(count: int) -> str:
    return f"{count} task" if count == 1 else f"{count} tasks"
