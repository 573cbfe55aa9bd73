"""The bodies of the HTTP API: what people's tools read and write, as JSON.

Views are built from state for reading; they carry names beside ids so that a reader needs one
request per table. Times are seconds since the epoch; states are Swarm's words in lower case.
Requests are strict: an unknown field is refused.
"""

from collections.abc import Mapping

from stackctl.model import objects, specs
from stackctl.model.structs import Model, StrictModel


class ErrorBody(Model, frozen=True, kw_only=True):
    """Every answer with a status of 400 or above.

    `kind` is one of input, unknown-name, conflict, denied, unavailable, internal; `exit_code` is
    the CLI's.
    """

    kind: str
    message: str
    hint: str = ""
    exit_code: int = 1


class ClusterView(Model, frozen=True, kw_only=True):
    """The cluster as the answering manager sees it. Tokens are shown to local and manager callers
    only.
    """

    cluster_id: str
    manager_id: str  # the manager that answers
    leader_id: str  # "" without a leader
    term: int
    index: int  # newest applied log index of the answering manager
    managers: tuple[str, ...] = ()  # node ids
    addresses: tuple[str, ...] = ()  # "address:port" of every manager's API
    version: str = ""
    leader: str = ""  # host name of the leader
    worker_join_token: str = ""
    manager_join_token: str = ""


class NodeView(Model, frozen=True, kw_only=True):
    """One node."""

    id: str
    hostname: str
    role: str
    availability: str
    state: str  # unknown | ready | down
    state_message: str
    state_at: float
    manager_status: str  # leader | reachable | unreachable | ""
    is_self: bool  # the manager that answers runs on it
    engine_version: str
    address: str
    nano_cpus: int
    memory_bytes: int
    reserved_nano_cpus: int
    reserved_memory_bytes: int
    tasks_running: int
    labels: Mapping[str, str] = {}
    engine_labels: Mapping[str, str] = {}
    os: str = ""
    arch: str = ""
    created_at: float = 0
    version: int = 0


class NodeUpdate(StrictModel, frozen=True, kw_only=True):
    """PATCH of a node: what is None stays."""

    availability: objects.Availability | None = None
    label_add: Mapping[str, str] = {}
    label_remove: tuple[str, ...] = ()


class StackView(Model, frozen=True, kw_only=True):
    """One stack."""

    name: str
    services: int
    revision: int
    created_at: float
    updated_at: float
    removing: bool = False


class StackRevisionView(Model, frozen=True, kw_only=True):
    """What a stack was after a deploy, and can be again."""

    number: int
    at: float
    cause: str = ""
    is_current: bool = False
    services: Mapping[str, str] = {}  # name -> image


class StackRollbackRequest(StrictModel, frozen=True, kw_only=True):
    """POST to a stack's rollback; 0 is the revision before the present one."""

    revision: int = 0


class Change(Model, frozen=True, kw_only=True):
    """One thing that a deploy changed (or would change), with the reason in words."""

    action: str  # create | update | remove | unchanged
    kind: str  # service | network | config | secret
    name: str
    cause: str = ""


class DeployResult(Model, frozen=True, kw_only=True):
    """What PUT of a stack did. `index` is the log index of the change, for waiting."""

    name: str
    revision: int
    index: int
    changes: tuple[Change, ...] = ()


class FieldChange(Model, frozen=True, kw_only=True):
    """A field of a service's spec that a deploy changes; "" where there is no value. Of a list in
    which order means nothing, what is taken away and what is added.
    """

    path: str
    before: str = ""
    after: str = ""


class PlannedMove(Model, frozen=True, kw_only=True):
    """A slot whose task is on another node after a deploy; nodes by host name."""

    slot: int
    from_node: str
    to_node: str


class ServicePlan(Model, frozen=True, kw_only=True):
    """What a deploy does to one service. Numbers are tasks; `running_lowest` is how many run at
    the worst moment of it.
    """

    name: str
    action: str  # create | update | remove | unchanged
    cause: str = ""
    fields: tuple[FieldChange, ...] = ()
    running_before: int = 0
    running_lowest: int = 0
    running_after: int = 0
    tasks_kept: int = 0
    tasks_told: int = 0  # of those kept, the ones whose process is told of a content by a signal
    tasks_started: int = 0
    tasks_stopped: int = 0
    tasks_completed: int = 0  # that run and end with success on the way
    nodes: Mapping[str, int] = {}  # host name -> tasks afterwards
    moves: tuple[PlannedMove, ...] = ()
    waiting: tuple[str, ...] = ()  # why tasks would not start


class PlannedLoss(Model, frozen=True, kw_only=True):
    """What the loss of a node does afterwards to the stack's services."""

    node: str
    gone: tuple[str, ...] = ()  # nothing of them runs until the node returns
    interrupted: tuple[str, ...] = ()  # nothing of them runs until other nodes have started them


class PlanView(Model, frozen=True, kw_only=True):
    """What a deploy would do. Without `settles` the rehearsal found no end, and the numbers are
    what it had come to.
    """

    name: str
    revision: int
    changes: tuple[Change, ...] = ()
    services: tuple[ServicePlan, ...] = ()
    losses: tuple[PlannedLoss, ...] = ()
    settles: bool = True


class PortView(Model, frozen=True, kw_only=True):
    """A published port."""

    published: int
    target: int
    protocol: str
    mode: str


class UpdateView(Model, frozen=True, kw_only=True):
    """Where a service's rolling update stands."""

    state: str  # a value of stackctl.model.objects.UpdateState
    message: str
    started_at: float
    completed_at: float = 0


class ServiceView(Model, frozen=True, kw_only=True):
    """One service, without its whole spec."""

    id: str
    name: str
    stack: str
    mode: str  # replicated | global | replicated-job | global-job
    running: int  # tasks observed running on nodes that are up, and wanted
    desired: int  # of a job: how many of its tasks run at a time
    image: str
    replicas_per_node_max: int = 0
    ports: tuple[PortView, ...] = ()
    labels: Mapping[str, str] = {}
    update: UpdateView | None = None
    removing: bool = False
    completed: int = 0  # of a job: slots in which a task has completed in the current run
    completions: int = 0  # of a job: how many slots have to
    waiting_for: str = ""  # what it waits for before tasks of its revision start, in words
    is_blocked: bool = False  # what it waits for has failed and is not tried again
    restarts: int = 0  # of the tasks that are there now, each after others of its slot
    revision: int = 1
    created_at: float = 0
    updated_at: float = 0
    version: int = 0


class ServiceDetail(Model, frozen=True, kw_only=True):
    """One service whole: the view, what was asked, what was allocated."""

    service: ServiceView
    spec: specs.ServiceSpec
    previous_spec: specs.ServiceSpec | None = None
    endpoint: objects.Endpoint = objects.Endpoint()


class UpdateRequest(StrictModel, frozen=True, kw_only=True):
    """PUT of a service: its whole spec, and the one that it was made from: when the service has
    another by then, nothing is changed.
    """

    spec: specs.ServiceSpec
    previous: specs.ServiceSpec


class ScaleRequest(StrictModel, frozen=True, kw_only=True):
    """POST to a service's scale."""

    replicas: int


class TaskView(Model, frozen=True, kw_only=True):
    """One task. `is_current` is false for history: no longer wanted, or ended."""

    id: str
    name: str
    service_id: str
    service: str
    stack: str
    slot: int
    image: str
    node_id: str
    node: str  # host name of the node, "" while unplaced
    node_state: str  # state of that node, "" while unplaced
    desired_state: str
    state: str
    state_at: float
    message: str
    error: str
    cause: str
    end_cause: str
    created_at: float
    is_current: bool
    restarts: int = 0  # how many tasks of its revision ended in its slot before it
    revision: int = 1
    container_id: str = ""
    exit_code: int | None = None
    ports: tuple[PortView, ...] = ()
    addresses: Mapping[str, str] = {}  # network name -> address


class NodeVerdict(Model, frozen=True, kw_only=True):
    """What the scheduler says of one node for one task."""

    node_id: str
    hostname: str
    verdict: str  # here | best | possible | refused
    reason: str
    rank: int = 0  # 1 is the best of the nodes that could take it; 0 is none of them


class TaskExplanation(Model, frozen=True, kw_only=True):
    """Why a task is where it is, or nowhere: best nodes first."""

    task_id: str
    name: str
    state: str
    node: str  # host name, "" while it has none
    error: str = ""
    cause: str = ""
    nodes: tuple[NodeVerdict, ...] = ()


class RebalanceRequest(StrictModel, frozen=True, kw_only=True):
    """What to rebalance: these services, or all."""

    services: tuple[str, ...] = ()  # names or ids
    allows_stateful: bool = False
    moves_max: int = 0  # 0 is without limit


class TaskMove(Model, frozen=True, kw_only=True):
    """One task that would go to a better node."""

    task_id: str
    name: str
    source: str  # host name
    target: str  # host name
    reason: str


class RebalanceView(Model, frozen=True, kw_only=True):
    """What rebalancing would move first to last, what stays and why, and the last run: how many
    tasks have come, which is on its way, what ended it early.
    """

    moves: tuple[TaskMove, ...] = ()
    staying: Mapping[str, str] = {}  # service -> why its tasks stay although a node is better
    is_running: bool = False
    moved: int = 0
    moving: str = ""  # name of the task on its way
    failure: str = ""
    index: int = 0


class NetworkView(Model, frozen=True, kw_only=True):
    """One network."""

    id: str
    name: str
    stack: str
    subnet: str
    vni: int
    removing: bool = False


class ContentView(Model, frozen=True, kw_only=True):
    """One content of a config or secret. What it says is in no answer."""

    id: str
    kind: str  # config | secret
    name: str
    stack: str
    number: int  # counts the contents of this name
    digest: str  # how it begins; equal for equal contents of a name; of a secret keyed
    is_current: bool  # what its name means now
    used_by: tuple[str, ...] = ()  # services whose current revision mounts it
    kept_for: tuple[str, ...] = ()  # services that mount it in another revision only
    labels: Mapping[str, str] = {}
    created_at: float = 0
    removing: bool = False


class ImageView(Model, frozen=True, kw_only=True):
    """One image of the cluster's own that the answering manager holds."""

    reference: str
    size_bytes: int
    stored_at: float


class ImageTransfer(Model, frozen=True, kw_only=True):
    """A line of `POST …/images`: how an image comes to a node; the last one of each is no
    `fetching`.
    """

    image: str
    node: str
    state: str  # fetching | done | failed | absent (the node is not there, and fetches it later)
    done_bytes: int = 0
    size_bytes: int = 0
    error: str = ""


class LogLine(Model, frozen=True, kw_only=True):
    """One line of `GET …/logs`, which answers one JSON object per line."""

    at: float
    task_id: str
    task: str
    node: str
    source: str
    text: str
    error: str = ""  # set instead of text when a node's part of the stream ended with a fault


class ChangesView(Model, frozen=True, kw_only=True):
    """Answer of the long poll `GET /v1/changes?after=INDEX&timeout=SECONDS`."""

    index: int
