"""Changes: the decisions of a controller round, each small enough to be checked when it is applied.

A round is computed from one state and applied to a later one (status reports come in between), so a
change names fields, never whole objects, and what no longer fits is left out: an assignment of a
task that has been told to end, a desired state that would go back. `enacting` applies
them.
"""

from collections.abc import Mapping

import msgspec

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import moves


class _Change(
    msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="type", omit_defaults=True
):
    """A tagged member of the union."""


class CreateTask(_Change, frozen=True, kw_only=True, tag="create-task"):
    """A new attempt in a slot; of a global service the node is known from the start."""

    task_id: str
    service_id: str
    slot: int
    revision: int
    cause: str
    desired_state: TaskState = TaskState.RUNNING
    start_after: float = 0
    restarts: int = 0
    node_id: str = ""


class SetDesired(_Change, frozen=True, kw_only=True, tag="set-desired"):
    """A task is to start, to end (SHUTDOWN) or to end and be forgotten (REMOVE)."""

    task_id: str
    desired_state: TaskState
    cause: str = ""


class AllocateTask(_Change, frozen=True, kw_only=True, tag="allocate-task"):
    """Addresses of a task, by network id: NEW becomes PENDING."""

    task_id: str
    addresses: Mapping[str, str]


class AssignTask(_Change, frozen=True, kw_only=True, tag="assign-task"):
    """The node of a task: PENDING becomes ASSIGNED."""

    task_id: str
    node_id: str
    host_ports: tuple[specs.PortSpec, ...] = ()
    generic_named: Mapping[str, tuple[str, ...]] = {}


class ExplainTask(_Change, frozen=True, kw_only=True, tag="explain-task"):
    """Why a task is still without addresses or a node."""

    task_id: str
    error: str


class CarryOverTask(_Change, frozen=True, kw_only=True, tag="carry-over-task"):
    """A running task becomes one of the service's present revision: only contents differ of which
    its process is told by a signal.
    """

    task_id: str
    revision: int


class ReleaseTask(_Change, frozen=True, kw_only=True, tag="release-task"):
    """No node balances to this task any longer; its agent may stop it."""

    task_id: str


class EndTask(_Change, frozen=True, kw_only=True, tag="end-task"):
    """The manager's own verdict on a task whose node cannot report it: ORPHANED or REJECTED."""

    task_id: str
    state: TaskState
    error: str


class DropTask(_Change, frozen=True, kw_only=True, tag="drop-task"):
    """History beyond its limit, or a removed task that has ended."""

    task_id: str


class AllocateNetwork(_Change, frozen=True, kw_only=True, tag="allocate-network"):
    """VNI and subnet of a network, and where the next search starts."""

    network_id: str
    vni: int
    subnet: str
    vni_next: int
    subnet_next: int


class SetAddressCursor(_Change, frozen=True, kw_only=True, tag="set-address-cursor"):
    """Where the next search for a free address of the network starts."""

    network_id: str
    address_next: int


class SetGateway(_Change, frozen=True, kw_only=True, tag="set-gateway"):
    """A node's own address on a network; "" takes it away."""

    network_id: str
    node_id: str
    address: str


class DropNetwork(_Change, frozen=True, kw_only=True, tag="drop-network"):
    """A removed network that nothing is on any longer."""

    network_id: str


class SetEndpoint(_Change, frozen=True, kw_only=True, tag="set-endpoint"):
    """Virtual IPs and published ports of a service."""

    service_id: str
    endpoint: objects.Endpoint


class SetUpdateStatus(_Change, frozen=True, kw_only=True, tag="set-update-status"):
    """Where the rolling update of a service stands; only for the spec it was decided on."""

    service_id: str
    revision: int
    status: objects.UpdateStatus


class RollBackService(_Change, frozen=True, kw_only=True, tag="roll-back-service"):
    """The previous spec becomes the spec again, by the update's own failure action."""

    service_id: str
    revision: int
    message: str


class ClearService(_Change, frozen=True, kw_only=True, tag="clear-service"):
    """What a revision of the service depends on has come: its tasks may start, now and later."""

    service_id: str
    revision: int


class HoldService(_Change, frozen=True, kw_only=True, tag="hold-service"):
    """What a revision of the service waits for, and whether that has failed for good."""

    service_id: str
    revision: int
    reason: str
    for_good: bool = False


class ForgetRevisions(_Change, frozen=True, kw_only=True, tag="forget-revisions"):
    """Task specs of a service that no task and no rollback needs any longer."""

    service_id: str
    revisions: tuple[int, ...]


class DropService(_Change, frozen=True, kw_only=True, tag="drop-service"):
    """A removed service whose tasks have all ended."""

    service_id: str


class DropConfig(_Change, frozen=True, kw_only=True, tag="drop-config"):
    """A content that nothing refers to any longer."""

    config_id: str


class DropSecret(_Change, frozen=True, kw_only=True, tag="drop-secret"):
    """A content of a secret that nothing refers to any longer."""

    secret_id: str


class DropStack(_Change, frozen=True, kw_only=True, tag="drop-stack"):
    """A removed stack of which nothing is left."""

    name: str


Change = (
    CreateTask
    | moves.MoveTask
    | moves.EndMove
    | moves.EndRebalancing
    | SetDesired
    | AllocateTask
    | AssignTask
    | ExplainTask
    | CarryOverTask
    | ReleaseTask
    | EndTask
    | DropTask
    | AllocateNetwork
    | SetAddressCursor
    | SetGateway
    | DropNetwork
    | SetEndpoint
    | SetUpdateStatus
    | RollBackService
    | ClearService
    | HoldService
    | ForgetRevisions
    | DropService
    | DropConfig
    | DropSecret
    | DropStack
)
