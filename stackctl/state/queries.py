"""Queries: views of the state for people and programs; times are the state's own."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from stackctl.errors import UnknownName
from stackctl.model import constraints, objects, specs
from stackctl.model.objects import Availability, NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import ClusterState
from stackctl.state.nodes import find_node_or_heir
from stackctl.wire import api

T = TypeVar("T")


def find_node(state: ClusterState, reference: str) -> objects.Node:
    """The node with that id, host name or unique id prefix. Raises UnknownName."""
    node = state.nodes.get(reference)
    if node is not None:
        return node
    named = [node for node in state.nodes.values() if node.hostname == reference]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        live = [node for node in named if node.state == NodeState.READY]
        if len(live) == 1:
            return live[0]
    known = [node.hostname for node in state.nodes.values()]
    return _by_prefix(state.nodes, reference, kind="node", known=known)


def find_service(state: ClusterState, reference: str) -> objects.Service:
    """The service with that id, full name or unique id prefix. Raises UnknownName."""
    service_id = state.service_ids.get(reference, reference)
    service = state.services.get(service_id)
    if service is not None:
        return service
    return _by_prefix(state.services, reference, kind="service", known=state.service_ids)


def find_task(state: ClusterState, reference: str) -> objects.Task:
    """The task with that id, name (`shop_web.2`: the newest there) or unique id prefix. Raises
    UnknownName.
    """
    task = state.tasks.get(reference)
    if task is not None:
        return task
    name, _, place = reference.rpartition(".")
    service_id = state.service_ids.get(name, "")
    named = [
        task
        for task in state.tasks_of(service_id).values()
        if place == str(task.slot or task.node_id)
        or (not task.slot and _hostname(state, task.node_id) == place)
    ]
    if named:
        return max(named, key=lambda task: (not task.has_ended, task.created_version, task.id))
    known = [task_name(state.services[task.service_id], task) for task in state.tasks.values()]
    return _by_prefix(state.tasks, reference, kind="task", known=sorted(set(known)))


def _hostname(state: ClusterState, node_id: str) -> str:
    node = state.nodes.get(node_id)
    return node.hostname if node is not None else ""


def find_stack(state: ClusterState, name: str) -> objects.Stack:
    """The stack of that name. Raises UnknownName."""
    stack = state.stacks.get(name)
    if stack is None:
        raise UnknownName("stack", name, known=state.stacks)
    return stack


def list_stacks(state: ClusterState) -> list[api.StackView]:
    """All stacks."""
    counts: dict[str, int] = {}
    for service in state.services.values():
        counts[service.stack_name] = counts.get(service.stack_name, 0) + 1
    return [
        api.StackView(
            name=stack.name,
            services=counts.get(stack.name, 0),
            revision=stack.revision,
            created_at=stack.created_at,
            updated_at=stack.updated_at,
            removing=stack.removing,
        )
        for stack in state.stacks.values()
    ]


def list_revisions(stack: objects.Stack) -> list[api.StackRevisionView]:
    """The revisions of a stack that it can return to, the newest first."""
    return [
        api.StackRevisionView(
            number=revision.number,
            at=revision.at,
            cause=revision.cause,
            is_current=revision.number == stack.revision,
            services={spec.name: spec.task.container.image for spec in revision.services},
        )
        for revision in reversed(stack.revisions)
    ]


def list_services(state: ClusterState, *, stack: str = "") -> list[api.ServiceView]:
    """Services, of one stack or all."""
    return [
        service_view(state, service)
        for service in state.services.values()
        if not stack or service.stack_name == stack
    ]


def list_networks(state: ClusterState, *, stack: str = "") -> list[api.NetworkView]:
    """Networks, of one stack or all."""
    return [
        api.NetworkView(
            id=network.id,
            name=network.name,
            stack=network.stack_name,
            subnet=network.subnet,
            vni=network.vni,
            removing=network.removing,
        )
        for network in state.networks.values()
        if not stack or network.stack_name == stack
    ]


def list_tasks(
    state: ClusterState, *, service: str = "", stack: str = "", node: str = ""
) -> list[api.TaskView]:
    """Tasks, history included; within a name those that have not ended come first, and the newest
    of them: a failed attempt to replace a task that goes on is history (Swarm shows it on top).
    Raises UnknownName.
    """
    service_id = find_service(state, service).id if service else ""
    node_id = find_node(state, node).id if node else ""
    wanted = _narrowest(state, service_id, node_id)
    tasks = [
        task
        for task in wanted
        if (not stack or state.services[task.service_id].stack_name == stack)
        and node_id in ("", task.node_id)
    ]
    tasks.sort(key=lambda task: (_is_past(task), -task.created_version, -task.created_at, task.id))
    return sorted((task_view(state, task) for task in tasks), key=lambda view: view.name)


def _is_past(task: objects.Task) -> bool:
    return task.has_ended or not task.is_wanted


def _narrowest(state: ClusterState, service_id: str, node_id: str) -> Iterable[objects.Task]:
    if service_id:
        return state.tasks_of(service_id).values()
    if node_id:
        return state.tasks_on(node_id).values()
    return state.tasks.values()


def list_nodes(
    state: ClusterState, *, manager_status: Mapping[str, str], self_id: str
) -> list[api.NodeView]:
    """All nodes; `manager_status` is what the managers know of each other, by node id."""
    return [
        node_view(state, node, manager_status=manager_status, self_id=self_id)
        for node in state.nodes.values()
    ]


def task_name(service: objects.Service, task: objects.Task) -> str:
    """`service.slot`, and `service.NODE_ID` for a global service."""
    return f"{service.name}.{task.slot or task.node_id}"


def service_view(state: ClusterState, service: objects.Service) -> api.ServiceView:
    """One service."""
    spec = service.spec
    tasks = [task for task in state.tasks_of(service.id).values() if task.is_wanted]
    running = sum(
        1
        for task in tasks
        if task.status.state == TaskState.RUNNING and _is_reachable(state, task.node_id)
    )
    status = service.update_status
    is_job = spec.mode.is_job
    return api.ServiceView(
        id=service.id,
        name=service.name,
        stack=service.stack_name,
        mode=spec.mode.value,
        running=running,
        desired=_desired(state, spec),
        completed=_completed(state, service) if is_job else 0,
        completions=_slots_asked(state, spec) if is_job else 0,
        waiting_for=service.held_reason,
        is_blocked=service.held_for_good,
        restarts=sum(task.restarts for task in tasks if not task.has_ended),
        image=spec.task.container.image,
        replicas_per_node_max=spec.task.placement.replicas_per_node_max,
        ports=_ports(service.endpoint.ports or spec.ports),
        labels=spec.labels,
        update=None
        if status is None
        else api.UpdateView(
            state=status.state.value,
            message=service.held_reason or status.message,
            started_at=status.started_at,
            completed_at=status.completed_at,
        ),
        removing=service.removing,
        revision=service.revision,
        created_at=service.created_at,
        updated_at=service.updated_at,
        version=service.version,
    )


def service_detail(state: ClusterState, service: objects.Service) -> api.ServiceDetail:
    """One service whole."""
    return api.ServiceDetail(
        service=service_view(state, service),
        spec=service.spec,
        previous_spec=service.previous_spec,
        endpoint=service.endpoint,
    )


def task_view(state: ClusterState, task: objects.Task) -> api.TaskView:
    """One task."""
    service = state.services[task.service_id]
    spec = service.task_specs.get(task.revision, service.spec.task)
    node = find_node_or_heir(state.nodes, task.node_id)
    return api.TaskView(
        id=task.id,
        name=task_name(service, task),
        service_id=service.id,
        service=service.name,
        stack=service.stack_name,
        slot=task.slot,
        image=spec.container.image,
        node_id=task.node_id,
        node=node.hostname if node is not None else "",
        node_state=node.state.value if node is not None else "",
        desired_state=task.desired_state.name.lower(),
        state=task.status.state.name.lower(),
        state_at=task.status.at,
        message=task.status.message,
        error=task.status.error or _what_holds(service, task),
        cause=task.cause,
        end_cause=task.end_cause,
        created_at=task.created_at,
        is_current=task.is_wanted and not task.has_ended,
        restarts=task.restarts,
        revision=task.revision,
        container_id=task.status.container_id,
        exit_code=task.status.exit_code,
        ports=_ports(task.host_ports),
        addresses={
            state.networks[network_id].name: address
            for network_id, address in task.addresses.items()
            if network_id in state.networks
        },
    )


def node_view(
    state: ClusterState, node: objects.Node, *, manager_status: Mapping[str, str], self_id: str
) -> api.NodeView:
    """One node."""
    live = [task for task in state.tasks_on(node.id).values() if not task.has_ended]
    reserved = [reservations(state, task) for task in live]
    description = node.description
    return api.NodeView(
        id=node.id,
        hostname=node.hostname,
        role=node.role.value,
        availability=node.availability.value,
        state=node.state.value,
        state_message=node.state_message,
        state_at=node.state_at,
        manager_status=manager_status.get(node.id, ""),
        is_self=node.id == self_id,
        engine_version=description.engine_version,
        address=description.data_address,
        nano_cpus=description.nano_cpus,
        memory_bytes=description.memory_bytes,
        reserved_nano_cpus=sum(amount.nano_cpus for amount in reserved),
        reserved_memory_bytes=sum(amount.memory_bytes for amount in reserved),
        tasks_running=sum(1 for task in live if task.status.state == TaskState.RUNNING),
        labels=node.labels,
        engine_labels=description.engine_labels,
        os=description.os,
        arch=description.arch,
        created_at=node.created_at,
        version=node.version,
    )


def reservations(state: ClusterState, task: objects.Task) -> specs.Resources:
    """What a task reserves on its node."""
    service = state.services[task.service_id]
    return service.task_specs.get(task.revision, service.spec.task).reservations


def _what_holds(service: objects.Service, task: objects.Task) -> str:
    """What a task waits for that could start but for another service."""
    may_start = task.is_wanted and task.status.state < TaskState.STARTING
    return service.held_reason if may_start and task.revision == service.revision else ""


def _completed(state: ClusterState, service: objects.Service) -> int:
    return len(
        {
            task.slot or task.node_id
            for task in state.tasks_of(service.id).values()
            if task.revision == service.revision
            and task.has_completed
            and task.desired_state < TaskState.REMOVE
        }
    )


def _desired(state: ClusterState, spec: specs.ServiceSpec) -> int:
    """How many tasks run when all is well; of a job, while it is under way."""
    asked = _slots_asked(state, spec)
    return min(spec.max_concurrent or asked, asked) if spec.mode.is_job else asked


def _slots_asked(state: ClusterState, spec: specs.ServiceSpec) -> int:
    if not spec.mode.is_global:
        return spec.replicas
    parsed = [constraints.parse(text) for text in spec.task.placement.constraints]
    return sum(
        1
        for node in state.nodes.values()
        if node.state != NodeState.DOWN
        and node.session_manager_id
        and node.availability == Availability.ACTIVE
        and all(constraints.is_met(constraint, node) for constraint in parsed)
    )


def _is_reachable(state: ClusterState, node_id: str) -> bool:
    node = state.nodes.get(node_id)
    return node is not None and node.state != NodeState.DOWN


def _ports(ports: tuple[specs.PortSpec, ...]) -> tuple[api.PortView, ...]:
    return tuple(
        api.PortView(
            published=port.published,
            target=port.target,
            protocol=port.protocol,
            mode=port.mode.value,
        )
        for port in ports
    )


def _by_prefix(values: Mapping[str, T], reference: str, *, kind: str, known: Iterable[str]) -> T:
    found = [value for key, value in values.items() if reference and key.startswith(reference)]
    if len(found) == 1:
        return found[0]
    raise UnknownName(kind, reference, known=known)
