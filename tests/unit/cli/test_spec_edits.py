"""The flags of `service update`: each changes what it says, and nothing else."""

from typing import Any

import pytest
from msgspec.structs import replace

from stackctl.cli.spec_edits import EDITS, edit_spec, get
from stackctl.cli.update_flags import FLAGS
from stackctl.errors import InputError
from stackctl.model import specs

PLAIN = specs.ServiceSpec(
    name="shop_web", task=specs.TaskSpec(container=specs.ContainerSpec(image="web:1"))
)

# flag, values, path of the field, what it is then
CASES: list[tuple[str, tuple[str, ...], str, Any]] = [
    ("image", ("web:2",), "task.container.image", "web:2"),
    ("args", ("sleep '1 2'",), "task.container.command", ("sleep", "1 2")),
    ("entrypoint", ("",), "task.container.entrypoint", None),
    ("replicas", ("5",), "replicas", 5),
    ("max-concurrent", ("2",), "max_concurrent", 2),
    ("env-add", ("B=2", "A=1"), "task.container.environment", ("A=1", "B=2")),
    ("label-add", ("b", "a=1"), "labels", {"a": "1", "b": ""}),
    ("container-label-add", ("a=1",), "task.container.labels", {"a": "1"}),
    (
        "constraint-add",
        ("node.role==worker",),
        "task.placement.constraints",
        ("node.role==worker",),
    ),
    ("placement-pref-add", ("spread=node.labels.a",), "task.placement.spread", ("node.labels.a",)),
    ("replicas-max-per-node", ("1",), "task.placement.replicas_per_node_max", 1),
    ("publish-add", ("8080:80",), "ports", (specs.PortSpec(target=80, published=8080),)),
    (
        "publish-add",
        ("published=53,target=5353,protocol=udp,mode=host",),
        "ports",
        (specs.PortSpec(target=5353, published=53, protocol="udp", mode=specs.PortMode.HOST),),
    ),
    ("network-add", ("shop_b",), "task.networks", (specs.NetworkAttachment(network="shop_b"),)),
    (
        "mount-add",
        ("type=bind,source=/a,target=/b,readonly",),
        "task.container.mounts",
        (specs.Mount(kind=specs.MountKind.BIND, source="/a", target="/b", read_only=True),),
    ),
    (
        "config-add",
        ("shop_c:/etc/c",),
        "task.container.configs",
        (specs.ConfigReference(name="shop_c", target="/etc/c"),),
    ),
    (
        "secret-add",
        ("shop_s",),
        "task.container.secrets",
        (specs.ConfigReference(name="shop_s", target="/run/secrets/shop_s"),),
    ),
    ("host-add", ("a:10.0.0.1",), "task.container.extra_hosts", ("a:10.0.0.1",)),
    ("dns-add", ("10.0.0.1",), "task.container.dns", ("10.0.0.1",)),
    ("dns-search-add", ("a.b",), "task.container.dns_search", ("a.b",)),
    ("dns-option-add", ("ndots:1",), "task.container.dns_options", ("ndots:1",)),
    ("group-add", ("audio",), "task.container.groups", ("audio",)),
    (
        "ulimit-add",
        ("nofile=10:20",),
        "task.container.ulimits",
        (specs.Ulimit(name="nofile", soft=10, hard=20),),
    ),
    (
        "sysctl-add",
        ("net.core.somaxconn=9",),
        "task.container.sysctls",
        {"net.core.somaxconn": "9"},
    ),
    ("generic-resource-add", ("gpu=2",), "task.reservations.generic", {"gpu": 2}),
    ("cap-add", ("net_admin",), "task.container.cap_add", ("CAP_NET_ADMIN",)),
    ("cap-drop", ("ALL",), "task.container.cap_drop", ("ALL",)),
    ("limit-cpu", ("0.5",), "task.limits.nano_cpus", 500_000_000),
    ("limit-memory", ("50M",), "task.limits.memory_bytes", 50 << 20),
    ("limit-pids", ("7",), "task.limits.pids", 7),
    ("reserve-cpu", ("2",), "task.reservations.nano_cpus", 2_000_000_000),
    ("reserve-memory", ("1g",), "task.reservations.memory_bytes", 1 << 30),
    ("restart-condition", ("none",), "task.restart.condition", specs.RestartCondition.NONE),
    ("restart-delay", ("1m30s",), "task.restart.delay_seconds", 90.0),
    ("restart-delay", ("auto",), "task.restart.delay_seconds", None),
    ("restart-max-attempts", ("3",), "task.restart.attempts_max", 3),
    ("restart-window", ("1m",), "task.restart.window_seconds", 60.0),
    ("update-parallelism", ("0",), "update.parallelism", 0),
    ("update-delay", ("2s",), "update.delay_seconds", 2.0),
    ("update-monitor", ("3s",), "update.monitor_seconds", 3.0),
    ("update-failure-action", ("rollback",), "update.failure_action", specs.FailureAction.ROLLBACK),
    ("update-max-failure-ratio", ("0.2",), "update.max_failure_ratio", 0.2),
    ("update-order", ("start-first",), "update.order", specs.UpdateOrder.START_FIRST),
    ("rollback-parallelism", ("4",), "rollback.parallelism", 4),
    ("rollback-delay", ("2s",), "rollback.delay_seconds", 2.0),
    ("rollback-monitor", ("3s",), "rollback.monitor_seconds", 3.0),
    (
        "rollback-failure-action",
        ("continue",),
        "rollback.failure_action",
        specs.FailureAction.CONTINUE,
    ),
    ("rollback-max-failure-ratio", ("1",), "rollback.max_failure_ratio", 1.0),
    ("rollback-order", ("start-first",), "rollback.order", specs.UpdateOrder.START_FIRST),
    ("health-cmd", ("true",), "task.container.healthcheck.test", ("CMD-SHELL", "true")),
    ("health-interval", ("1s",), "task.container.healthcheck.interval_seconds", 1.0),
    ("health-timeout", ("2s",), "task.container.healthcheck.timeout_seconds", 2.0),
    ("health-retries", ("4",), "task.container.healthcheck.retries", 4),
    ("health-start-period", ("5s",), "task.container.healthcheck.start_period_seconds", 5.0),
    ("user", ("nobody",), "task.container.user", "nobody"),
    ("workdir", ("/a",), "task.container.working_dir", "/a"),
    ("hostname", ("a",), "task.container.hostname", "a"),
    ("stop-grace-period", ("1s",), "task.container.stop_grace_period_seconds", 1.0),
    ("stop-signal", ("SIGINT",), "task.container.stop_signal", "SIGINT"),
    ("log-driver", ("none",), "task.container.log_driver", specs.LogDriver(name="none")),
    ("log-opt", ("a=1",), "task.container.log_driver", specs.LogDriver(options={"a": "1"})),
    ("endpoint-mode", ("dnsrr",), "endpoint_mode", specs.EndpointMode.DNSRR),
    ("init", ("true",), "task.container.init", True),
    ("read-only", ("true",), "task.container.read_only", True),
    ("tty", ("true",), "task.container.tty", True),
    ("no-healthcheck", ("true",), "task.container.healthcheck.test", ("NONE",)),
]

# removing flag, what it names -> the adding flag whose effect it takes back
REMOVALS = {
    "env": "A",
    "label": "a",
    "container-label": "a",
    "constraint": "node.role==worker",
    "placement-pref": "spread=node.labels.a",
    "publish": "80",
    "network": "shop_b",
    "mount": "/b",
    "config": "shop_c",
    "secret": "shop_s",
    "host": "a:10.0.0.1",
    "dns": "10.0.0.1",
    "dns-search": "a.b",
    "dns-option": "ndots:1",
    "group": "audio",
    "ulimit": "nofile",
    "sysctl": "net.core.somaxconn",
    "generic-resource": "gpu",
}


@pytest.mark.parametrize(("flag", "values", "path", "expected"), CASES)
def test_a_flag_changes_its_field(
    flag: str, values: tuple[str, ...], path: str, expected: Any
) -> None:
    assert get(edit_spec(PLAIN, {flag: values}), path) == expected


@pytest.mark.parametrize("name", REMOVALS)
def test_what_was_added_can_be_removed(name: str) -> None:
    values = next(case[1] for case in CASES if case[0] == f"{name}-add")
    added = edit_spec(PLAIN, {f"{name}-add": values[-1:]})
    assert edit_spec(added, {f"{name}-rm": (REMOVALS[name],)}) == PLAIN


@pytest.mark.parametrize("name", REMOVALS)
def test_removing_what_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="the service has no"):
        edit_spec(PLAIN, {f"{name}-rm": (REMOVALS[name],)})


def test_every_flag_has_an_effect_and_a_case() -> None:
    names = {flag.name for flag in FLAGS}
    assert names == set(EDITS)
    assert names == {case[0] for case in CASES} | {f"{name}-rm" for name in REMOVALS}


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("replicas", "-1"),
        ("limit-memory", "lots"),
        ("update-order", "first"),
        ("update-max-failure-ratio", "2"),
        ("publish-add", "http"),
        ("mount-add", "type=bind,source=/a"),
        ("mount-add", "target=/a,colour=red"),
        ("env-add", "KEY"),
        ("args", "'open"),
        ("init", "yes"),
    ],
)
def test_a_value_that_is_none_names_its_flag(flag: str, value: str) -> None:
    with pytest.raises(InputError, match=f"^--{flag}: "):
        edit_spec(PLAIN, {flag: (value,)})


def test_a_global_service_takes_no_number_of_replicas() -> None:
    with pytest.raises(InputError, match="one task on each node"):
        edit_spec(replace(PLAIN, mode=specs.Mode.GLOBAL), {"replicas": ("2",)})
