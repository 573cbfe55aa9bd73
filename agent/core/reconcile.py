"""The whole node: what is assigned and what is seen -> actions in order, records, wake-up time.

Level-triggered: it looks at everything each time and remembers nothing. The worker calls it after
every change and at `wake_at`; calling it more often changes nothing.

Order. Signals to what must no longer run come first, and while one is to be sent or under way
nothing is created or started: a node that comes back from a long absence first lets go of what
others have taken over. (Only the signal is waited for, not the end of a grace period.) A start
whose published port is still held by an ending container of ours waits for that one.

Strays, which are containers of ours whose task is in no set, are touched only when `is_confirmed`:
a manager sent a set in this session. A set from disk may be hours old.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agent.core import actions, container_config, task_machine
from agent.core.observed import Container
from agent.core.task_machine import Situation, Step
from agent.core.task_record import TaskRecord
from stackctl.model.assignment import AssignmentSet, NetworkAssignment, TaskAssignment
from stackctl.model.objects import TaskStatus
from stackctl.model.structs import Model
from stackctl.model.task_state import TaskState

STEPS_PER_ROUND_MAX = 8

_ORDER: Mapping[type[Model], int] = {
    actions.SignalContainer: 0,
    actions.RemoveContainer: 1,
    actions.TellContents: 2,
    actions.ProbeHealth: 3,
    actions.StartContainer: 4,
    actions.ConnectNetwork: 5,
    actions.CreateContainer: 6,
    actions.PullImage: 7,
}
_BEGINNINGS = (actions.StartContainer, actions.ConnectNetwork, actions.CreateContainer)


class NodeSituation(Model, frozen=True, kw_only=True):
    """Everything a round looks at."""

    assignment: AssignmentSet
    is_confirmed: bool  # a manager sent a set in this session
    containers: Mapping[str, Container]  # by task id
    records: Mapping[str, TaskRecord]  # by task id
    engine_networks: Mapping[str, str]  # network id -> engine name, of those that are there
    now: float
    busy: frozenset[str] = frozenset()  # tasks with an action under way
    stopping: frozenset[str] = frozenset()  # those of them whose action is a signal
    probing: frozenset[str] = frozenset()  # tasks whose health test is running
    pulling: frozenset[str] = frozenset()  # subjects of the pulls under way


class Plan(Model, frozen=True, kw_only=True):
    """What a round comes to."""

    records: Mapping[str, TaskRecord]  # those that changed
    actions: tuple[actions.Action, ...]  # in the order in which to begin them
    forgotten: tuple[str, ...] = ()  # records of tasks that are gone without a trace
    wake_at: float | None = None


def reconcile(situation: NodeSituation) -> Plan:
    """One round over the whole node."""
    assigned_ids = {task.id for task in situation.assignment.tasks}
    networks = {network.name: network for network in situation.assignment.networks}
    ports_held = _ports_held(situation)
    steps = [
        (task.id, _task_steps(situation, task, networks, ports_held))
        for task in situation.assignment.tasks
        if task.id not in situation.busy
    ]
    steps.extend(_stray_steps(situation, assigned_ids))
    changed = {
        task_id: step.record
        for task_id, step in steps
        if situation.records.get(task_id) != step.record
    }
    wishes = [step.action for _, step in steps if step.action is not None]
    return Plan(
        records=changed,
        actions=_in_order(situation, wishes),
        forgotten=tuple(
            task_id
            for task_id in situation.records
            if task_id not in assigned_ids
            and task_id not in situation.containers
            and task_id not in situation.busy
        ),
        wake_at=min((step.wake_at for _, step in steps if step.wake_at is not None), default=None),
    )


def urgency(action: actions.Action) -> int:
    """The place of an action in the order in which actions are begun; lower is earlier."""
    return _ORDER[type(action)]


def _task_steps(
    situation: NodeSituation,
    task: TaskAssignment,
    networks: Mapping[str, NetworkAssignment],
    ports_held: Mapping[tuple[int, str], str],
) -> Step:
    record = situation.records.get(task.id) or task_machine.first_record(task, now=situation.now)
    holder = next(
        (
            ports_held[port.published, port.protocol]
            for port in task.ports
            if ports_held.get((port.published, port.protocol), task.id) != task.id
        ),
        "",
    )
    view = Situation(
        task=task,
        record=record,
        container=situation.containers.get(task.id),
        now=situation.now,
        networks=container_config.networks_of(task, networks, situation.engine_networks),
        waits_for=_waits_for(task, networks, situation.engine_networks),
        held_back=f"waits for a published port that {holder} still holds" if holder else "",
    )
    for _ in range(STEPS_PER_ROUND_MAX):
        result = task_machine.step(view)
        if result.action is not None or result.record == view.record:
            return result
        view = msgspec.structs.replace(view, record=result.record)
    return result


def _waits_for(
    task: TaskAssignment,
    networks: Mapping[str, NetworkAssignment],
    engine_networks: Mapping[str, str],
) -> str:
    for attachment in task.spec.networks:
        network = networks.get(attachment.network)
        if network is None:
            return f"network {attachment.network} is not assigned to this node yet"
        if network.id not in task.addresses:
            return f"no address on network {attachment.network} yet"
        if network.id not in engine_networks:
            return f"network {attachment.network} is being set up on this node"
    return ""


def _ports_held(situation: NodeSituation) -> Mapping[tuple[int, str], str]:
    """Published ports of containers that are up though their task is no longer wanted."""
    held: dict[tuple[int, str], str] = {}
    for task in situation.assignment.tasks:
        container = situation.containers.get(task.id)
        if container is None or not container.is_up or task.desired_state <= TaskState.COMPLETE:
            continue
        held.update({(port.published, port.protocol): task.id for port in task.ports})
    return held


def _stray_steps(situation: NodeSituation, assigned_ids: set[str]) -> Iterable[tuple[str, Step]]:
    if not situation.is_confirmed:
        return
    for task_id, container in situation.containers.items():
        if task_id in assigned_ids or task_id in situation.busy:
            continue
        record = situation.records.get(task_id) or TaskRecord(
            task_id=task_id, status=TaskStatus(), container_id=container.id
        )
        yield task_id, task_machine.stray_step(record, container, now=situation.now)


def _in_order(situation: NodeSituation, wishes: list[actions.Action]) -> tuple[actions.Action, ...]:
    stops_first = bool(situation.stopping) or any(
        isinstance(wish, actions.SignalContainer) for wish in wishes
    )
    allowed = []
    for wish in wishes:
        if stops_first and isinstance(wish, _BEGINNINGS):
            continue
        if isinstance(wish, actions.ProbeHealth) and wish.task_id in situation.probing:
            continue
        if isinstance(wish, actions.PullImage) and wish.subject in situation.pulling:
            continue
        allowed.append(wish)
    # Two tasks may want the same image in one round; the pull serves both.
    pulls = {wish.subject: wish for wish in allowed if isinstance(wish, actions.PullImage)}
    unique = [
        wish
        for wish in allowed
        if not isinstance(wish, actions.PullImage) or pulls[wish.subject] is wish
    ]
    return tuple(sorted(unique, key=urgency))
