"""`deploy` and `restart`: how many tasks, where, with what, and how they are replaced.

Two deviations from `docker stack deploy`, both on purpose: `restart: "no"` really means no
restart, and a policy without `delay` backs off instead of waiting five seconds.
"""

import re
from typing import NamedTuple

from stackctl.compose.document import Deploy
from stackctl.compose.sections.amounts import REPLICAS_MAX
from stackctl.compose.sections.own_keys import REPLACE_LOST, check_own_keys
from stackctl.compose.sections.placement import (
    ReadPlacement,
    read_placement,
)
from stackctl.compose.sections.reading import Fields, Reader, Value
from stackctl.compose.sections.resources import ReadResources, read_resources
from stackctl.compose.sections.scalars import boolean, choice, duration, integer, labels, ratio
from stackctl.model.devices import DeviceRequest
from stackctl.model.specs import (
    EndpointMode,
    FailureAction,
    Mode,
    RestartCondition,
    RestartPolicy,
    UpdateOrder,
    UpdatePolicy,
)

# What `restart` calls a condition, and `deploy.restart_policy` calls something else.
_CONDITIONS_BY_RESTART = {"always": "any", "unless-stopped": "any", "no": "none"}
_ON_FAILURE = re.compile(r"on-failure(?::([0-9]{1,9}))?")


class ReadDeploy(NamedTuple):
    """The section, and the devices that it asks the engine for."""

    deploy: Deploy = Deploy()
    devices: tuple[DeviceRequest, ...] = ()


def read_deploy(value: Value) -> ReadDeploy:
    """The section `deploy`; empty is allowed."""
    if value.is_null:
        return ReadDeploy()
    fields = Fields(value)
    mode = fields.read("mode", choice(Mode, Mode.REPLICATED), Mode.REPLICATED)
    replicas = fields.get("replicas")
    if replicas is not None and mode.is_global:
        replicas.problem(f"a {mode.value} service has one task on each node", "remove replicas:")
    resources = fields.read("resources", read_resources, ReadResources())
    placement = fields.read("placement", read_placement, ReadPlacement())
    _check_policies_of_jobs(fields, mode)
    deploy = Deploy(
        mode=mode,
        replicas=1 if replicas is None else integer(maximum=REPLICAS_MAX)(replicas),
        labels=fields.read("labels", labels, {}),
        endpoint_mode=fields.read(
            "endpoint_mode", choice(EndpointMode, EndpointMode.VIP), EndpointMode.VIP
        ),
        placement=placement.placement,
        apart=placement.apart,
        limits=resources.limits,
        reservations=resources.reservations,
        restart=fields.read("restart_policy", _restart_policy, None),
        update=fields.read("update_config", _update_policy(tuple(FailureAction)), UpdatePolicy()),
        rollback=fields.read(
            "rollback_config",
            _update_policy((FailureAction.PAUSE, FailureAction.CONTINUE)),
            UpdatePolicy(),
        ),
        extensions=fields.extensions(),
        placement_extensions=placement.extensions,
    )
    check_own_keys(fields)
    fields.finish()
    return ReadDeploy(deploy, resources.devices)


def _check_policies_of_jobs(fields: Fields, mode: Mode) -> None:
    if not mode.is_job:
        return
    for key in ("update_config", "rollback_config"):
        policy = fields.get(key)
        if policy is not None:
            policy.key_problem(f"a {mode.value} is run anew as a whole", f"remove {key}:")


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


def _restart_policy(value: Value) -> RestartPolicy:
    fields = Fields(value)
    policy = RestartPolicy(
        condition=fields.read("condition", _restart_condition, RestartCondition.ANY),
        delay_seconds=fields.read("delay", duration, None),
        attempts_max=fields.read("max_attempts", integer(), 0),
        window_seconds=fields.read("window", duration, 0.0),
        replaces_lost=fields.read(REPLACE_LOST, boolean, True),
    )
    window = fields.get("window")
    if window is not None and 0 < policy.window_seconds < (policy.delay_seconds or 0):
        window.problem(
            "is shorter than delay, so no two restarts would ever be counted together",
            "make window several times as long as delay, or remove it",
        )
    fields.finish()
    return policy


def _restart_condition(value: Value) -> RestartCondition:
    as_restart_says = _CONDITIONS_BY_RESTART.get(str(value.written))
    if as_restart_says:
        value.expected(
            "any, on-failure or none", f"here {value.written} is called {as_restart_says}"
        )
        return RestartCondition(as_restart_says)
    return choice(RestartCondition, RestartCondition.ANY)(value)


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
        fields.finish()
        return policy

    return read


def _action(value: Value, allowed: tuple[FailureAction, ...]) -> FailureAction:
    if value.written == FailureAction.ROLLBACK and FailureAction.ROLLBACK not in allowed:
        value.problem("a rollback that fails cannot roll back again", "write pause or continue")
        return FailureAction.PAUSE
    return choice(FailureAction, FailureAction.PAUSE)(value)
