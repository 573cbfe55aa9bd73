"""The section `deploy`, where also the service's own words about the same matters end up."""

from collections.abc import Sequence

from stackctl.compose.document import Deploy
from stackctl.compose.printing.container import device_requests
from stackctl.compose.printing.values import (
    cpus_text,
    duration_text,
    extended,
    positive_duration,
    section,
)
from stackctl.compose.printing.yaml_text import Plain
from stackctl.compose.sections.own_keys import REPLACE_LOST
from stackctl.model.devices import DeviceRequest
from stackctl.model.specs import (
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

_UPDATE_DEFAULTS = UpdatePolicy()


def deploy_keys(deploy: Deploy, requests: Sequence[DeviceRequest]) -> dict[str, Plain]:
    """The keys of `deploy`; `requests` are the devices that the container asks for."""
    keys = section(
        {
            "mode": "" if deploy.mode is Mode.REPLICATED else deploy.mode.value,
            "labels": dict(deploy.labels),
            "endpoint_mode": (
                "" if deploy.endpoint_mode is EndpointMode.VIP else deploy.endpoint_mode.value
            ),
            "placement": extended(_placement(deploy.placement), deploy.placement_extensions),
            "resources": section(
                {
                    "limits": _resources(deploy.limits, ()),
                    "reservations": _resources(deploy.reservations, requests),
                }
            ),
            "update_config": _policy(deploy.update),
            "rollback_config": _policy(deploy.rollback),
        },
        {
            "replicas": None if deploy.replicas == 1 else deploy.replicas,
            "restart_policy": _restart_policy(deploy.restart),
        },
    )
    return extended(keys, deploy.extensions)


def _placement(placement: Placement) -> dict[str, Plain]:
    """What Compose says; what only we say is among the extensions, as it was written."""
    return section(
        {
            "constraints": list(placement.constraints),
            "preferences": [{"spread": spread} for spread in placement.spread],
            "max_replicas_per_node": placement.replicas_per_node_max,
        }
    )


def _resources(amount: Resources, requests: Sequence[DeviceRequest]) -> dict[str, Plain]:
    return section(
        {
            "cpus": cpus_text(amount.nano_cpus),
            "memory": amount.memory_bytes,
            "pids": amount.pids,
            "devices": device_requests(requests),
            "generic_resources": [
                {"discrete_resource_spec": {"kind": kind, "value": count}}
                for kind, count in amount.generic.items()
            ],
        }
    )


def _restart_policy(policy: RestartPolicy | None) -> Plain:
    if policy is None:
        return None
    return section(
        {
            "condition": (
                "" if policy.condition is RestartCondition.ANY else policy.condition.value
            ),
            "max_attempts": policy.attempts_max,
            "window": positive_duration(policy.window_seconds),
        },
        {
            "delay": duration_text(policy.delay_seconds),
            REPLACE_LOST: None if policy.replaces_lost else False,
        },
    )


def _policy(policy: UpdatePolicy) -> dict[str, Plain]:
    parallelism, monitor = policy.parallelism, policy.monitor_seconds
    return section(
        {
            "delay": positive_duration(policy.delay_seconds),
            "failure_action": (
                "" if policy.failure_action is FailureAction.PAUSE else policy.failure_action.value
            ),
            "max_failure_ratio": policy.max_failure_ratio,
            "order": "" if policy.order is UpdateOrder.STOP_FIRST else policy.order.value,
        },
        {
            "parallelism": None if parallelism == _UPDATE_DEFAULTS.parallelism else parallelism,
            "monitor": (
                None if monitor == _UPDATE_DEFAULTS.monitor_seconds else duration_text(monitor)
            ),
        },
    )
