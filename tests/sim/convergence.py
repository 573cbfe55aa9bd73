"""What a cluster must have come to, once nothing disturbs it any longer."""

from collections.abc import Mapping, Sequence

from stackctl.core.orchestration.slots import Slot, SlotKey, ended_by_itself, slots_of
from stackctl.core.scheduling.schedule import Situation
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import Availability, NodeState, UpdateState
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import Draft
from tests.sim.world import World

MOVING = (UpdateState.UPDATING, UpdateState.ROLLBACK_STARTED)
PAUSED = (UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED)


FITS = "waits although it fits"  # how a fault is told that no round may leave as it is


def unsettled(world: World, *, patience_seconds: float = 0) -> list[str]:
    """What is not as it was asked last, without being impossible and saying why. A task that is
    under way is told of after `patience_seconds`; without patience at once, unless its slot tries
    again and again what has failed before, which would go on for ever.
    """
    faults = [*_node_faults(world), *_container_faults(world)]
    for service in world.state.services.values():
        faults.extend(_slot_faults(world, service, patience_seconds))
    faults.extend(f"stack {name} never went" for name in _removing(world))
    return faults


def unfulfilled(world: World, asked: Sequence[object], *, patience_seconds: float = 0) -> list[str]:
    """What is missing of the asked stacks, of which every task is to run in the current revision;
    and what runs besides.
    """
    faults = unsettled(world, patience_seconds=patience_seconds)
    state = world.state
    wanted = {
        service.name: service
        for stack in asked
        if isinstance(stack, specs.StackSpec)
        for service in stack.services
    }
    if set(state.service_ids) != set(wanted):
        return [*faults, f"services are {sorted(state.service_ids)}, asked for {sorted(wanted)}"]
    for name, spec in wanted.items():
        service = state.services[state.service_ids[name]]
        current = [
            task
            for task in state.tasks_of(service.id).values()
            if task.is_wanted and _is_as_it_should_be(service, task)
        ]
        number = len(world.nodes) if spec.mode.is_global else spec.replicas
        if len(current) != number:
            faults.append(f"{name}: {len(current)} of {number} run")
        if any(task.revision != service.revision for task in current):
            faults.append(f"{name}: tasks of an old revision run")
        status = service.update_status
        if status is not None and status.state in (*MOVING, *PAUSED):
            faults.append(f"{name}: its update is {status.state}: {status.message}")
    return faults


def _is_as_it_should_be(service: objects.Service, task: objects.Task) -> bool:
    if service.spec.mode.is_job:
        return task.has_completed
    return task.status.state == TaskState.RUNNING


def left_behind(world: World) -> list[str]:
    """What is left anywhere after the removal of all stacks."""
    state = world.state
    return [
        *(f"stack {name}" for name in state.stacks),
        *(f"service {item.name}" for item in state.services.values()),
        *(f"network {item.name}" for item in state.networks.values()),
        *(f"config {item.name}" for item in state.configs.values()),
        *(f"secret {item.name}" for item in state.secrets.values()),
        *(f"task {task_id}" for task_id in state.tasks),
        *(
            f"container {container.name} on {node.hostname}"
            for node in world.nodes.values()
            for container in node.engine.containers.values()
        ),
        *(
            f"record {key} on {node.hostname}"
            for node in world.nodes.values()
            for key in node.records
        ),
    ]


def _removing(world: World) -> list[str]:
    return [
        *(stack.name for stack in world.state.stacks.values() if stack.removing),
        *(service.name for service in world.state.services.values() if service.removing),
    ]


def _node_faults(world: World) -> list[str]:
    return [
        f"node {node.hostname} is {node.state.value}"
        for node in world.state.nodes.values()
        if node.state != NodeState.READY
    ]


def _container_faults(world: World) -> list[str]:
    """What runs is wanted, and what is said to run does run."""
    faults = []
    for node in world.nodes.values():
        running = {name.rpartition(".")[2] for name in node.running()}
        said = {
            task.id: task
            for task in world.state.tasks_on(node.id).values()
            if task.status.state == TaskState.RUNNING
        }
        for task_id in running:
            task = world.state.tasks.get(task_id)
            if task is None or (task.has_ended and task_id not in said):
                faults.append(f"{node.hostname} runs {task_id}, which nobody wants")
        # A crash of a moment ago may be on its way to the managers.
        faults.extend(
            f"task {task_id} does not run on {node.hostname} although it is said to"
            for task_id, task in said.items()
            if task_id not in running and world.timeline.now - task.status.at > 10
        )
        faults.extend(
            f"task {task.id} was told to stop {world.timeline.now - task.desired_at:.0f} s ago"
            for task in said.values()
            if not task.is_wanted and world.timeline.now - task.desired_at > 40
        )
    return faults


def _slot_faults(world: World, service: objects.Service, patience_seconds: float) -> list[str]:
    slots = {
        key: slot
        for key, slot in slots_of(world.state.tasks_of(service.id).values()).items()
        if slot.is_present
    }
    if service.spec.mode.is_job:
        return _job_faults(world, service, slots, patience_seconds)
    faults = _hold_faults(world, service)
    if service.spec.mode == specs.Mode.REPLICATED:
        if len(slots) != service.spec.replicas:
            faults.append(f"{service.name} has slots {list(slots)} of {service.spec.replicas}")
    else:
        missing = [key for key in _eligible(world, service) if key not in slots]
        faults.extend(f"{service.name} has no task on {key}" for key in missing)
    status = service.update_status
    is_paused = status is not None and status.state in PAUSED
    is_moving = status is not None and status.state in MOVING
    for key, slot in slots.items():
        where = f"{service.name}.{key}"
        now = world.timeline.now
        if not slot.live:
            may_rest = (
                ended_by_itself(slot.latest)
                or service.spec.mode == specs.Mode.GLOBAL
                or _is_given_up(service, slot)
            )
            if not may_rest:
                faults.append(f"{where} is empty after {slot.latest.status.state.name}")
            continue
        newest = slot.live[-1]
        is_old = now - newest.created_at > patience_seconds
        is_excused = service.is_held or (not patience_seconds and _tries_again(slot))
        if newest.status.state < TaskState.ASSIGNED and not service.is_held:
            if not newest.status.error and is_old:
                faults.append(f"{where} waits without a reason")
            elif is_old and _fits_somewhere(world, service, newest):
                faults.append(f"{where} {FITS}: {newest.id}, {newest.status.error}")
        elif newest.status.state < TaskState.RUNNING and is_old and not is_excused:
            faults.append(f"{where} is {newest.status.state.name} for too long")
        elif len(slot.live) > 1 and is_old and newest.status.state == TaskState.RUNNING:
            faults.append(f"{where} has {len(slot.live)} live tasks")
        was_tried = slot.latest.revision == service.revision and ended_by_itself(slot.latest)
        may_be_old = is_paused or is_moving or was_tried or service.is_held
        if newest.revision != service.revision and not may_be_old:
            faults.append(f"{where} has revision {newest.revision} of {service.revision}")
    return faults


def _is_given_up(service: objects.Service, slot: Slot) -> bool:
    """Its task went with its node, and must not run twice."""
    is_orphaned = slot.latest.status.state == TaskState.ORPHANED
    return is_orphaned and not service.spec.task.restart.replaces_lost


def _job_faults(
    world: World,
    service: objects.Service,
    slots: Mapping[SlotKey, Slot],
    patience_seconds: float,
) -> list[str]:
    """A job has ended, runs as many tasks as it may, or says what it waits for."""
    faults = _hold_faults(world, service)
    run = {key: slot for key, slot in slots.items() if slot.of_revision(service.revision)}
    left = frozenset[SlotKey]()  # nodes that the tasks of the run had to leave
    if service.spec.mode.is_global:
        eligible = _eligible(world, service)
        left = frozenset(run.keys() - set(eligible))
        missing = [key for key in eligible if key not in run]
        faults.extend(f"{service.name} has no task on {key}" for key in missing)
    else:
        unbegun = service.spec.replicas - len(run)
        running = sum(1 for slot in run.values() if slot.live)
        limit = service.spec.max_concurrent or service.spec.replicas
        if unbegun < 0:
            faults.append(f"{service.name} has {len(run)} slots of {service.spec.replicas}")
        if unbegun > 0 and running < limit and not _may_try_again(run):
            faults.append(f"{service.name} runs {running} tasks, may run {limit}, lacks {unbegun}")
    for key, slot in run.items():
        where = f"{service.name}.{key}"
        age = world.timeline.now - slot.latest.created_at
        has_ended = any(map(ended_by_itself, slot.of_revision(service.revision)))
        has_ended = has_ended or _is_given_up(service, slot)
        if not slot.live and not has_ended and key not in left:
            faults.append(f"{where} is empty after {slot.latest.status.state.name}")
        if slot.live and slot.live[-1].status.state < TaskState.RUNNING and age > patience_seconds:
            task = slot.live[-1]
            is_explained = bool(task.status.error) and not _fits_somewhere(world, service, task)
            is_excused = service.is_held or (not patience_seconds and _tries_again(slot))
            if not is_excused and not is_explained:
                faults.append(f"{where} is {task.status.state.name} for too long")
    return faults


def _tries_again(slot: Slot) -> bool:
    """True when the newest task follows one of its revision that ended by itself."""
    newest = slot.latest
    return any(
        task is not newest and task.revision == newest.revision and ended_by_itself(task)
        for task in slot.tasks
    )


def _may_try_again(run: Mapping[SlotKey, Slot]) -> bool:
    """True while a slot rests between two tasks."""
    return any(
        not slot.live and slot.latest.status.state > TaskState.COMPLETE for slot in run.values()
    )


def _hold_faults(world: World, service: objects.Service) -> list[str]:
    """Who waits for others says for what, and none of its new tasks has started."""
    if not service.is_held:
        return []
    faults = []
    if not service.held_reason:
        faults.append(f"{service.name} is held and does not say why")
    faults.extend(
        f"task {task.id} of {service.name} started before what it depends on"
        for task in world.state.tasks_of(service.id).values()
        if task.revision == service.revision and task.running_at
    )
    return faults


def _eligible(world: World, service: objects.Service) -> list[str]:
    parsed = [constraints.parse(text) for text in service.spec.task.placement.constraints]
    return [
        node.id
        for node in world.state.nodes.values()
        if node.availability == Availability.ACTIVE
        and all(constraints.is_met(constraint, node) for constraint in parsed)
    ]


def _fits_somewhere(world: World, service: objects.Service, task: objects.Task) -> bool:
    draft = Draft(world.state, index=world.state.index + 1, term=world.state.term)
    if task.status.state < TaskState.PENDING:
        return False
    situation = Situation(draft, now=world.timeline.now)
    placement = situation.placement(
        service,
        task.revision,
        given=task.node_id or task.meant_for,
        home=situation.homes.home(service, task),
    )
    return any(not refusal for refusal in placement.refusals())
