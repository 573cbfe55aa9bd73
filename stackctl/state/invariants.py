"""Invariants: what is true of every state, whatever was applied, as a list of what is not.

Three kinds. `violations` looks at one state. `regressions` looks at two, one later than the other:
what may never go back or change. `overcommitments` is apart, because a node that describes itself
anew with less memory makes it true without anybody's fault. Tests and the simulation call them
after every entry; a sentence in the list is a bug of ours, never of a user.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import contents
from stackctl.state.cluster import ClusterState


def violations(state: ClusterState) -> list[str]:
    """Everything about the state that must not be, in words."""
    return [
        *_index_faults(state),
        *_reference_faults(state),
        *_task_faults(state),
        *_service_faults(state),
        *_network_faults(state),
        *_address_faults(state),
        *_port_faults(state),
    ]


def regressions(before: ClusterState, after: ClusterState) -> list[str]:
    """Everything that went back or changed between two states though it must not."""
    faults: list[str] = []
    if after.index <= before.index:
        faults.append(f"index went from {before.index} to {after.index}")
    if after.term < before.term:
        faults.append(f"term went from {before.term} to {after.term}")
    for task_id, old in before.tasks.items():
        new = after.tasks.get(task_id)
        if new is None:
            node = before.nodes.get(old.node_id)
            if _occupies(old) and node is not None and node.state == objects.NodeState.READY:
                faults.append(f"task {task_id} was forgotten while it may run")
        elif new is not old:
            faults.extend(_task_regressions(old, new))
    return faults


def overcommitments(state: ClusterState) -> list[str]:
    """Nodes with more reserved than they have, and host ports published twice on one node."""
    faults: list[str] = []
    for node in state.nodes.values():
        live = [task for task in state.tasks_on(node.id).values() if _occupies(task)]
        amounts = [_spec_of(state, task).reservations for task in live]
        for unit in ("nano_cpus", "memory_bytes"):
            reserved = sum(getattr(amount, unit) for amount in amounts)
            free = getattr(node.description, unit)
            if reserved > free and any(getattr(amount, unit) for amount in amounts):
                faults.append(f"node {node.hostname}: {reserved} {unit} reserved of {free}")
        published = Counter(
            (port.published, port.protocol)
            for task in live
            for port in task.host_ports
            if port.published
        )
        faults.extend(
            f"node {node.hostname}: host port {port}/{protocol} is given to {count} tasks"
            for (port, protocol), count in published.items()
            if count > 1
        )
    return faults


def _index_faults(state: ClusterState) -> Iterator[str]:
    by_service: dict[str, dict[str, objects.Task]] = {}
    by_node: dict[str, dict[str, objects.Task]] = {}
    unplaced = set()
    for task in state.tasks.values():
        by_service.setdefault(task.service_id, {})[task.id] = task
        if task.node_id:
            by_node.setdefault(task.node_id, {})[task.id] = task
        if task.is_wanted and task.status.state < TaskState.ASSIGNED:
            unplaced.add(task.id)
    if {key: dict(value) for key, value in state.tasks_by_service.items()} != by_service:
        yield "the index of tasks by service differs from the tasks"
    if {key: dict(value) for key, value in state.tasks_by_node.items()} != by_node:
        yield "the index of tasks by node differs from the tasks"
    if set(state.unplaced) != unplaced:
        yield "the index of tasks without a node differs from the tasks"
    if dict(state.service_ids) != {item.name: key for key, item in state.services.items()}:
        yield "the index of services by name differs from the services"
    if dict(state.network_ids) != {item.name: key for key, item in state.networks.items()}:
        yield "the index of networks by name differs from the networks"
    for name, config_id in state.config_ids.items():
        if config_id not in state.configs or state.configs[config_id].name != name:
            yield f"config {name} means {config_id}, which is not there"
    for name, secret_id in state.secret_ids.items():
        if secret_id not in state.secrets or state.secrets[secret_id].name != name:
            yield f"secret {name} means {secret_id}, which is not there"


def _reference_faults(state: ClusterState) -> Iterator[str]:
    parts: tuple[Iterable[objects.Service | objects.Network | contents.Content], ...] = (
        state.services.values(),
        state.networks.values(),
        state.configs.values(),
        state.secrets.values(),
    )
    for part in parts:
        for item in part:
            if item.stack_name and item.stack_name not in state.stacks:
                yield f"{item.name} belongs to stack {item.stack_name}, which is not there"
            if item.version > state.index:
                yield f"{item.name} has version {item.version} at index {state.index}"
    for service in state.services.values():
        for revision, spec in service.task_specs.items():
            for attachment in spec.networks:
                if attachment.network not in state.network_ids:
                    yield (
                        f"revision {revision} of {service.name} is attached to"
                        f" {attachment.network}, which is not there"
                    )
        for revision, by_name in service.config_ids.items():
            for name, config_id in by_name.items():
                if config_id not in state.configs:
                    yield f"revision {revision} of {service.name} has lost its config {name}"
        for revision, by_name in service.secret_ids.items():
            for name, secret_id in by_name.items():
                if secret_id not in state.secrets:
                    yield f"revision {revision} of {service.name} has lost its secret {name}"
    for secret in state.secrets.values():
        if secret.spec.content:
            yield f"secret {secret.name} is held in clear"


def _task_faults(state: ClusterState) -> Iterator[str]:
    for task in state.tasks.values():
        service = state.services.get(task.service_id)
        if service is None:
            yield f"task {task.id} belongs to service {task.service_id}, which is not there"
            continue
        where = f"task {task.id} of {service.name}"
        is_global = service.spec.mode.is_global
        if task.revision not in service.task_specs:
            yield f"{where} has revision {task.revision}, of which the spec is lost"
        if is_global != (task.slot == 0) or task.slot < 0:
            yield f"{where} has slot {task.slot}"
        is_assigned = task.status.state >= TaskState.ASSIGNED
        if is_assigned and not task.node_id:
            yield f"{where} is {task.status.state.name} without a node"
        if not is_assigned and task.node_id and not is_global:
            yield f"{where} is {task.status.state.name} and has a node"
        if task.node_id and task.node_id not in state.nodes and not task.has_ended:
            yield f"{where} is on node {task.node_id}, which is not there"
        if task.released and task.is_wanted:
            yield f"{where} is wanted, yet released"
        is_to_start = TaskState.READY < task.desired_state <= TaskState.COMPLETE
        if service.holds(task.revision) and (is_to_start or task.running_at):
            yield f"{where} starts before what its service depends on"
        if task.restarts < 0:
            yield f"{where} was restarted {task.restarts} times"
        # What has started may stay for a while: until what depends on it has ended, and a round.
        has_started = task.status.state >= TaskState.STARTING
        if service.removing and task.desired_state < TaskState.REMOVE and not has_started:
            yield f"{where} stays although its service is removed"


def _service_faults(state: ClusterState) -> Iterator[str]:
    for service in state.services.values():
        if service.revision not in service.task_specs:
            yield f"{service.name}: the spec of its revision {service.revision} is lost"
        elif service.task_specs[service.revision] != service.spec.task:
            yield f"{service.name}: its revision {service.revision} is not its spec"
        if service.spec.mode.is_job and service.update_status is not None:
            yield f"{service.name}: a job is in a rolling update"
        if service.cleared_revision > service.revision_last:
            yield f"{service.name}: revision {service.cleared_revision} may start and is not there"
        if (service.held_reason or service.held_for_good) and not service.is_held:
            yield f"{service.name} may start, yet it says that it is {service.held_reason}"
        if service.previous_spec is not None:
            if service.previous_revision not in service.task_specs:
                yield f"{service.name}: previous revision {service.previous_revision} is lost"
        elif service.previous_revision:
            yield f"{service.name}: a previous revision without a previous spec"
        if service.revision_last < max(service.task_specs, default=0):
            yield f"{service.name}: its last revision is not the last"
        stack = state.stacks.get(service.stack_name)
        if stack is not None and stack.removing and not service.removing:
            yield f"{service.name} stays although its stack is removed"


def _network_faults(state: ClusterState) -> Iterator[str]:
    allocated = [network for network in state.networks.values() if network.vni]
    vnis = Counter(network.vni for network in allocated)
    for vni, count in vnis.items():
        if count > 1:
            yield f"VNI {vni} is given to {count} networks"
    pieces = sorted(
        (IPv4Network(network.subnet), network.name) for network in allocated if network.subnet
    )
    for (lower, lower_name), (upper, upper_name) in itertools.pairwise(pieces):
        if lower.overlaps(upper):
            yield f"subnets of {lower_name} and {upper_name} overlap"
    for network in allocated:
        if not network.subnet:
            yield f"network {network.name} has a VNI and no subnet"


def _address_faults(state: ClusterState) -> Iterator[str]:
    holders: dict[tuple[str, str], list[str]] = {}
    for network in state.networks.values():
        for node_id, address in network.gateways.items():
            holders.setdefault((network.id, address), []).append(f"the gateway of {node_id}")
    for service in state.services.values():
        for network_id, vip in service.endpoint.vips.items():
            holders.setdefault((network_id, vip), []).append(f"service {service.name}")
    for task in state.tasks.values():
        if not task.has_ended:
            for network_id, address in task.addresses.items():
                holders.setdefault((network_id, address), []).append(f"task {task.id}")
    for (network_id, address), names in holders.items():
        found = state.networks.get(network_id)
        if len(names) > 1:
            yield f"{address} is used twice: {', '.join(sorted(names))}"
        if found is None:
            if any(name.startswith("task") for name in names):
                yield f"{names[0]} has an address on network {network_id}, which is not there"
        elif not _is_usable(found.subnet, address):
            yield f"{names[0]} has {address}, which is no address of {found.name}"


@functools.lru_cache(maxsize=4096)  # the same addresses are looked at after every entry
def _is_usable(subnet: str, address: str) -> bool:
    if not subnet:
        return False
    network, parsed = IPv4Network(subnet), IPv4Address(address)
    return parsed in network and parsed not in (network.network_address, network.broadcast_address)


def _port_faults(state: ClusterState) -> Iterator[str]:
    holders: dict[tuple[int, str], list[tuple[str, specs.PortMode]]] = {}
    for service in state.services.values():
        if service.removing:
            continue
        wanted = {
            (port.published, port.protocol, port.mode)
            for port in (*service.endpoint.ports, *service.spec.ports)
            if port.published
        }
        for published, protocol, mode in wanted:
            holders.setdefault((published, protocol), []).append((service.name, mode))
    for (published, protocol), found in holders.items():
        names = sorted({name for name, _ in found})
        if len(names) > 1 and any(mode == specs.PortMode.INGRESS for _, mode in found):
            yield f"port {published}/{protocol} is published by {' and '.join(names)}"


def _task_regressions(old: objects.Task, new: objects.Task) -> Iterator[str]:
    where = f"task {old.id}"
    if new.status.state < old.status.state:
        yield f"{where} went from {old.status.state.name} to {new.status.state.name}"
    if old.has_ended and new.status.state != old.status.state:
        yield f"{where} ended as {old.status.state.name}, then as {new.status.state.name}"
    if new.desired_state < old.desired_state:
        yield f"{where}: desired {old.desired_state.name}, then {new.desired_state.name}"
    if old.released and not new.released:
        yield f"{where} was released and is no longer"
    fixed = ("service_id", "slot", "created_at", "created_version", "cause")
    for field in fixed:
        if getattr(old, field) != getattr(new, field):
            yield f"{where}: its {field} changed"
    if old.revision != new.revision and new.carried_over_version <= old.carried_over_version:
        yield f"{where}: its revision changed, and nobody carried it over"
    if old.node_id and new.node_id != old.node_id:
        yield f"{where} moved from {old.node_id} to {new.node_id}"
    if old.addresses and new.addresses != old.addresses:
        yield f"{where}: its addresses changed"


def _occupies(task: objects.Task) -> bool:
    return task.status.state >= TaskState.ASSIGNED and not task.has_ended


def _spec_of(state: ClusterState, task: objects.Task) -> specs.TaskSpec:
    service = state.services[task.service_id]
    return service.task_specs.get(task.revision, service.spec.task)
