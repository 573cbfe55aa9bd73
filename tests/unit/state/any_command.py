"""Any valid command, over few ids, so that commands meet each other's objects."""

from hypothesis import strategies as st

from stackctl.model import objects, specs
from stackctl.model.task_state import TaskState
from stackctl.state import changes, commands
from stackctl.wire.agent_protocol import TaskReport

IDS = st.sampled_from(["a", "b", "c", "d"])
NAMES = st.sampled_from(["shop_web", "shop_db", "other_web"])
STACKS = st.sampled_from(["shop", "other"])
NETWORKS = st.sampled_from(["shop_front", "shop_back"])
TIMES = st.floats(0, 1e9, allow_nan=False)
NUMBERS = st.integers(-1, 7)
TEXTS = st.text(max_size=5)
PORTS = st.builds(
    specs.PortSpec,
    target=st.sampled_from([0, 80, 90]),
    published=st.sampled_from([0, 0, 8080, 70000]),
    protocol=st.sampled_from(["tcp", "udp", "smoke"]),
    mode=st.sampled_from(specs.PortMode),
)
ATTACHMENTS = st.builds(specs.NetworkAttachment, network=NETWORKS)
TASK_SPECS = st.builds(
    specs.TaskSpec,
    container=st.builds(
        specs.ContainerSpec,
        image=st.sampled_from(["app:1", "app:2"]),
        configs=st.lists(
            st.builds(
                specs.ConfigReference, name=st.just("shop_settings"), target=st.just("/settings")
            ),
            max_size=1,
        ).map(tuple),
        secrets=st.lists(
            st.builds(
                specs.ConfigReference, name=st.just("shop_key"), target=st.just("/run/secrets/key")
            ),
            max_size=1,
        ).map(tuple),
    ),
    restart=st.builds(specs.RestartPolicy, attempts_max=NUMBERS),
    placement=st.builds(
        specs.Placement,
        constraints=st.lists(
            st.sampled_from(["node.role==worker", "node.id==a", "nonsense"]), max_size=1
        ).map(tuple),
        spread=st.lists(st.sampled_from(["node.labels.x", "moon"]), max_size=1).map(tuple),
    ),
    reservations=st.builds(specs.Resources, nano_cpus=NUMBERS),
    networks=st.lists(ATTACHMENTS, max_size=2).map(tuple),
)
DEPENDENCIES = st.builds(
    specs.Dependency,
    service=NAMES,
    condition=st.sampled_from(specs.DependencyCondition),
    restart=st.booleans(),
    required=st.booleans(),
)
SERVICES = st.builds(
    specs.ServiceSpec,
    name=NAMES,
    task=TASK_SPECS,
    mode=st.sampled_from([specs.Mode.REPLICATED, *specs.Mode]),
    replicas=NUMBERS,
    max_concurrent=NUMBERS,
    depends_on=st.lists(DEPENDENCIES, max_size=1).map(tuple),
    update=st.builds(
        specs.UpdatePolicy, parallelism=NUMBERS, max_failure_ratio=st.sampled_from([0.0, 0.5, 2.0])
    ),
    endpoint_mode=st.sampled_from(specs.EndpointMode),
    ports=st.lists(PORTS, max_size=2).map(tuple),
)
STACK_SPECS = st.builds(
    specs.StackSpec,
    name=STACKS,
    services=st.lists(SERVICES, max_size=3).map(tuple),
    networks=st.lists(
        st.builds(
            specs.NetworkSpec,
            name=NETWORKS,
            internal=st.booleans(),
            subnet=st.sampled_from(["", "", "10.9.0.0/24", "10.9.0.1/24", "fish"]),
        ),
        max_size=2,
    ).map(tuple),
    configs=st.lists(
        st.builds(specs.ConfigSpec, name=st.just("shop_settings"), content=st.binary(max_size=2)),
        max_size=1,
    ).map(tuple),
    secrets=st.lists(
        st.builds(
            specs.SecretSpec,
            name=st.just("shop_key"),
            content=st.sampled_from([b"", b"", b"", b"clear"]),
        ),
        max_size=1,
    ).map(tuple),
)
SEALED = st.builds(
    objects.SealedContent,
    name=st.sampled_from(["shop_key", "shop_key", "other"]),
    sealed=st.binary(max_size=2),
    digest=st.sampled_from(["", "aa", "bb"]),
)
STATUSES = st.builds(
    objects.TaskStatus, state=st.sampled_from(TaskState), at=TIMES, message=TEXTS, error=TEXTS
)
UPDATE_STATUSES = st.builds(
    objects.UpdateStatus,
    state=st.sampled_from(objects.UpdateState),
    started_at=TIMES,
    started_version=st.integers(0, 9),
)
DESCRIPTIONS = st.builds(
    objects.NodeDescription,
    hostname=st.sampled_from(["n1", "n2"]),
    nano_cpus=st.integers(0, 8),
    memory_bytes=st.integers(0, 8),
    routes=st.lists(st.sampled_from(["10.64.0.0/22", "default", "::/0"]), max_size=2).map(tuple),
    data_address=st.sampled_from(["", "10.0.0.1", "nowhere"]),
)
ADDRESSES = st.sampled_from(["10.64.0.5", "10.64.0.6", ""])

CHANGES = st.one_of(
    st.builds(
        changes.CreateTask,
        task_id=IDS,
        service_id=IDS,
        slot=st.integers(0, 2),
        revision=st.integers(0, 3),
        cause=TEXTS,
        desired_state=st.sampled_from(TaskState),
        node_id=st.sampled_from(["", "a", "x"]),
    ),
    st.builds(changes.SetDesired, task_id=IDS, desired_state=st.sampled_from(TaskState)),
    st.builds(
        changes.AllocateTask, task_id=IDS, addresses=st.dictionaries(IDS, ADDRESSES, max_size=2)
    ),
    st.builds(changes.AssignTask, task_id=IDS, node_id=IDS),
    st.builds(changes.ExplainTask, task_id=IDS, error=TEXTS),
    st.builds(changes.ReleaseTask, task_id=IDS),
    st.builds(changes.EndTask, task_id=IDS, state=st.sampled_from(TaskState), error=TEXTS),
    st.builds(changes.DropTask, task_id=IDS),
    st.builds(
        changes.AllocateNetwork,
        network_id=IDS,
        vni=st.integers(0, 9),
        subnet=st.sampled_from(["10.64.0.0/22", ""]),
        vni_next=st.integers(0, 9),
        subnet_next=st.integers(0, 9),
    ),
    st.builds(changes.SetAddressCursor, network_id=IDS, address_next=st.integers(0, 9)),
    st.builds(changes.SetGateway, network_id=IDS, node_id=IDS, address=ADDRESSES),
    st.builds(changes.DropNetwork, network_id=IDS),
    st.builds(
        changes.SetEndpoint,
        service_id=IDS,
        endpoint=st.builds(objects.Endpoint, ports=st.lists(PORTS, max_size=2).map(tuple)),
    ),
    st.builds(
        changes.SetUpdateStatus,
        service_id=IDS,
        revision=st.integers(0, 3),
        status=UPDATE_STATUSES,
    ),
    st.builds(changes.RollBackService, service_id=IDS, revision=st.integers(0, 3), message=TEXTS),
    st.builds(changes.ClearService, service_id=IDS, revision=st.integers(0, 3)),
    st.builds(
        changes.HoldService,
        service_id=IDS,
        revision=st.integers(0, 3),
        reason=TEXTS,
        for_good=st.booleans(),
    ),
    st.builds(
        changes.ForgetRevisions,
        service_id=IDS,
        revisions=st.lists(st.integers(0, 4), max_size=3).map(tuple),
    ),
    st.builds(changes.DropService, service_id=IDS),
    st.builds(changes.DropConfig, config_id=IDS),
    st.builds(changes.DropSecret, secret_id=IDS),
    st.builds(changes.DropStack, name=STACKS),
)

COMMANDS = st.one_of(
    st.builds(
        commands.InitCluster,
        now=TIMES,
        cluster_id=IDS,
        worker_secret=TEXTS,
        manager_secret=TEXTS,
        authority_digest=TEXTS,
    ),
    st.builds(
        commands.PutNode,
        now=TIMES,
        node_id=IDS,
        role=st.sampled_from(objects.NodeRole),
        hostname=TEXTS,
    ),
    st.builds(commands.SeeNode, now=TIMES, node_id=IDS, manager_id=IDS, description=DESCRIPTIONS),
    st.builds(commands.LoseNode, now=TIMES, node_id=IDS, term=st.integers(0, 3), message=TEXTS),
    st.builds(
        commands.ChangeNode,
        now=TIMES,
        node_id=IDS,
        availability=st.none() | st.sampled_from(objects.Availability),
        label_add=st.dictionaries(IDS, TEXTS, max_size=2),
        label_remove=st.lists(IDS, max_size=2).map(tuple),
    ),
    st.builds(commands.RemoveNode, now=TIMES, node_id=IDS, force=st.booleans()),
    st.builds(
        commands.PutStack,
        now=TIMES,
        spec=STACK_SPECS,
        seed=st.binary(max_size=2),
        prune=st.booleans(),
        rerun=st.booleans(),
        sealed=st.lists(SEALED, max_size=2).map(tuple),
    ),
    st.builds(commands.RemoveStack, now=TIMES, name=STACKS),
    st.builds(
        commands.RollBackStack,
        now=TIMES,
        name=STACKS,
        revision=NUMBERS,
        seed=st.binary(min_size=1, max_size=2),
    ),
    st.builds(commands.ScaleService, now=TIMES, service_id=IDS, replicas=NUMBERS),
    st.builds(commands.UpdateService, now=TIMES, service_id=IDS, spec=SERVICES, previous=SERVICES),
    st.builds(commands.RollbackService, now=TIMES, service_id=IDS),
    st.builds(commands.RemoveService, now=TIMES, service_id=IDS),
    st.builds(
        commands.ReportTasks,
        now=TIMES,
        node_id=IDS,
        reports=st.lists(st.builds(TaskReport, task_id=IDS, status=STATUSES), max_size=3).map(
            tuple
        ),
    ),
    st.builds(
        commands.ApplyRound,
        now=TIMES,
        term=st.integers(1, 2),
        changes=st.lists(CHANGES, max_size=6).map(tuple),
    ),
)
