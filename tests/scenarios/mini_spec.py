"""Stacks in a few words, for scenarios: one line per service, network, config or secret.

    web image=app:1 replicas=3 run=forever port=8080:80 update.delay=2 constraint=node.role==worker
    network back internal
    config settings some text
    secret password some text

`after=db:healthy` waits for another service (`started`, `healthy`, `completed`; `:restart` to be
restarted with it, `:optional` where it need not be there). `run` says what the program does:
`forever` (ends with 0 when asked to), `exit:CODE` at once, or `exit:CODE:SECONDS` after a while.
`external=other_front` is a network of another stack. Without networks of its own a stack gets the
network `default`.
"""

from msgspec.structs import replace

from stackctl.model import specs

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1; done")
NANO = 1_000_000_000


def parse_stack(name: str, lines: list[str]) -> specs.StackSpec:
    """The stack in those lines."""
    networks: list[specs.NetworkSpec] = []
    configs: list[specs.ConfigSpec] = []
    secrets: list[specs.SecretSpec] = []
    services: list[list[str]] = []
    for line in lines:
        words = line.split()
        if words[0] == "network":
            networks.append(_network(name, words[1:]))
        elif words[0] == "config":
            content = " ".join(words[2:]).encode()
            configs.append(specs.ConfigSpec(name=f"{name}_{words[1]}", content=content))
        elif words[0] == "secret":
            content = " ".join(words[2:]).encode()
            secrets.append(specs.SecretSpec(name=f"{name}_{words[1]}", content=content))
        else:
            services.append(words)
    if not networks:
        networks.append(specs.NetworkSpec(name=f"{name}_default"))
    return specs.StackSpec(
        name=name,
        networks=tuple(networks),
        configs=tuple(configs),
        secrets=tuple(secrets),
        services=tuple(_service(name, words, networks[0].name) for words in services),
    )


def _network(stack: str, words: list[str]) -> specs.NetworkSpec:
    subnet = next((word.removeprefix("subnet=") for word in words if "subnet=" in word), "")
    return specs.NetworkSpec(
        name=f"{stack}_{words[0]}", internal="internal" in words, subnet=subnet
    )


def _service(stack: str, words: list[str], network: str) -> specs.ServiceSpec:
    short_name = words[0]
    options: dict[str, list[str]] = {}
    for word in words[1:]:
        key, _, value = word.partition("=")
        options.setdefault(key, []).append(value)
    networks = [f"{stack}_{value}" for value in options.pop("network", [])] or [network]
    networks += options.pop("external", [])
    spec = specs.ServiceSpec(
        name=f"{stack}_{short_name}",
        task=specs.TaskSpec(
            container=specs.ContainerSpec(image="app:1", command=FOREVER),
            networks=tuple(
                specs.NetworkAttachment(network=item, aliases=(short_name,)) for item in networks
            ),
        ),
    )
    for key, values in options.items():
        for value in values:
            spec = _with_option(stack, spec, key, value)
    return spec


def _with_option(stack: str, spec: specs.ServiceSpec, key: str, value: str) -> specs.ServiceSpec:
    group, _, part = key.partition(".")
    match group:
        case "replicas":
            return replace(spec, replicas=int(value))
        case "concurrent":
            return replace(spec, max_concurrent=int(value))
        case "after":
            return replace(spec, depends_on=(*spec.depends_on, _dependency(stack, value)))
        case "mode":
            return replace(spec, mode=specs.Mode(value))
        case "endpoint":
            return replace(spec, endpoint_mode=specs.EndpointMode(value))
        case "port":
            return replace(spec, ports=(*spec.ports, _port(value)))
        case "update":
            return replace(spec, update=_policy(spec.update, part, value))
        case "rollback":
            return replace(spec, rollback=_policy(spec.rollback, part, value))
    return replace(spec, task=_task(stack, spec.task, key, value))


def _task(stack: str, task: specs.TaskSpec, key: str, value: str) -> specs.TaskSpec:
    container, placement = task.container, task.placement
    match key:
        case "image":
            return replace(task, container=replace(container, image=value))
        case "run":
            return replace(task, container=replace(container, command=_command(value)))
        case "grace":
            grace = replace(container, stop_grace_period_seconds=float(value))
            return replace(task, container=grace)
        case "health":
            check = specs.Healthcheck(test=("CMD", value))
            return replace(task, container=replace(container, healthcheck=check))
        case "config":
            name, _, signal = value.partition("!")
            reference = specs.ConfigReference(
                name=f"{stack}_{name}", target=f"/{name}", on_change=signal
            )
            configs = (*container.configs, reference)
            return replace(task, container=replace(container, configs=configs))
        case "secret":
            name, _, signal = value.partition("!")
            reference = specs.ConfigReference(
                name=f"{stack}_{name}", target=f"/run/secrets/{name}", on_change=signal
            )
            secrets = (*container.secrets, reference)
            return replace(task, container=replace(container, secrets=secrets))
        case "constraint":
            constraints = (*placement.constraints, value)
            return replace(task, placement=replace(placement, constraints=constraints))
        case "spread":
            return replace(task, placement=replace(placement, spread=(*placement.spread, value)))
        case "max-per-node":
            return replace(task, placement=replace(placement, replicas_per_node_max=int(value)))
        case "prefer":
            wishes = (*placement.prefer, value)
            return replace(task, placement=replace(placement, prefer=wishes))
        case "apart":
            others = (*placement.exclude_services, f"{stack}_{value}")
            return replace(task, placement=replace(placement, exclude_services=others))
        case "rebalance":
            choice = specs.Rebalance(value)
            return replace(task, placement=replace(placement, rebalance=choice))
        case "volume":
            mount = specs.Mount(
                kind=specs.MountKind.VOLUME, source=f"{stack}_{value}", target=f"/{value}"
            )
            return replace(task, container=replace(container, mounts=(*container.mounts, mount)))
        case "cpu":
            amount = replace(task.reservations, nano_cpus=int(float(value) * NANO))
            return replace(task, reservations=amount)
        case "restart":
            policy = replace(task.restart, condition=specs.RestartCondition(value))
            return replace(task, restart=policy)
        case "restart.delay":
            return replace(task, restart=replace(task.restart, delay_seconds=float(value)))
        case "restart.attempts":
            return replace(task, restart=replace(task.restart, attempts_max=int(value)))
        case "restart.lost":
            return replace(task, restart=replace(task.restart, replaces_lost=value == "replace"))
        case "restart.window":
            return replace(task, restart=replace(task.restart, window_seconds=float(value)))
    raise ValueError(f"no option {key} of a service")


def _policy(policy: specs.UpdatePolicy, part: str, value: str) -> specs.UpdatePolicy:
    match part:
        case "parallelism":
            return replace(policy, parallelism=int(value))
        case "delay":
            return replace(policy, delay_seconds=float(value))
        case "monitor":
            return replace(policy, monitor_seconds=float(value))
        case "ratio":
            return replace(policy, max_failure_ratio=float(value))
        case "action":
            return replace(policy, failure_action=specs.FailureAction(value))
        case "order":
            return replace(policy, order=specs.UpdateOrder(value))
    raise ValueError(f"no option {part} of a policy")


def _dependency(stack: str, text: str) -> specs.Dependency:
    """`db`, `db:healthy`, `db:completed:restart`, `db:started:optional`."""
    name, *words = text.split(":")
    return specs.Dependency(
        service=f"{stack}_{name}",
        condition=specs.DependencyCondition(words[0] if words else "started"),
        restart="restart" in words,
        required="optional" not in words,
    )


def _port(text: str) -> specs.PortSpec:
    """`8080:80`, `8080:80/udp`, `8080:80@host`, `:80` for a number of the manager's choice."""
    text, _, mode = text.partition("@")
    text, _, protocol = text.partition("/")
    published, _, target = text.partition(":")
    return specs.PortSpec(
        target=int(target),
        published=int(published or 0),
        protocol=protocol or "tcp",
        mode=specs.PortMode(mode or "ingress"),
    )


def _command(text: str) -> tuple[str, ...]:
    word, _, rest = text.partition(":")
    if word == "forever":
        return FOREVER
    code, _, seconds = rest.partition(":")
    return ("sh", "-c", f"sleep {seconds or 0}; exit {code}")
