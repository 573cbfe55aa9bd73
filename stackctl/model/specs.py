"""Specs: what the user asked. The system never alters a spec; what it found out is in `objects`.

Units: CPU in nano-CPUs (10⁹ = one core), memory in bytes, durations in seconds, times in seconds
since the
epoch. Names of services, networks, configs and volumes are full names (`juergenapp_web`).
"""

from collections.abc import Mapping
from enum import StrEnum

from stackctl.model.devices import BlockIo, Device, DeviceRequest
from stackctl.model.structs import StrictModel

NAMESPACE_LABEL = "com.docker.stack.namespace"

NANO = 1_000_000_000


class RestartCondition(StrEnum):
    """When an ended task is replaced."""

    ANY = "any"
    ON_FAILURE = "on-failure"
    NONE = "none"


class FailureAction(StrEnum):
    """What a rolling update does when too many of its tasks fail."""

    PAUSE = "pause"
    CONTINUE = "continue"
    ROLLBACK = "rollback"


class UpdateOrder(StrEnum):
    """Whether a slot's old task stops before its new one starts, or after."""

    STOP_FIRST = "stop-first"
    START_FIRST = "start-first"


class Mode(StrEnum):
    """How many tasks a service has: a number of slots, or one on each eligible node.

    The tasks of a job run until so many have completed, once for each revision of the service.
    """

    REPLICATED = "replicated"
    GLOBAL = "global"
    REPLICATED_JOB = "replicated-job"
    GLOBAL_JOB = "global-job"

    @property
    def is_job(self) -> bool:
        """True when its tasks are meant to end."""
        return self in (Mode.REPLICATED_JOB, Mode.GLOBAL_JOB)

    @property
    def is_global(self) -> bool:
        """True when each eligible node has one task, and slots are nodes."""
        return self in (Mode.GLOBAL, Mode.GLOBAL_JOB)


class DependencyCondition(StrEnum):
    """What a service waits for before its first task starts."""

    STARTED = "started"
    HEALTHY = "healthy"
    COMPLETED = "completed"


class PortMode(StrEnum):
    """Published on every node through the mesh, or on the task's own node only."""

    INGRESS = "ingress"
    HOST = "host"


class EndpointMode(StrEnum):
    """Whether the service's name resolves to a virtual IP or to the tasks' own addresses."""

    VIP = "vip"
    DNSRR = "dnsrr"


class MountKind(StrEnum):
    """What is mounted into the container."""

    BIND = "bind"
    VOLUME = "volume"
    TMPFS = "tmpfs"
    IMAGE = "image"
    CLUSTER = "cluster"
    NPIPE = "npipe"


class PullPolicy(StrEnum):
    """When an image is fetched before a container is made of it.

    `REFRESH` fetches it when the node's own is older than `pull_refresh_seconds`.
    """

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"
    REFRESH = "refresh"


class Healthcheck(StrictModel, frozen=True, kw_only=True):
    """The engine's health check; a duration or count of 0 inherits the image's or engine's
    default."""

    test: tuple[
        str, ...
    ] = ()  # ("CMD", …), ("CMD-SHELL", text) or ("NONE",); () inherits the image's
    interval_seconds: float = 0
    timeout_seconds: float = 0
    retries: int = 0
    start_period_seconds: float = 0
    start_interval_seconds: float = 0


class Mount(StrictModel, frozen=True, kw_only=True):
    """One mount; `source` is a path (bind), a full volume name (volume; "" is anonymous), an image
    reference (image) or "" (tmpfs)."""

    kind: MountKind
    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = ""  # bind only
    create_source: bool = False  # bind only: make the folder on the node when absent
    recursive: str = ""  # bind only: enabled, disabled, writable or readonly; "" is the engine's
    selinux: str = ""  # bind only: z (shared label) or Z (private label)
    external: bool = False  # volume only: the node must have it already
    no_copy: bool = False  # volume only
    subpath: str = ""  # volume and image only
    volume_driver: str = ""
    volume_driver_options: Mapping[str, str] = {}
    volume_labels: Mapping[str, str] = {}
    tmpfs_size_bytes: int = 0
    tmpfs_mode: int = 0
    tmpfs_options: tuple[str, ...] = ()  # of mount(8), beside size, mode and ro


class ConfigReference(StrictModel, frozen=True, kw_only=True):
    """A config (or secret) as a file in the container."""

    name: str  # full name of the config
    target: str  # absolute path in the container
    uid: str = "0"
    gid: str = "0"
    mode: int = 0o444
    on_change: str = ""  # signal that tells the process of a new content; "" replaces the task


class Ulimit(StrictModel, frozen=True, kw_only=True):
    """One resource limit of the container's processes."""

    name: str
    soft: int
    hard: int


class LogDriver(StrictModel, frozen=True, kw_only=True):
    """The engine's log driver for a container."""

    name: str = ""
    options: Mapping[str, str] = {}


class ContainerSpec(StrictModel, frozen=True, kw_only=True):
    """The container of a task. None, "", 0 and () mean: whatever the image or the engine says.

    `network_mode` counts for a task without networks only; a namespace (`ipc`, `pid`, `uts`,
    `cgroup`, `userns_mode`, `network_mode`) is named in the engine's words, such as `host`.
    """

    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()  # "KEY=value", sorted
    labels: Mapping[str, str] = {}
    hostname: str = ""
    working_dir: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    init: bool | None = None
    tty: bool = False
    stdin_open: bool = False
    read_only: bool = False
    privileged: bool = False
    stop_signal: str = ""
    stop_grace_period_seconds: float | None = None  # None is the engine's 10 s
    healthcheck: Healthcheck | None = None
    mounts: tuple[Mount, ...] = ()
    configs: tuple[ConfigReference, ...] = ()
    secrets: tuple[ConfigReference, ...] = ()
    extra_hosts: tuple[str, ...] = ()  # "name:address"
    dns: tuple[str, ...] = ()  # servers for foreign names, instead of the node's own
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_options: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = {}
    ulimits: tuple[Ulimit, ...] = ()
    shm_size_bytes: int = 0
    log_driver: LogDriver | None = None
    annotations: Mapping[str, str] = {}
    block_io: BlockIo | None = None
    cgroup: str = ""  # host or private
    cgroup_parent: str = ""
    cpu_shares: int = 0
    cpu_quota: int = 0  # microseconds in each period; -1 is without limit
    cpu_period: int = 0  # microseconds
    cpu_realtime_runtime: int = 0  # microseconds
    cpu_realtime_period: int = 0  # microseconds
    cpuset: str = ""
    devices: tuple[Device, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    domainname: str = ""
    ipc: str = ""
    pid: str = ""
    uts: str = ""
    userns_mode: str = ""
    network_mode: str = ""
    mac_address: str = ""
    memory_swappiness: int | None = None  # percent
    memory_swap_bytes: int = 0  # memory and swap together; -1 is without limit
    oom_kill_disable: bool = False
    oom_score_adjustment: int = 0
    platform: str = ""  # OS[/ARCH[/VARIANT]]
    runtime: str = ""
    storage_options: Mapping[str, str] = {}
    pull_policy: PullPolicy = PullPolicy.MISSING
    pull_refresh_seconds: float = 0


class Resources(StrictModel, frozen=True, kw_only=True):
    """An amount: of what a task may use (limits) or must find free (reservations). 0 is none
    stated."""

    nano_cpus: int = 0
    memory_bytes: int = 0
    pids: int = 0
    generic: Mapping[str, int] = {}  # kind -> how many; reservations only


class RestartPolicy(StrictModel, frozen=True, kw_only=True):
    """When and how an ended task is replaced.

    `delay_seconds` None means back-off: the first restart at once, then doubling. A stated delay
    is obeyed exactly. `attempts_max` counts restarts (0 is without limit) within `window_seconds`
    (0 is for ever). Without `replaces_lost` a task whose node is lost goes on when the node is back
    and never runs a second time.
    """

    condition: RestartCondition = RestartCondition.ANY
    delay_seconds: float | None = None
    attempts_max: int = 0
    window_seconds: float = 0
    replaces_lost: bool = True


class UpdatePolicy(StrictModel, frozen=True, kw_only=True):
    """How slots move from one task spec to another, forwards (update) or backwards (rollback)."""

    parallelism: int = 1  # 0 is all at once
    delay_seconds: float = 0
    monitor_seconds: float = 5
    failure_action: FailureAction = FailureAction.PAUSE
    max_failure_ratio: float = 0
    order: UpdateOrder = UpdateOrder.STOP_FIRST


class Rebalance(StrEnum):
    """Whether running tasks of a service move by themselves to where the scheduler would place
    them now; `never` leaves that to `stackctl rebalance`."""

    NEVER = "never"
    AUTO = "auto"


class Placement(StrictModel, frozen=True, kw_only=True):
    """Where tasks may run, and where they had better.

    All `constraints` hold, and no task is on a node with one of a service in `exclude_services`.
    `spread` shapes the choice among the rest, then nodes without `avoid_services` come first, then
    those that meet most of `prefer` (written like constraints). Services are named in full; both
    lists hold in both directions. With `stays_with_volumes` a slot whose container has a named
    volume of one node is placed there again, as long as the cluster has that node.
    """

    constraints: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    replicas_per_node_max: int = 0  # 0 is without limit
    prefer: tuple[str, ...] = ()
    avoid_services: tuple[str, ...] = ()
    exclude_services: tuple[str, ...] = ()
    stays_with_volumes: bool = True
    rebalance: Rebalance = Rebalance.NEVER


class NetworkAttachment(StrictModel, frozen=True, kw_only=True):
    """A service on a network, with the names that it has there beside its own."""

    network: str  # full name of the network
    aliases: tuple[str, ...] = ()


class PortSpec(StrictModel, frozen=True, kw_only=True):
    """A published port; `published` 0 lets the manager choose."""

    target: int
    published: int = 0
    protocol: str = "tcp"
    mode: PortMode = PortMode.INGRESS


class TaskSpec(StrictModel, frozen=True, kw_only=True):
    """Everything that makes one task differ from another: a change here replaces tasks."""

    container: ContainerSpec
    limits: Resources = Resources()
    reservations: Resources = Resources()
    restart: RestartPolicy = RestartPolicy()
    placement: Placement = Placement()
    networks: tuple[NetworkAttachment, ...] = ()
    force_update: int = 0


class Dependency(StrictModel, frozen=True, kw_only=True):
    """Another service that has to come first.

    `restart`: tasks are replaced after the other service was updated. Without `required` the
    dependency holds only if the cluster has that service.
    """

    service: str  # full name
    condition: DependencyCondition = DependencyCondition.STARTED
    restart: bool = False
    required: bool = True


class ServiceSpec(StrictModel, frozen=True, kw_only=True):
    """What the user asked of a service."""

    name: str  # full name, `juergenapp_web`
    task: TaskSpec
    labels: Mapping[str, str] = {}
    mode: Mode = Mode.REPLICATED
    replicas: int = 1  # replicated: slots; replicated job: how many tasks have to complete
    max_concurrent: int = 0  # replicated job: how many tasks run at a time; 0 is all of them
    depends_on: tuple[Dependency, ...] = ()
    update: UpdatePolicy = UpdatePolicy()
    rollback: UpdatePolicy = UpdatePolicy()
    endpoint_mode: EndpointMode = EndpointMode.VIP
    ports: tuple[PortSpec, ...] = ()


class NetworkSpec(StrictModel, frozen=True, kw_only=True):
    """What the user asked of a network."""

    name: str
    labels: Mapping[str, str] = {}
    internal: bool = False
    attachable: bool = False
    subnet: str = ""  # CIDR; "" lets the manager choose
    ip_range: str = ""  # CIDR within the subnet: where addresses are taken from; "" is all of it
    reserved_addresses: tuple[str, ...] = ()  # within the subnet, given to nobody
    driver_options: Mapping[str, str] = {}


class ConfigSpec(StrictModel, frozen=True, kw_only=True):
    """A file handed to containers; its content is part of the spec."""

    name: str
    content: bytes
    labels: Mapping[str, str] = {}


class SecretSpec(StrictModel, frozen=True, kw_only=True):
    """A file handed to containers that nobody else may read.

    The content is in clear only on its way from the user to the manager that accepts it; what the
    cluster keeps of the spec has none. It is never part of what is printed.
    """

    name: str
    content: bytes = b""
    labels: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"SecretSpec(name={self.name!r}, …)"


class StackSpec(StrictModel, frozen=True, kw_only=True):
    """A whole stack: what one Compose file says."""

    name: str
    services: tuple[ServiceSpec, ...] = ()
    networks: tuple[NetworkSpec, ...] = ()
    configs: tuple[ConfigSpec, ...] = ()
    secrets: tuple[SecretSpec, ...] = ()
