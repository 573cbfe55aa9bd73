"""What a deploy would do, said before it is done.

The stack is put into a copy of the state by the same command, and the rest is rehearsed by the same
rounds (`rehearsal`): what the plan says is what the deploy then does, unless reality fails (an
image that is missing, a task that never gets healthy) or changes meanwhile.

Downtime is counted in tasks, not in seconds: how long an image takes to start nobody knows before.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from stackctl.core.rehearsal import Rehearsal
from stackctl.model import objects, specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import ClusterState
from stackctl.state.commands import LoseNode, PutStack
from stackctl.state.results import Rejection
from stackctl.wire import api

VALUE_LENGTH_MAX = 120
UNORDERED = (".environment", ".mounts", ".configs", ".secrets", ".networks", "ports", "depends_on")
NODES_REHEARSED_MAX = 50  # losses are rehearsed one by one


def plan_deploy(state: ClusterState, command: PutStack) -> api.PlanView:
    """What the command would change and lead to. Raises Rejection when it would be rejected."""
    trace = _Trace(state)
    rehearsal = Rehearsal(state, now=command.now, on_step=trace.note)
    result = rehearsal.submit(command)
    if (error := result.error) is not None:
        raise Rejection(error.kind, error.message, hint=error.hint, exit_code=error.exit_code)
    planned = rehearsal.state
    settles = rehearsal.run()
    after = rehearsal.state
    touched = {change.name: change for change in result.changes if change.kind == "service"}
    return api.PlanView(
        name=command.spec.name,
        revision=result.revision,
        changes=result.changes,
        services=tuple(
            _service_plan(change, before=state, planned=planned, after=after, trace=trace)
            for change in touched.values()
        ),
        losses=_losses(after, command) if settles else (),
        settles=settles,
    )


class _Trace:
    """How many tasks of each service ran at the worst moment, and which ones completed. A task
    that did may be gone at the end: history is limited, and a smaller job has fewer slots.
    """

    def __init__(self, state: ClusterState) -> None:
        self.lowest = dict(_running_counts(state))
        self._had_completed = {
            task.id for service_id in state.services for task in _completed(state, service_id)
        }
        self._completed: dict[str, set[str]] = {}  # task ids by service id

    def note(self, state: ClusterState) -> None:
        """Looks at the state after a step."""
        counts = _running_counts(state)
        for name, lowest in self.lowest.items():
            self.lowest[name] = min(lowest, counts.get(name, 0))
        for service_id in state.services:
            ids = {task.id for task in _completed(state, service_id)} - self._had_completed
            self._completed.setdefault(service_id, set()).update(ids)

    def completions(self, service_id: str) -> int:
        """How many tasks of the service have completed since the beginning."""
        return len(self._completed.get(service_id, ()))


def _running_counts(state: ClusterState) -> Mapping[str, int]:
    return {service.name: len(_running(state, service.id)) for service in state.services.values()}


def _running(state: ClusterState, service_id: str) -> list[objects.Task]:
    """Tasks that serve, or serve again when their node is heard of again."""
    return [
        task
        for task in state.tasks_of(service_id).values()
        if task.status.state == TaskState.RUNNING
        and (node := state.nodes.get(task.node_id)) is not None
        and node.state != NodeState.DOWN
    ]


def _service_plan(
    change: api.Change,
    *,
    before: ClusterState,
    planned: ClusterState,
    after: ClusterState,
    trace: _Trace,
) -> api.ServicePlan:
    old = before.services.get(before.service_ids.get(change.name, ""))
    new = planned.services.get(planned.service_ids.get(change.name, ""))
    service_id = new.id if new is not None else old.id if old is not None else ""
    running_before = _running(before, service_id)
    running_after = _running(after, service_id)
    kept = {task.id for task in running_before} & {task.id for task in running_after}
    told = [  # only a task that is carried over to another revision ever changes its own
        task.id
        for task in running_after
        if task.id in kept and task.revision != before.tasks[task.id].revision
    ]
    return api.ServicePlan(
        name=change.name,
        action=change.action,
        cause=change.cause,
        fields=tuple(_field_changes(old.spec, new.spec)) if old and new else (),
        running_before=len(running_before),
        running_lowest=trace.lowest.get(change.name, 0),
        running_after=len(running_after),
        tasks_kept=len(kept),
        tasks_told=len(told),
        tasks_started=len(running_after) - len(kept),
        tasks_stopped=len(running_before) - len(kept),
        tasks_completed=trace.completions(service_id),
        nodes=_places(after, running_after),
        moves=tuple(_moves(before, after, running_before, running_after)),
        waiting=tuple(_waiting(after, service_id)),
    )


def _completed(state: ClusterState, service_id: str) -> list[objects.Task]:
    return [task for task in state.tasks_of(service_id).values() if task.has_completed]


def _places(state: ClusterState, tasks: Sequence[objects.Task]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for task in tasks:
        hostname = state.nodes[task.node_id].hostname
        counts[hostname] = counts.get(hostname, 0) + 1
    return dict(sorted(counts.items()))


def _moves(
    before: ClusterState,
    after: ClusterState,
    old: Sequence[objects.Task],
    new: Sequence[objects.Task],
) -> Iterator[api.PlannedMove]:
    """Slots whose task is on another node afterwards."""
    places = {task.slot: task.node_id for task in old if task.slot}
    for task in sorted(new, key=lambda task: task.slot):
        node_id = places.get(task.slot, task.node_id)
        if node_id != task.node_id:
            yield api.PlannedMove(
                slot=task.slot,
                from_node=before.nodes[node_id].hostname,
                to_node=after.nodes[task.node_id].hostname,
            )


def _waiting(state: ClusterState, service_id: str) -> Iterator[str]:
    """Why tasks would not start, each reason once with how many say so."""
    reasons: dict[str, int] = {}
    service = state.services.get(service_id)
    for task in state.tasks_of(service_id).values():
        if task.is_wanted and task.status.state < TaskState.RUNNING:
            held = service.held_reason if service is not None else ""
            reason = task.status.error or held or task.status.message
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        tasks = f"{count} task{'s' if count > 1 else ''}"
        yield f"{tasks}: {reason}" if reason else f"{tasks} would wait"


def _losses(state: ClusterState, command: PutStack) -> tuple[api.PlannedLoss, ...]:
    """What the stack would lose with each node that runs a part of it."""
    names = {service.name for service in command.spec.services}
    ready = [node for node in state.nodes.values() if node.state == NodeState.READY]
    if len(ready) > NODES_REHEARSED_MAX:
        return ()
    losses = []
    for node in sorted(ready, key=lambda node: node.hostname):
        hit = _services_on(state, node, names)
        if hit:
            losses.append(_loss(state, node, hit, now=command.now))
    return tuple(losses)


def _services_on(state: ClusterState, node: objects.Node, names: set[str]) -> list[objects.Service]:
    ids = {
        task.service_id
        for task in state.tasks_on(node.id).values()
        if task.status.state == TaskState.RUNNING
    }
    found = (state.services[service_id] for service_id in ids if service_id in state.services)
    return sorted((each for each in found if each.name in names), key=lambda each: each.name)


def _loss(
    state: ClusterState, node: objects.Node, hit: Sequence[objects.Service], *, now: float
) -> api.PlannedLoss:
    rehearsal = Rehearsal(state, now=now)
    rehearsal.submit(LoseNode(node_id=node.id, term=state.term, message="rehearsed", now=now))
    rehearsal.run()
    gone, interrupted = [], []
    for service in hit:
        if not _running(rehearsal.state, service.id):
            gone.append(service.name)
        elif all(task.node_id == node.id for task in _running(state, service.id)):
            interrupted.append(service.name)
    return api.PlannedLoss(node=node.hostname, gone=tuple(gone), interrupted=tuple(interrupted))


def _field_changes(old: specs.ServiceSpec, new: specs.ServiceSpec) -> Iterator[api.FieldChange]:
    for path, before, after in _differences(old, new, ""):
        yield api.FieldChange(
            path=path, before=_shown(before, beside=after), after=_shown(after, beside=before)
        )


def _differences(old: object, new: object, path: str) -> Iterator[tuple[str, object, object]]:
    """Leaf by leaf; of lists in which order means nothing, what was added and what was taken away.

    Values are compared, not what is written of them: a field that is left out has a value too.
    """
    if old == new:
        return
    if isinstance(old, msgspec.Struct) and type(old) is type(new):
        for field in sorted(old.__struct_fields__):
            inner = f"{path}.{field}" if path else field
            yield from _differences(getattr(old, field), getattr(new, field), inner)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}")
    elif isinstance(old, tuple) and isinstance(new, tuple) and path.endswith(UNORDERED):
        added = [item for item in new if item not in old]
        yield path, [item for item in old if item not in new], added
    else:
        yield path, old, new


def _shown(value: object, *, beside: object) -> str:
    """A value in words; an empty list is none, unless the other value is none at all."""
    if value is None or (isinstance(value, (list, tuple, Mapping)) and not value and beside):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 5 seconds by default and 5.0 read from a file look the same
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"
