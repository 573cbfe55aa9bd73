"""Start order: a revision's tasks are prepared, but none starts before what it depends on has come.
(Tasks that reserve something are not even placed before: what they wait for may need the room.)

    started     one task of the dependency's current revision has been started
    healthy     every slot has a running task of that revision, which means healthy where there is a
                check; of a job also one that completed
    completed   every slot has a task of that revision that completed

Swarm drops `depends_on`; Compose looks at one host, once. Here it is asked once for each revision,
across nodes, and remembered: what has started goes on when the dependency is lost, and its tasks
are restarted whatever has become of it. An update does not begin before the dependency's own update
has come so far, and old tasks run on meanwhile. A dependency scaled to nothing is not waited for.

A dependency that is not there, or failed and is not tried again, holds its dependants for good:
until somebody deploys something else. They say so, and so do theirs.
"""

import msgspec

from stackctl.core.decisions import Decisions
from stackctl.core.orchestration import global_mode, restarts
from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself
from stackctl.model import objects, specs
from stackctl.model.specs import DependencyCondition
from stackctl.model.task_state import TaskState
from stackctl.state.changes import ClearService, HoldService
from stackctl.state.revisions import PAUSED_STATES

_WORDS = {
    DependencyCondition.STARTED: "to start",
    DependencyCondition.HEALTHY: "to be healthy",
    DependencyCondition.COMPLETED: "to complete",
}


class Hold(msgspec.Struct, frozen=True):
    """What a service waits for; `for_good` when waiting will not help."""

    reason: str
    for_good: bool = False


def clear(decisions: Decisions, service: objects.Service) -> objects.Service:
    """Lets the service's revision start if what it depends on has come, or says what it waits for.
    Returns the service as it is then.
    """
    if not service.is_held:
        return service
    hold = _hold(decisions, service)
    if hold is None:
        decisions.do(ClearService(service_id=service.id, revision=service.revision))
    else:
        decisions.holding.add(service.id)
        if hold != Hold(service.held_reason, service.held_for_good):
            decisions.do(
                HoldService(
                    service_id=service.id,
                    revision=service.revision,
                    reason=hold.reason,
                    for_good=hold.for_good,
                )
            )
    return decisions.draft.services[service.id]


def _hold(decisions: Decisions, service: objects.Service) -> Hold | None:
    """The first thing that stands in the way; what will never come goes before what may."""
    holds = [
        hold
        for dependency in service.spec.depends_on
        if (hold := _missing(decisions, dependency)) is not None
    ]
    return next((hold for hold in holds if hold.for_good), holds[0] if holds else None)


def _missing(decisions: Decisions, dependency: specs.Dependency) -> Hold | None:
    draft, name = decisions.draft, dependency.service
    other = draft.services.get(draft.service_ids.get(name, ""))
    waits = f"waiting for {name} {_WORDS[dependency.condition]}"
    if other is None or other.removing:
        if not dependency.required:
            return None
        return Hold(f"{waits}: there is no such service", for_good=True)
    slots = _current_slots(decisions, other)
    come = [key for key in slots if _has_come(decisions, other, dependency, slots[key])]
    if len(come) >= _needed(decisions, other, dependency):
        return None
    obstacle = ""
    if other.is_held and other.held_for_good:
        obstacle = f"it is {other.held_reason}"
    elif other.update_status is not None and other.update_status.state in PAUSED_STATES:
        obstacle = other.update_status.message
    else:
        failed = {
            key: words
            for key in slots
            if key not in come and (words := _failure(decisions, other, slots[key]))
        }
        is_hopeless = dependency.condition != DependencyCondition.STARTED or not (
            slots.keys() - failed.keys()
        )
        if failed and is_hopeless:
            obstacle = next(iter(failed.values()))
    return Hold(f"{waits}: {obstacle}" if obstacle else waits, for_good=bool(obstacle))


def _needed(decisions: Decisions, other: objects.Service, dependency: specs.Dependency) -> int:
    if other.spec.mode.is_global:
        asked = max(len(_eligible(decisions, other)), 1)
    else:
        asked = other.spec.replicas
    return min(asked, 1) if dependency.condition == DependencyCondition.STARTED else asked


def _eligible(decisions: Decisions, other: objects.Service) -> set[SlotKey]:
    nodes = decisions.draft.nodes.values()
    return {node.id for node in nodes if global_mode.is_eligible(other, node)}


def _current_slots(decisions: Decisions, other: objects.Service) -> dict[SlotKey, Slot]:
    """The slots that have been given a task of the current revision; of a global service those on
    nodes that still count.
    """
    counted = _eligible(decisions, other) if other.spec.mode.is_global else None
    return {
        key: slot
        for key, slot in decisions.slots(other.id).items()
        if (counted is None or key in counted) and slot.of_revision(other.revision)
    }


def _has_come(
    decisions: Decisions, other: objects.Service, dependency: specs.Dependency, slot: Slot
) -> bool:
    tasks = slot.of_revision(other.revision)
    has_completed = any(task.has_completed for task in tasks)
    match dependency.condition:
        case DependencyCondition.STARTED:
            return has_completed or any(
                task.running_at or task.status.state in (TaskState.STARTING, TaskState.RUNNING)
                for task in tasks
            )
        case DependencyCondition.COMPLETED:
            return has_completed
        case DependencyCondition.HEALTHY:
            return (has_completed and other.spec.mode.is_job) or any(
                task.status.state == TaskState.RUNNING
                and task.is_wanted
                and decisions.is_on_live_node(task)
                for task in tasks
            )


def _failure(decisions: Decisions, other: objects.Service, slot: Slot) -> str:
    """How the slot's last task ended when none follows it, or ""."""
    last = slot.last_ended
    if slot.live or last.revision != other.revision or not ended_by_itself(last):
        return ""
    verdict = restarts.decide_restart(
        slot, restarts.policy_of(other.spec), last=last, now=decisions.now
    )
    if not isinstance(verdict, restarts.Spent):
        return ""
    name = f"{other.name}.{slot.key}"
    return f"{name} {restarts.describe_end(last)}; not restarted: {verdict.reason}"
