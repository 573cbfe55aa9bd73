"""Objects: specs as the cluster holds them, with what was decided and observed.

Every object has the `version` of the log index that last changed it. Times are seconds since the
epoch and
come from the command that caused the change, never from a clock read here.
"""

from collections.abc import Mapping
from enum import StrEnum

from stackctl.model import specs
from stackctl.model.structs import Model
from stackctl.model.task_state import TaskState


class NodeRole(StrEnum):
    """Whether the node takes part in the managers' agreement."""

    MANAGER = "manager"
    WORKER = "worker"


class Availability(StrEnum):
    """What the operator allows the node: new tasks, only those it has, or none."""

    ACTIVE = "active"
    PAUSE = "pause"
    DRAIN = "drain"


class NodeState(StrEnum):
    """What the leader knows of the node: not heard of yet, heard lately, or silent for too long."""

    UNKNOWN = "unknown"
    READY = "ready"
    DOWN = "down"


class NodeDescription(Model, frozen=True, kw_only=True):
    """What an agent says of its node."""

    hostname: str
    nano_cpus: int
    memory_bytes: int
    os: str = "linux"
    arch: str = "x86_64"
    engine_version: str = ""
    engine_labels: Mapping[str, str] = {}
    data_address: str = ""  # address of the underlay that VXLAN packets go to
    routes: tuple[str, ...] = ()  # CIDRs of the node's own routes, which overlays must avoid
    agent_version: str = ""
    # generic resources: kinds of which only the number counts, and kinds whose pieces have names
    generic: Mapping[str, int] = {}
    generic_named: Mapping[str, tuple[str, ...]] = {}
    volumes: tuple[str, ...] = ()  # names of volumes that stacks have made on it, in order


class Node(Model, frozen=True, kw_only=True):
    """A member of the cluster."""

    id: str
    role: NodeRole
    description: NodeDescription
    availability: Availability = Availability.ACTIVE
    labels: Mapping[str, str] = {}
    state: NodeState = NodeState.UNKNOWN
    state_message: str = ""
    state_at: float = 0
    session_manager_id: str = ""  # node id of the manager that its agent is connected to
    former_ids: tuple[str, ...] = ()  # of nodes that this one replaced, having joined again
    created_at: float = 0
    created_version: int = 0  # log index that admitted it
    version: int = 0

    @property
    def hostname(self) -> str:
        """The node's name for people."""
        return self.description.hostname


class TaskStatus(Model, frozen=True, kw_only=True):
    """What was last observed of a task."""

    state: TaskState = TaskState.NEW
    at: float = 0
    message: str = ""
    error: str = ""
    container_id: str = ""
    exit_code: int | None = None
    # It was stopped by its engine or by a person: made up for like one whose node was lost.
    counts_as_lost: bool = False


class Task(Model, frozen=True, kw_only=True):
    """One attempt to run one container on one node; never moved, never used again."""

    id: str
    service_id: str
    slot: int  # from 1; 0 for a task of a global service
    revision: int  # which task spec of the service; see `state.changes.CarryOverTask`
    desired_state: TaskState = TaskState.RUNNING
    desired_at: float = 0
    desired_version: int = 0  # log index at which the desired state last changed
    status: TaskStatus = TaskStatus()
    running_at: float = 0  # when it was first observed RUNNING; 0 never
    carried_over_at: float = 0  # when it took over another revision's contents; 0 never
    carried_over_version: int = 0  # log index of that
    node_id: str = ""  # of a global task: from the start; of others: once scheduled
    addresses: Mapping[str, str] = {}  # network id -> address without prefix length
    host_ports: tuple[specs.PortSpec, ...] = ()  # host-mode ports as published on its node
    created_at: float = 0
    start_after: float = 0  # with desired READY: RUNNING is desired from this time on
    generic_named: Mapping[str, tuple[str, ...]] = {}  # kind -> names that are its own
    meant_for: str = ""  # of a task that another one moves to: the node that was chosen for it
    restarts: int = 0  # how many tasks of its revision ended in its slot before it
    cause: str = ""  # in words, why it was created
    end_cause: str = ""  # in words, why it is to end
    released: bool = False  # no node balances to it any longer: its agent may stop it
    created_version: int = 0  # log index that created it; orders a slot's tasks (clocks differ)
    ended_version: int = 0  # log index at which it was first known to have ended
    version: int = 0

    @property
    def is_wanted(self) -> bool:
        """True while it should be created, run or complete."""
        return self.desired_state <= TaskState.COMPLETE

    @property
    def tried_at(self) -> float:
        """Since when it has been running what its revision says; 0 when it never ran."""
        return max(self.running_at, self.carried_over_at)

    @property
    def tried_version(self) -> int:
        """Log index of the decision to run what its revision says."""
        return max(self.created_version, self.carried_over_version)

    @property
    def has_ended(self) -> bool:
        """True when it will never run again."""
        return self.status.state > TaskState.RUNNING

    @property
    def was_asked_to_end(self) -> bool:
        """True when somebody wanted it to end before it was known to have ended."""
        return not self.is_wanted and self.desired_version < self.ended_version

    @property
    def has_completed(self) -> bool:
        """True when it ended with success, and by itself."""
        return self.status.state == TaskState.COMPLETE and not self.was_asked_to_end


class UpdateState(StrEnum):
    """Where a rolling update stands."""

    UPDATING = "updating"
    PAUSED = "paused"
    COMPLETED = "completed"
    ROLLBACK_STARTED = "rollback_started"
    ROLLBACK_PAUSED = "rollback_paused"
    ROLLBACK_COMPLETED = "rollback_completed"


class UpdateStatus(Model, frozen=True, kw_only=True):
    """The rolling update that a service is in, or the last one it was in."""

    state: UpdateState
    started_at: float
    started_version: int = 0  # log index that started it; tasks created since are its own
    message: str = ""
    completed_at: float = 0
    failed_at: float = 0  # when the last of `failed_slots` was noticed
    slots: int = 0  # how many slots it set out to change
    failed_slots: tuple[str, ...] = ()  # slots of which a task failed within the monitor time


class Endpoint(Model, frozen=True, kw_only=True):
    """What the manager allocated for a service: virtual IPs and published ports."""

    vips: Mapping[str, str] = {}  # network id -> virtual IP
    ports: tuple[specs.PortSpec, ...] = ()  # with every `published` settled


class Service(Model, frozen=True, kw_only=True):
    """A service: its spec, the task specs in use, and where its update stands."""

    id: str
    spec: specs.ServiceSpec
    revision: int = 1  # number of the current task spec
    revision_last: int = 1  # highest number ever given
    # revision -> task spec, and revision -> name -> id of the content; of every task that exists
    task_specs: Mapping[int, specs.TaskSpec] = {}
    config_ids: Mapping[int, Mapping[str, str]] = {}
    secret_ids: Mapping[int, Mapping[str, str]] = {}
    previous_spec: specs.ServiceSpec | None = None
    previous_revision: int = 0
    endpoint: Endpoint = Endpoint()
    update_status: UpdateStatus | None = None
    stack_name: str = ""
    created_at: float = 0
    updated_at: float = 0
    removing: bool = False  # asked to go; deleted when its last task has ended
    cleared_revision: int = 0  # the revision whose dependencies have come: its tasks may start
    held_reason: str = ""  # in words, what the current revision waits for before it starts
    held_for_good: bool = False  # what it waits for has failed and is not tried again
    version: int = 0

    @property
    def name(self) -> str:
        """Its full name."""
        return self.spec.name

    @property
    def is_held(self) -> bool:
        """True while no task of the current revision may start: a dependency has yet to come."""
        return bool(self.spec.depends_on) and self.cleared_revision != self.revision

    def holds(self, revision: int) -> bool:
        """True when tasks of that revision must wait for what the service depends on."""
        return self.is_held and revision == self.revision


class Network(Model, frozen=True, kw_only=True):
    """An overlay network: what was asked and what was allocated."""

    id: str
    spec: specs.NetworkSpec
    vni: int = 0
    subnet: str = ""  # CIDR
    gateways: Mapping[str, str] = {}  # node id -> the node's own address on this network
    address_next: int = 0  # where the search for a free address starts, as an offset in the subnet
    stack_name: str = ""
    created_at: float = 0
    removing: bool = False  # deleted when the last task on it has ended
    version: int = 0

    @property
    def name(self) -> str:
        """Its full name."""
        return self.spec.name


class Config(Model, frozen=True, kw_only=True):
    """One content of a config; a changed content under the same name is another object.

    Tasks refer to it by id, so that a rollback finds the content it had.
    """

    id: str
    spec: specs.ConfigSpec
    number: int = 1  # counts the contents of this name
    stack_name: str = ""
    created_at: float = 0
    removing: bool = False
    version: int = 0

    @property
    def name(self) -> str:
        """Its full name."""
        return self.spec.name


class SealedContent(Model, frozen=True, kw_only=True):
    """The content of a secret as the cluster keeps it: only managers can open it.

    `digest` is the same for the same content of the same secret, and says nothing without the
    managers' key. Sealing twice gives different bytes.
    """

    name: str  # full name of the secret
    sealed: bytes
    digest: str


class Secret(Model, frozen=True, kw_only=True):
    """One content of a secret; in everything else like a config. Its spec has no content."""

    id: str
    spec: specs.SecretSpec
    content: SealedContent
    number: int = 1  # counts the contents of this name
    stack_name: str = ""
    created_at: float = 0
    removing: bool = False
    version: int = 0

    @property
    def name(self) -> str:
        """Its full name."""
        return self.spec.name


class StackRevision(Model, frozen=True, kw_only=True):
    """What a stack was after a deploy; its contents of configs and secrets by id."""

    number: int
    at: float
    cause: str = ""  # in words, what made it
    services: tuple[specs.ServiceSpec, ...] = ()
    networks: tuple[specs.NetworkSpec, ...] = ()
    content_ids: tuple[str, ...] = ()  # what the names of its configs and secrets meant
    # By service what it mounted: after a rollback of one service that is not what the names mean.
    config_ids: Mapping[str, Mapping[str, str]] = {}
    secret_ids: Mapping[str, Mapping[str, str]] = {}


class Stack(Model, frozen=True, kw_only=True):
    """A stack: the name under which services, networks and configs were deployed together."""

    name: str
    created_at: float
    updated_at: float
    revision: int = 1
    revisions: tuple[StackRevision, ...] = ()  # the last ones, the present one included
    removing: bool = False
    version: int = 0


class Rebalancing(Model, frozen=True, kw_only=True):
    """The rebalancing that an operator asked for last: it ends when no move is left, its budget is
    spent, or a task does not come up where it was to go (`failure` says which and where).
    """

    started_at: float
    service_ids: tuple[str, ...] = ()  # () is all
    allows_stateful: bool = False
    moves_left: int = 0
    moved: int = 0
    ended_at: float = 0  # 0 while it goes on
    failure: str = ""


class Move(Model, frozen=True, kw_only=True):
    """The one task of the cluster that is on its way to a better node."""

    task_id: str  # the new one
    service_id: str
    started_at: float


class Cluster(Model, frozen=True, kw_only=True):
    """The cluster itself: its identity, the secrets of its join tokens, the allocators' cursors.

    Cursors make allocation next-fit: what was just freed is not given out again at once, because
    some node may not have let go of it yet.
    """

    id: str
    worker_secret: str
    manager_secret: str
    authority_digest: str  # of the CA certificate; stands in every join token
    created_at: float = 0
    vni_next: int = 4096
    subnet_next: int = 0
    rebalancing: Rebalancing | None = None
    move: Move | None = None
    version: int = 0
