"""`deploy` and `restart`: how many tasks, where, with what, and how they are replaced.

Two deviations from `docker stack deploy`, both on purpose: `restart: "no"` really means no
restart, and a policy without `delay` backs off instead of waiting five seconds.
"""

import re

from stackctl.compose.document import Deploy
from stackctl.compose.grammar.constraints import (
    LABEL_PREFIXES,
    ConstraintError,
    is_label_key,
    near_keys,
    parse_constraint,
)
from stackctl.compose.problems import shown
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.scalars import (
    byte_size,
    choice,
    duration,
    integer,
    labels,
    nano_cpus,
    ratio,
    text,
)
from stackctl.compose.sections.unsupported import DEPLOY_RESOURCES_RESERVATIONS
from stackctl.model.specs import (
    NANO,
    EndpointMode,
    FailureAction,
    Mode,
    Placement,
    Resources,
    RestartCondition,
    RestartPolicy,
    UpdateOrder,
    UpdatePolicy,
)

REPLICAS_MAX = 100_000

_CPUS_MINIMUM = NANO // 1000
_MEMORY_MINIMUM = 6 << 20  # the engine refuses a container with less
_PIDS_UNLIMITED = (-1, 0)
_ON_FAILURE = re.compile(r"on-failure(?::([0-9]{1,9}))?")


def read_deploy(value: Value) -> Deploy:
    """The section `deploy`; empty is allowed."""
    if value.is_null:
        return Deploy()
    fields = Fields(value)
    mode = fields.read("mode", choice(Mode, Mode.REPLICATED), Mode.REPLICATED)
    replicas = fields.get("replicas")
    if replicas is not None and mode.is_global:
        replicas.problem(f"a {mode.value} service has one task on each node", "remove replicas:")
    limits, reservations = fields.read("resources", _resources, (Resources(), Resources()))
    deploy = Deploy(
        mode=mode,
        replicas=1 if replicas is None else integer(maximum=REPLICAS_MAX)(replicas),
        labels=fields.read("labels", labels, {}),
        endpoint_mode=fields.read(
            "endpoint_mode", choice(EndpointMode, EndpointMode.VIP), EndpointMode.VIP
        ),
        placement=fields.read("placement", _placement, Placement()),
        limits=limits,
        reservations=reservations,
        restart=fields.read("restart_policy", _restart_policy, None),
        update=fields.read("update_config", _update_policy(tuple(FailureAction)), UpdatePolicy()),
        rollback=fields.read(
            "rollback_config",
            _update_policy((FailureAction.PAUSE, FailureAction.CONTINUE)),
            UpdatePolicy(),
        ),
    )
    fields.finish({})
    return deploy


def read_restart(value: Value) -> RestartPolicy:
    """The key `restart` of a service, which holds where `deploy.restart_policy` is absent."""
    written = value.written
    if written in ("always", "unless-stopped"):
        return RestartPolicy()
    if written == "no":
        return RestartPolicy(condition=RestartCondition.NONE)
    on_failure = _ON_FAILURE.fullmatch(written) if isinstance(written, str) else None
    if on_failure:
        attempts = int(on_failure[1] or 0)
        return RestartPolicy(condition=RestartCondition.ON_FAILURE, attempts_max=attempts)
    hint = 'write restart: "no"' if written is False else None
    value.expected("no, always, unless-stopped or on-failure[:N]", hint)
    return RestartPolicy()


def _resources(value: Value) -> tuple[Resources, Resources]:
    fields = Fields(value)
    limits = fields.get("limits")
    reservations = fields.get("reservations")
    fields.finish({})
    limit = Resources() if limits is None else _limits(limits)
    reserved = Resources() if reservations is None else _reservations(reservations)
    if reservations is not None:
        if 0 < limit.memory_bytes < reserved.memory_bytes:
            reservations.problem("more memory is reserved than the limit allows")
        if 0 < limit.nano_cpus < reserved.nano_cpus:
            reservations.problem("more cpus are reserved than the limit allows")
    return limit, reserved


def _limits(value: Value) -> Resources:
    fields = Fields(value)
    resources = Resources(
        nano_cpus=fields.read("cpus", _cpus, 0),
        memory_bytes=fields.read("memory", _memory, 0),
        pids=fields.read("pids", _pids, 0),
    )
    fields.finish({})
    return resources


def _reservations(value: Value) -> Resources:
    fields = Fields(value)
    resources = Resources(
        nano_cpus=fields.read("cpus", _cpus, 0), memory_bytes=fields.read("memory", _memory, 0)
    )
    fields.finish(DEPLOY_RESOURCES_RESERVATIONS)
    return resources


def _cpus(value: Value) -> int:
    cpus = nano_cpus(value)
    if 0 < cpus < _CPUS_MINIMUM:
        value.problem("must be at least 0.001")
    return cpus


def _memory(value: Value) -> int:
    memory = byte_size(value)
    if 0 < memory < _MEMORY_MINIMUM:
        value.problem("must be at least 6M; a number without a unit counts bytes")
    return memory


def _pids(value: Value) -> int:
    pids = integer(minimum=-1)(value)
    return 0 if pids in _PIDS_UNLIMITED else pids


def _placement(value: Value) -> Placement:
    fields = Fields(value)
    placement = Placement(
        constraints=fields.read("constraints", _constraints, ()),
        spread=fields.read("preferences", _preferences, ()),
        replicas_per_node_max=fields.read("max_replicas_per_node", integer(), 0),
    )
    fields.finish({})
    return placement


def _constraints(value: Value) -> tuple[str, ...]:
    found: list[str] = []
    for item in value.items("a list of constraints"):
        written = text(item)
        if not isinstance(item.written, str):
            continue
        found.append(written)
        try:
            parse_constraint(written)
        except ConstraintError as error:
            wrong = error.wrong_key
            hint = item.reading.log.near(wrong, near_keys(wrong)) if wrong else None
            item.problem(f"invalid constraint {shown(written)!r}: {error}", hint)
    return tuple(found)


def _preferences(value: Value) -> tuple[str, ...]:
    found: list[str] = []
    for item in value.items("a list of preferences"):
        fields = Fields(item)
        spread = fields.get("spread")
        fields.finish({})
        if spread is None:
            if item.is_mapping():
                item.problem("no spread is given", "write - spread: node.labels.NAME")
            continue
        key = text(spread)
        if not is_label_key(key) and isinstance(spread.written, str):
            spread.problem(
                f"tasks spread over {' or '.join(f'{prefix}NAME' for prefix in LABEL_PREFIXES)}"
            )
        found.append(key)
    return tuple(found)


def _restart_policy(value: Value) -> RestartPolicy:
    fields = Fields(value)
    condition = choice(RestartCondition, RestartCondition.ANY)
    policy = RestartPolicy(
        condition=fields.read("condition", condition, RestartCondition.ANY),
        delay_seconds=fields.read("delay", duration, None),
        attempts_max=fields.read("max_attempts", integer(), 0),
        window_seconds=fields.read("window", duration, 0.0),
    )
    fields.finish({})
    return policy


def _update_policy(actions: tuple[FailureAction, ...]) -> Reader[UpdatePolicy]:
    def read(value: Value) -> UpdatePolicy:
        fields = Fields(value)
        action = fields.get("failure_action")
        order = choice(UpdateOrder, UpdateOrder.STOP_FIRST)
        policy = UpdatePolicy(
            parallelism=fields.read("parallelism", integer(), 1),
            delay_seconds=fields.read("delay", duration, 0.0),
            monitor_seconds=fields.read("monitor", duration, 5.0),
            failure_action=FailureAction.PAUSE if action is None else _action(action, actions),
            max_failure_ratio=fields.read("max_failure_ratio", ratio, 0.0),
            order=fields.read("order", order, UpdateOrder.STOP_FIRST),
        )
        fields.finish({})
        return policy

    return read


def _action(value: Value, allowed: tuple[FailureAction, ...]) -> FailureAction:
    if value.written == FailureAction.ROLLBACK and FailureAction.ROLLBACK not in allowed:
        value.problem("a rollback that fails cannot roll back again", "write pause or continue")
        return FailureAction.PAUSE
    return choice(FailureAction, FailureAction.PAUSE)(value)
