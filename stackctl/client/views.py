"""The API's answers as typed dictionaries, complete: what the wire leaves out is filled in.

These repeat `stackctl.wire.api` field by field, because importing msgspec costs a listing a third
of its time; a test compares names, types and defaults of both. The wire omits fields that have
their default, so every answer passes through one of the `complete_…` functions.
"""

from collections.abc import Mapping
from typing import Any, TypedDict, cast

Answer = Mapping[str, Any]


class ErrorBody(TypedDict):
    """Every answer with a status of 400 or above."""

    kind: str
    message: str
    hint: str
    exit_code: int


class ClusterView(TypedDict):
    """The cluster as the answering manager sees it."""

    cluster_id: str
    manager_id: str
    leader_id: str
    term: int
    index: int
    managers: list[str]
    addresses: list[str]
    version: str
    leader: str
    worker_join_token: str
    manager_join_token: str


class NodeView(TypedDict):
    """One node."""

    id: str
    hostname: str
    role: str
    availability: str
    state: str
    state_message: str
    state_at: float
    manager_status: str
    is_self: bool
    engine_version: str
    address: str
    nano_cpus: int
    memory_bytes: int
    reserved_nano_cpus: int
    reserved_memory_bytes: int
    tasks_running: int
    labels: dict[str, str]
    engine_labels: dict[str, str]
    os: str
    arch: str
    created_at: float
    version: int


class StackView(TypedDict):
    """One stack."""

    name: str
    services: int
    revision: int
    created_at: float
    updated_at: float
    removing: bool


class Change(TypedDict):
    """One thing that a deploy changed, with the reason in words."""

    action: str
    kind: str
    name: str
    cause: str


class DeployResult(TypedDict):
    """What PUT of a stack did."""

    name: str
    revision: int
    index: int
    changes: list[Change]


class FieldChange(TypedDict):
    """A field of a service's spec that a deploy changes."""

    path: str
    before: str
    after: str


class StackRevisionView(TypedDict):
    """What a stack was after a deploy, and can be again."""

    number: int
    at: float
    cause: str
    is_current: bool
    services: dict[str, str]


class PlannedMove(TypedDict):
    """A slot whose task is on another node after a deploy."""

    slot: int
    from_node: str
    to_node: str


class ServicePlan(TypedDict):
    """What a deploy does to one service."""

    name: str
    action: str
    cause: str
    fields: list[FieldChange]
    running_before: int
    running_lowest: int
    running_after: int
    tasks_kept: int
    tasks_told: int
    tasks_started: int
    tasks_stopped: int
    tasks_completed: int
    nodes: dict[str, int]
    moves: list[PlannedMove]
    waiting: list[str]


class PlannedLoss(TypedDict):
    """What the loss of a node does to the stack's services."""

    node: str
    gone: list[str]
    interrupted: list[str]


class PlanView(TypedDict):
    """What a deploy would do."""

    name: str
    revision: int
    changes: list[Change]
    services: list[ServicePlan]
    losses: list[PlannedLoss]
    settles: bool


class PortView(TypedDict):
    """A published port."""

    published: int
    target: int
    protocol: str
    mode: str


class UpdateView(TypedDict):
    """Where a service's rolling update stands."""

    state: str
    message: str
    started_at: float
    completed_at: float


class ServiceView(TypedDict):
    """One service, without its whole spec."""

    id: str
    name: str
    stack: str
    mode: str
    running: int
    desired: int
    image: str
    replicas_per_node_max: int
    ports: list[PortView]
    labels: dict[str, str]
    update: UpdateView | None
    removing: bool
    completed: int
    completions: int
    waiting_for: str
    is_blocked: bool
    restarts: int
    revision: int
    created_at: float
    updated_at: float
    version: int


class ServiceDetail(TypedDict):
    """One service whole; specs and endpoint stay as the wire has them, without their defaults."""

    service: ServiceView
    spec: dict[str, Any]
    previous_spec: dict[str, Any] | None
    endpoint: dict[str, Any]


class TaskView(TypedDict):
    """One task."""

    id: str
    name: str
    service_id: str
    service: str
    stack: str
    slot: int
    image: str
    node_id: str
    node: str
    node_state: str
    desired_state: str
    state: str
    state_at: float
    message: str
    error: str
    cause: str
    end_cause: str
    created_at: float
    is_current: bool
    restarts: int
    revision: int
    container_id: str
    exit_code: int | None
    ports: list[PortView]
    addresses: dict[str, str]


class NetworkView(TypedDict):
    """One network."""

    id: str
    name: str
    stack: str
    subnet: str
    vni: int
    removing: bool


class LogLine(TypedDict):
    """One line of a task's output, or the fault that ended a node's part of it."""

    at: float
    task_id: str
    task: str
    node: str
    source: str
    text: str
    error: str


class ChangesView(TypedDict):
    """The newest applied index."""

    index: int


# Mutable defaults are shared between answers; nobody changes an answer.
DEFAULTS: Mapping[type, Answer] = {
    ErrorBody: {"hint": "", "exit_code": 1},
    ClusterView: {
        "managers": [],
        "addresses": [],
        "version": "",
        "leader": "",
        "worker_join_token": "",
        "manager_join_token": "",
    },
    NodeView: {
        "labels": {},
        "engine_labels": {},
        "os": "",
        "arch": "",
        "created_at": 0,
        "version": 0,
    },
    StackView: {"removing": False},
    Change: {"cause": ""},
    DeployResult: {"changes": []},
    StackRevisionView: {"cause": "", "is_current": False, "services": {}},
    FieldChange: {"before": "", "after": ""},
    PlannedMove: {},
    ServicePlan: {
        "cause": "",
        "fields": [],
        "running_before": 0,
        "running_lowest": 0,
        "running_after": 0,
        "tasks_kept": 0,
        "tasks_told": 0,
        "tasks_started": 0,
        "tasks_stopped": 0,
        "tasks_completed": 0,
        "nodes": {},
        "moves": [],
        "waiting": [],
    },
    PlannedLoss: {"gone": [], "interrupted": []},
    PlanView: {"changes": [], "services": [], "losses": [], "settles": True},
    PortView: {},
    UpdateView: {"completed_at": 0},
    ServiceView: {
        "replicas_per_node_max": 0,
        "ports": [],
        "labels": {},
        "update": None,
        "removing": False,
        "completed": 0,
        "completions": 0,
        "waiting_for": "",
        "is_blocked": False,
        "restarts": 0,
        "revision": 1,
        "created_at": 0,
        "updated_at": 0,
        "version": 0,
    },
    ServiceDetail: {"previous_spec": None, "endpoint": {}},
    TaskView: {
        "restarts": 0,
        "revision": 1,
        "container_id": "",
        "exit_code": None,
        "ports": [],
        "addresses": {},
    },
    NetworkView: {"removing": False},
    LogLine: {"error": ""},
    ChangesView: {},
}


def filled(
    kind: type, answer: Answer, defaults: Mapping[type, Answer] = DEFAULTS
) -> dict[str, Any]:
    """The answer's fields as they came, then those that it left out."""
    missing = {name: value for name, value in defaults[kind].items() if name not in answer}
    return {**answer, **missing}


def complete_error(answer: Answer) -> ErrorBody:
    """An error with every field."""
    return cast("ErrorBody", filled(ErrorBody, answer))


def complete_cluster(answer: Answer) -> ClusterView:
    """A cluster with every field."""
    return cast("ClusterView", filled(ClusterView, answer))


def complete_node(answer: Answer) -> NodeView:
    """A node with every field."""
    return cast("NodeView", filled(NodeView, answer))


def complete_stack(answer: Answer) -> StackView:
    """A stack with every field."""
    return cast("StackView", filled(StackView, answer))


def complete_deploy(answer: Answer) -> DeployResult:
    """The result of a deploy with every field, those of its changes too."""
    result = cast("DeployResult", filled(DeployResult, answer))
    result["changes"] = [cast("Change", filled(Change, each)) for each in result["changes"]]
    return result


def complete_stack_revision(answer: Answer) -> StackRevisionView:
    """A revision of a stack with every field."""
    return cast("StackRevisionView", filled(StackRevisionView, answer))


def complete_plan(answer: Answer) -> PlanView:
    """A plan with every field, those of its parts too."""
    plan = cast("PlanView", filled(PlanView, answer))
    plan["changes"] = [cast("Change", filled(Change, each)) for each in plan["changes"]]
    plan["services"] = [_complete_service_plan(each) for each in plan["services"]]
    plan["losses"] = [cast("PlannedLoss", filled(PlannedLoss, each)) for each in plan["losses"]]
    return plan


def _complete_service_plan(answer: Answer) -> ServicePlan:
    service = cast("ServicePlan", filled(ServicePlan, answer))
    service["fields"] = [
        cast("FieldChange", filled(FieldChange, each)) for each in service["fields"]
    ]
    return service


def complete_service(answer: Answer) -> ServiceView:
    """A service with every field, those of its update too."""
    service = cast("ServiceView", filled(ServiceView, answer))
    update = service["update"]
    if update is not None:
        service["update"] = cast("UpdateView", filled(UpdateView, update))
    return service


def complete_service_detail(answer: Answer) -> ServiceDetail:
    """A service with its specs; the view inside has every field."""
    detail = cast("ServiceDetail", filled(ServiceDetail, answer))
    detail["service"] = complete_service(detail["service"])
    return detail


def complete_task(answer: Answer) -> TaskView:
    """A task with every field."""
    return cast("TaskView", filled(TaskView, answer))


def complete_network(answer: Answer) -> NetworkView:
    """A network with every field."""
    return cast("NetworkView", filled(NetworkView, answer))


def complete_log_line(answer: Answer) -> LogLine:
    """A log line with every field."""
    return cast("LogLine", filled(LogLine, answer))


def complete_changes(answer: Answer) -> ChangesView:
    """The newest index."""
    return cast("ChangesView", filled(ChangesView, answer))
