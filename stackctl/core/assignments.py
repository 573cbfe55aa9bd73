"""Assignments: from the state to what one node must run and may know.

Pure and complete: the same state gives the same set, on whichever manager the agent hangs. Tuples
are sorted by their keys (`stackctl.wire.increments`).
"""

from collections.abc import Iterable

from stackctl.core.endpoints import ingress_network_id, is_backend
from stackctl.model import assignment, objects, specs
from stackctl.model.objects import NodeState
from stackctl.model.task_state import TaskState
from stackctl.state.cluster import ClusterState
from stackctl.state.queries import task_name


def assignment_for(state: ClusterState, node_id: str, *, term: int) -> assignment.AssignmentSet:
    """The assignment set of a node at the state's index."""
    node = state.nodes.get(node_id)
    tasks = [
        task for task in state.tasks_on(node_id).values() if task.status.state >= TaskState.ASSIGNED
    ]
    networks = [network for network in state.networks.values() if node_id in network.gateways]
    # A network without a gateway of this node is not here yet, and neither are its names.
    here = {network.id for network in networks}
    attached = {key for task in tasks if not task.has_ended for key in task.addresses} & here
    hostname = node.hostname if node is not None else ""
    return assignment.AssignmentSet(
        node_id=node_id,
        term=term,
        index=state.index,
        tasks=tuple(
            sorted((_task(state, task, hostname) for task in tasks), key=lambda item: item.id)
        ),
        networks=tuple(
            sorted((_network(network, node_id) for network in networks), key=lambda item: item.id)
        ),
        neighbours=_neighbours(state, node_id, networks),
        endpoints=_endpoints(state, attached),
        ingress=_ingress(state),
        configs=_configs(state, tasks),
        secrets=_secrets(state, tasks),
        former_node_ids=node.former_ids if node is not None else (),
    )


def _task(state: ClusterState, task: objects.Task, hostname: str) -> assignment.TaskAssignment:
    service = state.services[task.service_id]
    desired = max(task.desired_state, TaskState.SHUTDOWN) if task.has_ended else task.desired_state
    return assignment.TaskAssignment(
        id=task.id,
        name=task_name(service, task),
        service_id=service.id,
        service_name=service.name,
        slot=task.slot,
        revision=task.revision,
        stack_name=service.stack_name,
        spec=service.task_specs.get(task.revision, service.spec.task),
        labels=service.spec.labels,
        config_ids=service.config_ids.get(task.revision, {}),
        secret_ids=service.secret_ids.get(task.revision, {}),
        desired_state=desired,
        may_stop=task.released or task.has_ended,
        addresses=task.addresses,
        ports=task.host_ports,
        node_hostname=hostname,
        generic_named=task.generic_named,
    )


def _network(network: objects.Network, node_id: str) -> assignment.NetworkAssignment:
    return assignment.NetworkAssignment(
        id=network.id,
        name=network.name,
        vni=network.vni,
        subnet=network.subnet,
        gateway=network.gateways[node_id],
        internal=network.spec.internal,
        labels=network.spec.labels,
        driver_options=network.spec.driver_options,
    )


def _neighbours(
    state: ClusterState, node_id: str, networks: Iterable[objects.Network]
) -> tuple[assignment.Neighbour, ...]:
    found: list[tuple[str, str, str]] = []
    here = {network.id for network in networks}
    data_addresses = {
        node.id: node.description.data_address
        for node in state.nodes.values()
        if node.id != node_id and node.description.data_address and node.state != NodeState.DOWN
    }
    for network_id in here:
        for other_id, gateway in state.networks[network_id].gateways.items():
            if other_id in data_addresses:
                found.append((network_id, gateway, data_addresses[other_id]))
    for other_id, data_address in data_addresses.items():
        for task in state.tasks_on(other_id).values():
            if task.has_ended or task.status.state < TaskState.ASSIGNED:
                continue
            found.extend(
                (network_id, address, data_address)
                for network_id, address in task.addresses.items()
                if network_id in here
            )
    return tuple(
        assignment.Neighbour(network_id=network_id, address=address, data_address=data_address)
        for network_id, address, data_address in sorted(found)
    )


def _endpoints(
    state: ClusterState, network_ids: set[str]
) -> tuple[assignment.EndpointAssignment, ...]:
    found: list[assignment.EndpointAssignment] = []
    for service in state.services.values():
        for attachment in service.spec.task.networks:
            network_id = state.network_ids.get(attachment.network, "")
            if network_id not in network_ids:
                continue
            is_vip = service.spec.endpoint_mode == specs.EndpointMode.VIP
            found.append(
                assignment.EndpointAssignment(
                    service_id=service.id,
                    service_name=service.name,
                    network_id=network_id,
                    names=tuple(dict.fromkeys((service.name, *attachment.aliases))),
                    vip=service.endpoint.vips.get(network_id, "") if is_vip else "",
                    backends=_backends(state, service, network_id),
                )
            )
    return tuple(sorted(found, key=lambda item: (item.service_id, item.network_id)))


def _ingress(state: ClusterState) -> tuple[assignment.IngressAssignment, ...]:
    found: list[assignment.IngressAssignment] = []
    for service in state.services.values():
        network_id = ingress_network_id(state, service)
        if not network_id or service.removing:
            continue
        backends = _backends(state, service, network_id)
        found.extend(
            assignment.IngressAssignment(
                service_id=service.id,
                service_name=service.name,
                network_id=network_id,
                published=port.published,
                target=port.target,
                protocol=port.protocol,
                backends=backends,
            )
            for port in service.endpoint.ports
            if port.mode == specs.PortMode.INGRESS and port.published
        )
    return tuple(sorted(found, key=lambda item: (item.published, item.protocol)))


def _backends(
    state: ClusterState, service: objects.Service, network_id: str
) -> tuple[assignment.Backend, ...]:
    found = [
        assignment.Backend(
            task_id=task.id,
            task_name=task_name(service, task),
            slot=task.slot,
            node_id=task.node_id,
            hostname=_spec_of(service, task).container.hostname,
            address=task.addresses[network_id],
        )
        for task in state.tasks_of(service.id).values()
        if network_id in task.addresses and is_backend(state, task)
    ]
    return tuple(sorted(found, key=lambda item: (item.slot, item.address)))


def _configs(
    state: ClusterState, tasks: Iterable[objects.Task]
) -> tuple[assignment.ConfigAssignment, ...]:
    wanted: set[str] = set()
    for task in tasks:
        if not task.has_ended:
            by_name = state.services[task.service_id].config_ids.get(task.revision, {})
            wanted.update(by_name.values())
    return tuple(
        assignment.ConfigAssignment(
            id=config_id,
            name=state.configs[config_id].name,
            content=state.configs[config_id].spec.content,
        )
        for config_id in sorted(wanted)
        if config_id in state.configs
    )


def _secrets(
    state: ClusterState, tasks: Iterable[objects.Task]
) -> tuple[assignment.SecretAssignment, ...]:
    """Without contents: those are opened when the assignment is sent."""
    wanted: set[str] = set()
    for task in tasks:
        if not task.has_ended:
            by_name = state.services[task.service_id].secret_ids.get(task.revision, {})
            wanted.update(by_name.values())
    return tuple(
        assignment.SecretAssignment(id=secret_id, name=state.secrets[secret_id].name)
        for secret_id in sorted(wanted)
        if secret_id in state.secrets
    )


def _spec_of(service: objects.Service, task: objects.Task) -> specs.TaskSpec:
    return service.task_specs.get(task.revision, service.spec.task)
