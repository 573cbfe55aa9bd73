"""What the changes of a round do to the state. Applying a change never fails: a round is computed
from one state and applied to a later one, so each change is checked again and what no longer fits
is left out.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import admission, moves, revisions
from stackctl.state.changes import (
    AllocateNetwork,
    AllocateTask,
    AssignTask,
    CarryOverTask,
    Change,
    ClearService,
    CreateTask,
    DropConfig,
    DropNetwork,
    DropSecret,
    DropService,
    DropStack,
    DropTask,
    EndTask,
    ExplainTask,
    ForgetRevisions,
    HoldService,
    ReleaseTask,
    RollBackService,
    SetAddressCursor,
    SetDesired,
    SetEndpoint,
    SetGateway,
    SetUpdateStatus,
)
from stackctl.state.cluster import Draft
from stackctl.state.leftovers import (
    is_content_unused,
    is_gone,
    is_network_used,
    is_stack_empty,
)
from stackctl.state.results import Rejection


def apply_changes(draft: Draft, changes: Iterable[Change], *, now: float) -> None:
    """Applies each change that still fits; `now` is the time the round was decided at."""
    for change in changes:
        apply_change(draft, change, now=now)


def apply_change(draft: Draft, change: Change, *, now: float) -> None:
    """Applies one change if it still fits the draft."""
    match change:
        case (
            SetDesired()
            | AllocateTask()
            | AssignTask()
            | ExplainTask()
            | CarryOverTask()
            | ReleaseTask()
            | EndTask()
        ):
            task = draft.task(change.task_id)
            if task is not None:
                _change_task(draft, task, change, now=now)
        case CreateTask():
            _create_task(draft, change, now=now)
        case moves.MoveTask() | moves.EndMove() | moves.EndRebalancing():
            moves.apply(draft, change, now=now)
        case DropTask():
            task = draft.task(change.task_id)
            if task is not None and is_gone(draft, task):
                draft.drop_task(change.task_id)
        case AllocateNetwork() | SetAddressCursor() | SetGateway() | DropNetwork():
            network = draft.networks.get(change.network_id)
            if network is not None:
                _change_network(draft, network, change)
        case DropConfig():
            config = draft.configs.get(change.config_id)
            if config is not None and is_content_unused(draft, config):
                draft.drop_config(config.id)
        case DropSecret():
            secret = draft.secrets.get(change.secret_id)
            if secret is not None and is_content_unused(draft, secret):
                draft.drop_secret(secret.id)
        case DropStack():
            stack = draft.stacks.get(change.name)
            if stack is not None and stack.removing and is_stack_empty(draft, stack.name):
                draft.drop_stack(stack.name)
        case _:
            service = draft.services.get(change.service_id)
            if service is not None:
                _change_service(draft, service, change, now=now)


def _create_task(draft: Draft, change: CreateTask, *, now: float) -> None:
    service = draft.services.get(change.service_id)
    if service is None or service.removing or draft.task(change.task_id) is not None:
        return
    if change.revision not in service.task_specs:
        return
    if change.node_id and change.node_id not in draft.nodes:
        return
    desired_state = change.desired_state
    if service.holds(change.revision) and desired_state <= TaskState.COMPLETE:
        desired_state = min(desired_state, TaskState.READY)
    draft.put_task(
        objects.Task(
            id=change.task_id,
            service_id=change.service_id,
            slot=change.slot,
            revision=change.revision,
            desired_state=desired_state,
            desired_at=now,
            desired_version=draft.index,
            status=objects.TaskStatus(at=now, message="created"),
            node_id=change.node_id,
            created_at=now,
            start_after=change.start_after,
            restarts=change.restarts,
            cause=change.cause,
            created_version=draft.index,
        )
    )


def _change_task(
    draft: Draft,
    task: objects.Task,
    change: SetDesired
    | AllocateTask
    | AssignTask
    | ExplainTask
    | CarryOverTask
    | ReleaseTask
    | EndTask,
    *,
    now: float,
) -> None:
    status = task.status
    match change:
        case SetDesired():
            service = draft.services[task.service_id]
            starts = TaskState.READY < change.desired_state <= TaskState.COMPLETE
            if starts and service.holds(task.revision):
                return
            if change.desired_state > task.desired_state:
                task = replace(
                    task,
                    desired_state=change.desired_state,
                    desired_at=now,
                    desired_version=draft.index,
                    end_cause=change.cause or task.end_cause,
                )
                draft.put_task(task)
        case AllocateTask():
            if status.state == TaskState.NEW and task.is_wanted:
                pending = objects.TaskStatus(
                    state=TaskState.PENDING, at=now, message="pending task scheduling"
                )
                draft.put_task(replace(task, addresses=change.addresses, status=pending))
        case AssignTask():
            if (
                status.state == TaskState.PENDING
                and task.is_wanted
                and change.node_id in draft.nodes
                and (task.node_id or task.meant_for) in ("", change.node_id)
            ):
                message = "scheduler assigned task to node"
                if task.node_id:
                    message = "scheduler confirmed task can run on preassigned node"
                assigned = objects.TaskStatus(state=TaskState.ASSIGNED, at=now, message=message)
                draft.put_task(
                    replace(
                        task,
                        node_id=change.node_id,
                        host_ports=change.host_ports,
                        generic_named=change.generic_named,
                        status=assigned,
                        version=draft.index,
                    )
                )
        case ExplainTask():
            if status.state < TaskState.ASSIGNED:
                draft.put_task(replace(task, status=replace(status, error=change.error)))
        case CarryOverTask():
            _carry_over(draft, task, change, now=now)
        case ReleaseTask():
            if not task.is_wanted:
                draft.put_task(replace(task, released=True))
        case EndTask():
            _end(draft, task, change, now=now)


def _carry_over(draft: Draft, task: objects.Task, change: CarryOverTask, *, now: float) -> None:
    service = draft.services[task.service_id]
    if service.revision == change.revision and revisions.carries_over(service, task):
        draft.put_task(
            replace(
                task,
                revision=change.revision,
                carried_over_at=now,
                carried_over_version=draft.index,
            )
        )


def _end(draft: Draft, task: objects.Task, change: EndTask, *, now: float) -> None:
    node = draft.nodes.get(task.node_id)
    is_reachable = node is not None and node.state != objects.NodeState.DOWN
    if not task.has_ended and not is_reachable:
        ended = objects.TaskStatus(
            state=change.state, at=now, message=change.error, error=change.error
        )
        draft.put_task(replace(task, status=ended, ended_version=draft.index))


def _change_network(
    draft: Draft,
    network: objects.Network,
    change: AllocateNetwork | SetAddressCursor | SetGateway | DropNetwork,
) -> None:
    match change:
        case AllocateNetwork():
            if network.vni == 0:
                draft.put_network(replace(network, vni=change.vni, subnet=change.subnet))
                if draft.cluster is not None:
                    draft.put_cluster(
                        replace(
                            draft.cluster,
                            vni_next=change.vni_next,
                            subnet_next=change.subnet_next,
                        )
                    )
        case SetAddressCursor():
            draft.put_network(replace(network, address_next=change.address_next), is_quiet=True)
        case SetGateway():
            gateways = {k: v for k, v in network.gateways.items() if k != change.node_id}
            if change.address and change.node_id in draft.nodes:
                gateways[change.node_id] = change.address
            draft.put_network(replace(network, gateways=gateways))
        case DropNetwork():
            if network.removing and not is_network_used(draft, network):
                draft.drop_network(network.id)


def _change_service(
    draft: Draft,
    service: objects.Service,
    change: SetEndpoint
    | SetUpdateStatus
    | RollBackService
    | ClearService
    | HoldService
    | ForgetRevisions
    | DropService,
    *,
    now: float,
) -> None:
    match change:
        case SetEndpoint():
            if not _clashes(draft, service, change.endpoint.ports):
                draft.put_service(replace(service, endpoint=change.endpoint))
        case SetUpdateStatus():
            if service.revision == change.revision:
                draft.put_service(replace(service, update_status=change.status))
        case RollBackService():
            previous = service.previous_spec
            if (
                service.revision == change.revision
                and previous is not None
                and not _clashes(draft, service, previous.ports)
            ):
                draft.put_service(
                    revisions.rolled_back(
                        service,
                        now=now,
                        version=draft.index,
                        message=change.message,
                        swap=False,
                    )
                )
        case ClearService():
            if service.is_held and service.revision == change.revision:
                draft.put_service(revisions.cleared(service))
        case HoldService():
            if service.is_held and service.revision == change.revision:
                draft.put_service(
                    replace(service, held_reason=change.reason, held_for_good=change.for_good)
                )
        case ForgetRevisions():
            gone = set(change.revisions) - {service.revision, service.previous_revision}
            draft.put_service(
                replace(
                    service,
                    task_specs={k: v for k, v in service.task_specs.items() if k not in gone},
                    config_ids={k: v for k, v in service.config_ids.items() if k not in gone},
                    secret_ids={k: v for k, v in service.secret_ids.items() if k not in gone},
                )
            )
        case DropService():
            if service.removing and not draft.tasks_of(service.id):
                draft.drop_service(service.id)


def _clashes(draft: Draft, service: objects.Service, ports: tuple[specs.PortSpec, ...]) -> bool:
    """True when another service publishes one of the ports: a deploy came in between."""
    wanted = (replace(service.spec, ports=ports),)
    try:
        admission.check_ports(wanted, staying=admission.others_of(draft, service))
    except Rejection:
        return not service.removing
    return False
