"""Assignments: what one node must run, and what it may know to do so.

An assignment set is complete for its node. It is fenced: `term` is the Raft term of the manager
that computed it and `index` the log index of the state it was computed from; an agent refuses a set
that is older than what it has (compare `(term, index)`). On the wire a set travels whole or as a
difference (`stackctl.wire.increments`).
"""

import ipaddress
from collections.abc import Mapping

from stackctl.model import specs
from stackctl.model.structs import Model
from stackctl.model.task_state import TaskState


class TaskAssignment(Model, frozen=True, kw_only=True):
    """One task for this node."""

    id: str
    name: str  # `juergenapp_web.1`, or `SERVICE.NODE_ID` for a global service
    service_id: str
    service_name: str
    slot: int
    revision: int
    stack_name: str
    spec: specs.TaskSpec
    labels: Mapping[str, str] = {}  # labels of the service, for the container's discovery
    desired_state: TaskState = TaskState.RUNNING
    start_after: float = 0  # do not start before this time (restart delay); create at once
    may_stop: bool = False  # with desired SHUTDOWN: no node balances to it any longer
    config_ids: Mapping[str, str] = {}  # config name -> id of the content this task mounts
    secret_ids: Mapping[str, str] = {}  # the same of secrets
    addresses: Mapping[str, str] = {}  # network id -> address without prefix length
    ports: tuple[specs.PortSpec, ...] = ()  # host-mode ports of the task
    node_hostname: str = ""
    generic_named: Mapping[str, tuple[str, ...]] = {}  # generic resources that are its own, by kind


class NetworkAssignment(Model, frozen=True, kw_only=True):
    """One overlay network that this node takes part in."""

    id: str
    name: str
    vni: int
    subnet: str  # CIDR
    gateway: str  # this node's own address on the network
    internal: bool = False
    labels: Mapping[str, str] = {}
    driver_options: Mapping[str, str] = {}


class Neighbour(Model, frozen=True, kw_only=True):
    """An address on an overlay network that lives on another node: a task, or its gateway."""

    network_id: str
    address: str
    data_address: str  # underlay address of the node it lives on


class Backend(Model, frozen=True, kw_only=True):
    """A healthy task behind a service, on one network."""

    task_id: str
    task_name: str
    slot: int
    node_id: str
    hostname: str  # the container's host name, "" when it is the engine's choice
    address: str


class EndpointAssignment(Model, frozen=True, kw_only=True):
    """A service on one network: the names it answers to, its VIP, its backends.

    `vip` is "" for a service with endpoint mode dnsrr. `backends` are sorted by slot, then address;
    an empty tuple means that connections are refused at once.
    """

    service_id: str
    service_name: str
    network_id: str
    names: tuple[str, ...]  # the service's full name, its short name, its aliases
    vip: str
    backends: tuple[Backend, ...] = ()


class IngressAssignment(Model, frozen=True, kw_only=True):
    """A port that this node answers on: connections go to one of the backends."""

    service_id: str
    service_name: str
    network_id: str
    published: int
    target: int
    protocol: str
    backends: tuple[Backend, ...] = ()


class ConfigAssignment(Model, frozen=True, kw_only=True):
    """A config that a task of this node mounts."""

    id: str
    name: str
    content: bytes


class SecretAssignment(Model, frozen=True, kw_only=True):
    """A secret that a task of this node mounts.

    The content is there only between the manager's sending and the agent's memory: None in what is
    computed from the state, and in what the agent keeps on disk. It is never part of what is
    printed.
    """

    id: str
    name: str
    content: bytes | None = None

    def __repr__(self) -> str:
        return f"SecretAssignment(id={self.id!r}, name={self.name!r}, …)"


class AssignmentSet(Model, frozen=True, kw_only=True):
    """Everything one node must run and may know, at one point of the log."""

    node_id: str
    term: int
    index: int
    tasks: tuple[TaskAssignment, ...] = ()
    networks: tuple[NetworkAssignment, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    endpoints: tuple[EndpointAssignment, ...] = ()
    ingress: tuple[IngressAssignment, ...] = ()
    configs: tuple[ConfigAssignment, ...] = ()
    secrets: tuple[SecretAssignment, ...] = ()
    former_node_ids: tuple[str, ...] = ()  # whose containers, if any are left, are to go


def mac_address(address: str) -> str:
    """The MAC address of an overlay address: 02:42 and the four bytes of the IPv4 address.

    Managers and agents both derive it, so that neighbour entries need no exchange of MAC addresses.
    """
    packed = ipaddress.IPv4Address(address).packed
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x42, *packed))
