"""The names of the cluster as one node's clients see them, and what is answered to a question.

A zone holds one view per network; a client sees the views of the networks that its task is attached
to, in their order. On each network:

    NAME, for each name of a service   its VIP, or the backends' addresses with endpoint mode dnsrr
    tasks.NAME                         the backends' addresses
    SLOT.NAME, task name, container name (TASK.ID), host name       the address of that one task
    any of these followed by .NETWORK  the same, on that network only

A service's name wins over a host name that equals it; services that share an alias share its
answer. AAAA and other kinds are answered empty for names that exist, so that nobody asks elsewhere
for them. Reverse names exist for VIPs and tasks; other addresses of our subnets have none.

A VIP only works in a namespace that has its rules. Until a task's namespace has them, the answer is
to be held; clients that are no task of ours (and tasks whose rules do not come) get the backends'
own addresses, which work without rules. A question of a network that the zone does not know yet (an
agent that has just started, a network that has just been made) is held as well: "no such name"
would be believed.
"""

import ipaddress
from collections.abc import Container, Iterable, Mapping

import msgspec

from agent.core import dns_message
from stackctl.model.assignment import AssignmentSet, Backend, EndpointAssignment

TTL_SECONDS = 3


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The addresses of one name: what clients with VIP rules get, and what the others get."""

    addresses: tuple[bytes, ...] = ()
    direct: tuple[bytes, ...] = ()
    has_vip: bool = False


class View(msgspec.Struct, frozen=True):
    """The names of one network."""

    subnet: ipaddress.IPv4Network
    suffix: bytes  # wire name of the network
    names: Mapping[bytes, Answer]
    pointers: Mapping[bytes, bytes]


Zone = Mapping[str, View]


class Client(msgspec.Struct, frozen=True):
    """Who asks: the networks that it is attached to, whether its namespace has the VIP rules, and
    the servers that its service wants for foreign names ((): the node's)."""

    networks: tuple[str, ...]
    has_rules: bool
    is_task: bool = True
    servers: tuple[str, ...] = ()


class Reply(msgspec.Struct, frozen=True):
    """The answer is known."""

    message: bytes


class Hold(msgspec.Struct, frozen=True):
    """The answer contains a VIP that does not work for this client yet, or is not known yet;
    `otherwise` is for when it has waited long enough."""

    otherwise: bytes


class Forward(msgspec.Struct, frozen=True):
    """The name is not ours. `servers` () means the node's own; `fallback` is for when none
    answers."""

    servers: tuple[str, ...]
    fallback: bytes


Resolution = Reply | Hold | Forward


def build_zone(assignment: AssignmentSet) -> Zone:
    """The zone of a node: everything that its assignment lets it know."""
    endpoints: dict[str, list[EndpointAssignment]] = {}
    for endpoint in assignment.endpoints:
        endpoints.setdefault(endpoint.network_id, []).append(endpoint)
    return {
        network.id: View(
            subnet=ipaddress.IPv4Network(network.subnet),
            suffix=dns_message.wire_name(network.name) or b"",
            names=_names(endpoints.get(network.id, ())),
            pointers=_pointers(network.name, endpoints.get(network.id, ())),
        )
        for network in assignment.networks
    }


def clients_of(
    assignment: AssignmentSet, *, with_rules: Container[str] | None
) -> Mapping[str, Client]:
    """The tasks of this node by address; `with_rules` are the ids of those whose namespace has the
    VIP rules, None stands for all of them."""
    clients: dict[str, Client] = {}
    for task in assignment.tasks:
        client = Client(
            networks=tuple(task.addresses),
            has_rules=with_rules is None or task.id in with_rules,
            servers=task.spec.container.dns,
        )
        clients |= dict.fromkeys(task.addresses.values(), client)
    return clients


def resolve(zone: Zone, client: Client, query: dns_message.Query, *, size_max: int) -> Resolution:
    """What to answer to one question of one client, in at most `size_max` bytes."""
    answer = _find(zone, client, query.name)
    if answer is not None:
        return _reply(answer, client, query, size_max)
    if query.name.endswith(b"\x07in-addr\x04arpa\x00"):
        pointer = _pointer(zone, client, query)
        if pointer is not None:
            return Reply(pointer)
    if any(network_id not in zone for network_id in client.networks):
        return Hold(dns_message.render_empty(query, dns_message.SERVER_FAILURE))
    is_bare = dns_message.has_one_label(query.name)
    code = dns_message.NAME_ERROR if is_bare else dns_message.SERVER_FAILURE
    return Forward(client.servers, dns_message.render_empty(query, code))


def _reply(answer: Answer, client: Client, query: dns_message.Query, size_max: int) -> Resolution:
    if query.kind not in (dns_message.A, dns_message.ANY):
        return Reply(dns_message.render_empty(query))
    if client.has_rules or not answer.has_vip:
        return Reply(_render(query, answer.addresses, size_max))
    direct = _render(query, answer.direct, size_max)
    return Hold(direct) if client.is_task else Reply(direct)


def _render(query: dns_message.Query, addresses: tuple[bytes, ...], size_max: int) -> bytes:
    return dns_message.render_addresses(
        query, addresses, ttl_seconds=TTL_SECONDS, size_max=size_max
    )


def _find(zone: Zone, client: Client, name: bytes) -> Answer | None:
    for network_id in client.networks:
        view = zone.get(network_id)
        if view is not None and name in view.names:
            return view.names[name]
    for network_id in client.networks:
        view = zone.get(network_id)
        if view is not None and view.suffix and name.endswith(view.suffix):
            found = view.names.get(name[: -len(view.suffix)] + b"\x00")
            if found is not None:
                return found
    return None


def _pointer(zone: Zone, client: Client, query: dns_message.Query) -> bytes | None:
    """The answer to a reverse question about one of the client's subnets, else None."""
    address = _reversed_address(query.name)
    if address is None:
        return None
    for network_id in client.networks:
        view = zone.get(network_id)
        if view is None or address not in view.subnet:
            continue
        name = view.pointers.get(query.name)
        if name is None:
            return dns_message.render_empty(query, dns_message.NAME_ERROR)
        if query.kind not in (dns_message.PTR, dns_message.ANY):
            return dns_message.render_empty(query)
        return dns_message.render_pointer(query, name, ttl_seconds=TTL_SECONDS)
    return None


def _reversed_address(name: bytes) -> ipaddress.IPv4Address | None:
    labels: list[str] = []
    position = 0
    while position < len(name) and name[position] and len(labels) < 4:
        end = position + 1 + name[position]
        labels.append(name[position + 1 : end].decode("latin-1"))
        position = end
    try:
        return ipaddress.IPv4Address(".".join(reversed(labels)))
    except ValueError:
        return None


def _names(endpoints: Iterable[EndpointAssignment]) -> Mapping[bytes, Answer]:
    answers: dict[bytes, Answer] = {}
    tasks: dict[bytes, Answer] = {}
    for endpoint in endpoints:
        direct = tuple(_packed(backend.address) for backend in endpoint.backends)
        addresses = (_packed(endpoint.vip),) if endpoint.vip else direct
        whole = Answer(addresses=addresses, direct=direct, has_vip=bool(endpoint.vip))
        for name in endpoint.names:
            _add(answers, name, whole)
            _add(answers, f"tasks.{name}", Answer(addresses=direct, direct=direct))
        for backend in endpoint.backends:
            one = (_packed(backend.address),)
            for name in _task_names(endpoint, backend):
                _add(tasks, name, Answer(addresses=one, direct=one))
    return {**tasks, **answers}


def _task_names(endpoint: EndpointAssignment, backend: Backend) -> Iterable[str]:
    yield backend.task_name
    yield f"{backend.task_name}.{backend.task_id}"
    if backend.hostname:
        yield backend.hostname
    if backend.slot:
        for name in endpoint.names:
            yield f"{backend.slot}.{name}"


def _add(answers: dict[bytes, Answer], name: str, answer: Answer) -> None:
    wire = dns_message.wire_name(name)
    if wire is None:
        return
    known = answers.get(wire)
    if known is not None:
        answer = Answer(
            addresses=tuple(dict.fromkeys(known.addresses + answer.addresses)),
            direct=tuple(dict.fromkeys(known.direct + answer.direct)),
            has_vip=known.has_vip or answer.has_vip,
        )
    answers[wire] = answer


def _pointers(network_name: str, endpoints: Iterable[EndpointAssignment]) -> Mapping[bytes, bytes]:
    pointers: dict[bytes, bytes] = {}
    for endpoint in endpoints:
        named = [(endpoint.vip, endpoint.service_name)] if endpoint.vip else []
        named += [
            (backend.address, f"{backend.task_name}.{backend.task_id}")
            for backend in endpoint.backends
        ]
        for address, name in named:
            wire = dns_message.wire_name(f"{name}.{network_name}")
            if wire is not None:
                pointers[dns_message.reverse_name(_packed(address))] = wire
    return pointers


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))
