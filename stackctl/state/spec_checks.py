"""Checks of one stack by itself: whatever decisions rely on is refused here in words, or holds.

The compose reader finds most of this earlier, with file and line. The API also takes specs from
programs, and one bad value that reached the state would stop every round of every leader.
"""

import math
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from stackctl.model import constraints, specs
from stackctl.state.results import Rejection

REPLICAS_MAX = 100_000  # one mistyped number must not fill the log and the memory of all managers
PROTOCOLS = ("tcp", "udp", "sctp")
PORT_LAST = 65535
# What managers and overlay listen on; the mesh would take these over on every node.
OWN_PORTS = {
    (2477, "tcp"): "the managers' API",
    (2478, "tcp"): "the managers' agreement",
    (4789, "udp"): "the overlay",
}
SUBNET_PREFIX_MAX = 29  # smaller ones have no room for a gateway on each node beside tasks


def check_spec(spec: specs.StackSpec) -> None:
    """Raises Rejection for the first thing in the stack that cannot be carried out."""
    _check_unique("service", (service.name for service in spec.services))
    _check_unique("network", (network.name for network in spec.networks))
    _check_unique("config", (config.name for config in spec.configs))
    _check_unique("secret", (secret.name for secret in spec.secrets))
    for network in spec.networks:
        _check_subnet(network)
        _check_encryption(network)
    for service in spec.services:
        _check_service(service)
    _check_order(spec)


def check_replicas(service_name: str, replicas: int) -> None:
    """Raises Rejection for a number of replicas that no cluster can have."""
    if replicas < 0:
        raise _refused(service_name, "replicas must not be negative")
    if replicas > REPLICAS_MAX:
        raise _refused(service_name, f"{replicas} replicas; the most is {REPLICAS_MAX}")


def _check_unique(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise Rejection("input", f"a {kind} without a name", exit_code=2)
        if name in seen:
            raise Rejection("input", f"{kind} {name} is defined twice", exit_code=2)
        seen.add(name)


def _check_subnet(network: specs.NetworkSpec) -> None:
    if not network.subnet:
        if network.ip_range or network.reserved_addresses:
            raise Rejection(
                "input",
                f"network {network.name}: a range and reserved addresses need a subnet",
                exit_code=2,
            )
        return
    try:
        subnet = IPv4Network(network.subnet)
    except ValueError as error:
        raise Rejection("input", f"network {network.name}: {error}", exit_code=2) from error
    if subnet.prefixlen > SUBNET_PREFIX_MAX:
        raise Rejection(
            "input",
            f"network {network.name}: subnet {subnet} is too small",
            hint=f"use a prefix of at most /{SUBNET_PREFIX_MAX}",
            exit_code=2,
        )
    try:
        ip_range = IPv4Network(network.ip_range or network.subnet)
        reserved = [IPv4Address(address) for address in network.reserved_addresses]
    except ValueError as error:
        raise Rejection("input", f"network {network.name}: {error}", exit_code=2) from error
    if not ip_range.subnet_of(subnet) or any(address not in subnet for address in reserved):
        raise Rejection(
            "input",
            f"network {network.name}: its range and reserved addresses must be in {subnet}",
            exit_code=2,
        )


def _check_encryption(network: specs.NetworkSpec) -> None:
    """Traffic that was to be encrypted must never travel in clear."""
    if network.driver_options.get("encrypted", "false").lower() not in {"false", "0"}:
        raise Rejection(
            "input",
            f"network {network.name}: encrypted overlays are not supported yet",
            hint="remove the driver option, or keep this traffic on one node",
            exit_code=2,
        )


def _check_service(service: specs.ServiceSpec) -> None:
    check_replicas(service.name, service.replicas)
    if service.max_concurrent < 0:
        raise _refused(service.name, "the number of concurrent tasks must not be negative")
    _check_attachments(service)
    _check_contents(service)
    _check_placement(service)
    _check_policies(service)
    _check_amounts(service)
    _check_ports(service)


def _check_attachments(service: specs.ServiceSpec) -> None:
    attached: set[str] = set()
    for attachment in service.task.networks:
        if attachment.network in attached:
            raise _refused(service.name, f"is attached to network {attachment.network} twice")
        attached.add(attachment.network)


def _check_contents(service: specs.ServiceSpec) -> None:
    container = service.task.container
    targets: set[str] = set()
    for reference in (*container.configs, *container.secrets):
        if reference.target in targets:
            raise _refused(service.name, f"mounts two files at {reference.target}")
        targets.add(reference.target)


def _check_order(stack: specs.StackSpec) -> None:
    """Services that wait for each other, or for one that is not there, would never start."""
    waits_for = {service.name: service.depends_on for service in stack.services}
    for service in stack.services:
        for dependency in service.depends_on:
            if dependency.required and dependency.service not in waits_for:
                raise _refused(
                    service.name, f"depends on the undefined service {dependency.service}"
                )
    settled: set[str] = set()
    while len(settled) < len(waits_for):
        free = {
            name
            for name, dependencies in waits_for.items()
            if name not in settled
            and all(
                item.service in settled or item.service not in waits_for for item in dependencies
            )
        }
        if not free:
            names = ", ".join(sorted(set(waits_for) - settled))
            raise Rejection(
                "input", f"services depend on each other in a circle: {names}", exit_code=2
            )
        settled |= free


def _check_placement(service: specs.ServiceSpec) -> None:
    placement = service.task.placement
    for text in (*placement.constraints, *placement.prefer):
        try:
            constraints.parse(text)
        except ValueError as error:
            raise _refused(service.name, str(error)) from error
    for key in placement.spread:
        if key not in constraints.KEYS and not key.startswith(constraints.LABEL_PREFIXES):
            raise _refused(service.name, f"tasks cannot be spread over {key!r}")
    for name in (*placement.exclude_services, *placement.avoid_services):
        if name == service.name:
            raise _refused(
                service.name,
                "it cannot be kept apart from itself",
                hint="limit its tasks on one node: max_replicas_per_node",
            )
    if placement.replicas_per_node_max < 0:
        raise _refused(service.name, "the maximum of replicas per node must not be negative")


def _check_policies(service: specs.ServiceSpec) -> None:
    restart = service.task.restart
    counts = {"restart attempts": restart.attempts_max}
    times = {
        "restart delay": restart.delay_seconds or 0,
        "restart window": restart.window_seconds,
    }
    for word, policy in (("update", service.update), ("rollback", service.rollback)):
        counts[f"{word} parallelism"] = policy.parallelism
        times[f"{word} delay"] = policy.delay_seconds
        times[f"{word} monitor"] = policy.monitor_seconds
        if not 0 <= policy.max_failure_ratio <= 1:
            raise _refused(service.name, f"the {word} failure ratio must be between 0 and 1")
    for name, value in (counts | times).items():
        if not 0 <= value < math.inf:
            raise _refused(service.name, f"the {name} must be a number from 0 on")


def _check_amounts(service: specs.ServiceSpec) -> None:
    for word, amount in (
        ("limit", service.task.limits),
        ("reservation", service.task.reservations),
    ):
        numbers = (amount.nano_cpus, amount.memory_bytes, amount.pids, *amount.generic.values())
        if min(numbers) < 0:
            raise _refused(service.name, f"a {word} must not be negative")


def _check_ports(service: specs.ServiceSpec) -> None:
    for port in service.ports:
        if port.protocol not in PROTOCOLS:
            raise _refused(service.name, f"no protocol {port.protocol!r} for published ports")
        if not 1 <= port.target <= PORT_LAST or not 0 <= port.published <= PORT_LAST:
            raise _refused(
                service.name, f"no port {port.published}:{port.target}; ports end at {PORT_LAST}"
            )
        owner = OWN_PORTS.get((port.published, port.protocol))
        if owner is not None:
            raise _refused(
                service.name,
                f"port {port.published}/{port.protocol} belongs to {owner} on every node",
                hint="publish another port",
            )
    if not any(port.mode == specs.PortMode.INGRESS for port in service.ports):
        return
    if service.endpoint_mode == specs.EndpointMode.DNSRR:
        raise _refused(
            service.name,
            "a port published on every node needs endpoint mode vip, not dnsrr",
            hint="publish it with mode: host, or drop the endpoint mode",
        )


def _refused(service_name: str, reason: str, *, hint: str = "") -> Rejection:
    return Rejection("input", f"service {service_name}: {reason}", hint=hint, exit_code=2)
