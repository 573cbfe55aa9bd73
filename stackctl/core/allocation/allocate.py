"""The allocation loop of a round: networks, endpoints of services, tasks, gateways of nodes.

What cannot be had is said on the task that waits for it, in counts (Swarm leaves such tasks in NEW
with the reason in a log file).
"""

from collections.abc import Iterable, Mapping

from stackctl.core.allocation import subnets
from stackctl.core.allocation.addresses import AddressPools
from stackctl.core.allocation.ports import settle_ports
from stackctl.core.decisions import Decisions
from stackctl.core.rest import Rest, networks_needed
from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state.changes import AllocateTask, ExplainTask, SetEndpoint, SetGateway


def allocate(decisions: Decisions, services: Iterable[objects.Service]) -> None:
    """Allocates for the given services and for every task that is still NEW."""
    pools = AddressPools(decisions)
    refusals: dict[str, str] = {}
    for service in services:
        if not service.removing:
            _allocate_networks(decisions, service.spec.task, refusals)
            _settle_endpoint(decisions, service, pools)
    for task in _new_tasks(decisions):
        _allocate_task(decisions, task, pools, refusals)
    pools.store_cursors()


def _new_tasks(decisions: Decisions) -> list[objects.Task]:
    found = (decisions.draft.task(task_id) for task_id in decisions.draft.unplaced())
    return sorted(
        (task for task in found if task is not None and task.status.state == TaskState.NEW),
        key=lambda task: (task.created_version, task.service_id, task.slot, task.id),
    )


def allocate_gateways(decisions: Decisions, rest: Rest) -> Rest:
    """Gives each node its own address on the networks it needs, and takes the others back.

    A node needs a network when a task on it is attached, or when the network carries ingress
    traffic, which any node may receive. Returns what there is to remember of it.
    """
    pools = AddressPools(decisions)
    needed, rest = networks_needed(decisions, rest)
    for network in sorted(decisions.draft.networks.values(), key=lambda item: item.name):
        if not network.subnet:
            continue
        nodes = needed.get(network.id, set())
        for node_id in sorted(nodes - set(network.gateways)):
            address = pools.of(network).take()
            if address is not None:
                decisions.do(SetGateway(network_id=network.id, node_id=node_id, address=address))
        for node_id in sorted(set(network.gateways) - nodes):
            decisions.do(SetGateway(network_id=network.id, node_id=node_id, address=""))
    pools.store_cursors()
    return rest


def networks_of(decisions: Decisions, spec: specs.TaskSpec) -> list[objects.Network]:
    """The networks that tasks of the spec are attached to, in the spec's order."""
    draft = decisions.draft
    found = []
    for attachment in spec.networks:
        network_id = draft.network_ids.get(attachment.network)
        if network_id is not None:
            found.append(draft.networks[network_id])
    return found


def _allocate_networks(
    decisions: Decisions, spec: specs.TaskSpec, refusals: dict[str, str]
) -> None:
    """Gives the spec's networks what they lack; `refusals` remembers by network id why not."""
    for network in networks_of(decisions, spec):
        if not network.vni and network.id not in refusals:
            refusal = subnets.allocate_network(decisions, network)
            if refusal:
                refusals[network.id] = refusal


def _settle_endpoint(decisions: Decisions, service: objects.Service, pools: AddressPools) -> None:
    """VIPs and ports. While a VIP cannot be had, the service's tasks wait for it and say so."""
    vips: dict[str, str] = {}
    if service.spec.endpoint_mode == specs.EndpointMode.VIP:
        for network in networks_of(decisions, service.spec.task):
            held = service.endpoint.vips.get(network.id)
            vip = held
            if not vip and network.subnet and pools.of(network).has_room_for_vip:
                vip = pools.of(network).take()
            if vip:
                vips[network.id] = vip
    ports = settle_ports(decisions.draft, service)
    endpoint = objects.Endpoint(vips=vips, ports=ports)
    if endpoint != service.endpoint:
        decisions.do(SetEndpoint(service_id=service.id, endpoint=endpoint))


def _allocate_task(
    decisions: Decisions, task: objects.Task, pools: AddressPools, refusals: dict[str, str]
) -> None:
    service = decisions.draft.services[task.service_id]
    spec = service.task_specs.get(task.revision, service.spec.task)
    _allocate_networks(decisions, spec, refusals)
    networks = networks_of(decisions, spec)
    if _lacks_vip(service, networks):
        _settle_endpoint(decisions, service, pools)
        service = decisions.draft.services[task.service_id]
    reason = _obstacle(service, networks, pools, refusals)
    if reason:
        if task.status.error != reason:
            decisions.do(ExplainTask(task_id=task.id, error=reason))
        return
    addresses = {
        network.id: address
        for network in networks
        if (address := pools.of(network).take_for_task())
    }
    decisions.do(AllocateTask(task_id=task.id, addresses=addresses))


def _lacks_vip(service: objects.Service, networks: Iterable[objects.Network]) -> bool:
    """True when the service should have a virtual IP on one of the networks and has none."""
    if service.spec.endpoint_mode != specs.EndpointMode.VIP:
        return False
    attached = {attachment.network for attachment in service.spec.task.networks}
    return any(
        network.name in attached and network.id not in service.endpoint.vips for network in networks
    )


def _obstacle(
    service: objects.Service,
    networks: Iterable[objects.Network],
    pools: AddressPools,
    refusals: Mapping[str, str],
) -> str:
    """Why a task cannot have an address on each of the networks, or ""."""
    for network in networks:
        if network.id in refusals:
            return refusals[network.id]
        if not pools.of(network).has_room_for_task or _lacks_vip(service, [network]):
            return pools.of(network).describe_full()
    return ""
