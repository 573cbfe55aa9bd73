"""`deploy` and `restart`."""

import pytest

from stackctl.model.specs import (
    EndpointMode,
    FailureAction,
    Mode,
    Placement,
    Resources,
    RestartCondition,
    RestartPolicy,
    ServiceSpec,
    UpdateOrder,
    UpdatePolicy,
)
from tests.unit.compose.stack_folder import StackFolder

NAMESPACE = {"com.docker.stack.namespace": "shop"}


def deployed(stack: StackFolder, body: str) -> ServiceSpec:
    return stack.service(f"deploy: {{{body}}}")


@pytest.mark.parametrize("body", ["", "deploy:", "deploy: {}"])
def test_defaults(stack: StackFolder, body: str) -> None:
    service = stack.service(body)
    assert service.mode is Mode.REPLICATED
    assert service.replicas == 1
    assert service.endpoint_mode is EndpointMode.VIP
    assert service.update == service.rollback == UpdatePolicy(monitor_seconds=5, parallelism=1)
    assert service.task.restart == RestartPolicy(delay_seconds=None)
    assert service.task.limits == service.task.reservations == Resources()
    assert service.labels == NAMESPACE


@pytest.mark.parametrize("written", ["3", '"3"', "3.0", "0x3"])
def test_replicas(stack: StackFolder, written: str) -> None:
    assert deployed(stack, f"replicas: {written}").replicas == 3


def test_no_replicas_at_all(stack: StackFolder) -> None:
    assert deployed(stack, "replicas: 0").replicas == 0


def test_global_mode(stack: StackFolder) -> None:
    assert deployed(stack, "mode: global").mode is Mode.GLOBAL


def test_labels_of_deploy_are_those_of_the_service_not_of_the_container(stack: StackFolder) -> None:
    service = stack.service("labels: {a: container}\ndeploy: {labels: [a=service]}")
    assert service.labels == {"a": "service", **NAMESPACE}
    assert service.task.container.labels == {"a": "container", **NAMESPACE}


def test_endpoint_mode(stack: StackFolder) -> None:
    assert deployed(stack, "endpoint_mode: dnsrr").endpoint_mode is EndpointMode.DNSRR


def test_placement(stack: StackFolder) -> None:
    body = """placement: {constraints: [node.role == worker, node.labels.disk!=hdd],
      preferences: [{spread: node.labels.zone}, {spread: engine.labels.rack}],
      max_replicas_per_node: 2}"""
    assert deployed(stack, body).task.placement == Placement(
        constraints=("node.role == worker", "node.labels.disk!=hdd"),
        spread=("node.labels.zone", "engine.labels.rack"),
        replicas_per_node_max=2,
    )


@pytest.mark.parametrize(
    ("written", "nano_cpus"),
    [("0.5", 500_000_000), ("'0.5'", 500_000_000), ("2", 2 * 10**9), ("0", 0)],
)
def test_cpus(stack: StackFolder, written: str, nano_cpus: int) -> None:
    found = deployed(stack, f"resources: {{limits: {{cpus: {written}}}}}").task.limits
    assert found == Resources(nano_cpus=nano_cpus)


def test_limits_and_reservations(stack: StackFolder) -> None:
    body = (
        "resources: {limits: {cpus: '1', memory: 50M, pids: 100}, "
        "reservations: {cpus: 0.25, memory: 20971520}}"
    )
    task = deployed(stack, body).task
    assert task.limits == Resources(nano_cpus=10**9, memory_bytes=50 << 20, pids=100)
    assert task.reservations == Resources(nano_cpus=250_000_000, memory_bytes=20 << 20)


@pytest.mark.parametrize("written", ["-1", "0"])
def test_unlimited_pids(stack: StackFolder, written: str) -> None:
    assert deployed(stack, f"resources: {{limits: {{pids: {written}}}}}").task.limits.pids == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("always", RestartPolicy()),
        ("unless-stopped", RestartPolicy()),
        ('"no"', RestartPolicy(condition=RestartCondition.NONE)),
        ("no", RestartPolicy(condition=RestartCondition.NONE)),
        ("on-failure", RestartPolicy(condition=RestartCondition.ON_FAILURE)),
        ("on-failure:3", RestartPolicy(condition=RestartCondition.ON_FAILURE, attempts_max=3)),
    ],
)
def test_restart(stack: StackFolder, written: str, expected: RestartPolicy) -> None:
    assert stack.service(f"restart: {written}").task.restart == expected


def test_restart_policy_of_deploy_wins_with_a_note(stack: StackFolder) -> None:
    body = (
        'restart: "no"\n'
        "deploy: {restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 2m}}"
    )
    assert stack.service(body).task.restart == RestartPolicy(
        condition=RestartCondition.ON_FAILURE, delay_seconds=5, attempts_max=3, window_seconds=120
    )
    assert stack.notes(stack.service_text(body)) == [
        "4:5: services.web.restart: restart is not used, because deploy.restart_policy is given"
    ]


def test_a_policy_without_delay_backs_off(stack: StackFolder) -> None:
    assert deployed(stack, "restart_policy: {}").task.restart.delay_seconds is None
    assert deployed(stack, "restart_policy: {delay: 0s}").task.restart.delay_seconds == 0


def test_update_and_rollback(stack: StackFolder) -> None:
    service = deployed(
        stack,
        "update_config: {parallelism: 0, delay: 10s, failure_action: rollback, monitor: 1m, "
        "max_failure_ratio: 0.3, order: start-first}, "
        "rollback_config: {parallelism: 2, failure_action: continue, max_failure_ratio: '1'}",
    )
    assert service.update == UpdatePolicy(
        parallelism=0,
        delay_seconds=10,
        monitor_seconds=60,
        failure_action=FailureAction.ROLLBACK,
        max_failure_ratio=0.3,
        order=UpdateOrder.START_FIRST,
    )
    assert service.rollback == UpdatePolicy(
        parallelism=2, failure_action=FailureAction.CONTINUE, max_failure_ratio=1
    )


def test_an_update_block_has_the_same_defaults_as_none(stack: StackFolder) -> None:
    assert deployed(stack, "update_config: {}").update == UpdatePolicy()


@pytest.mark.parametrize(
    ("body", "column", "problem"),
    [
        (
            "mode: globl",
            20,
            (
                "mode: must be replicated, global, replicated-job or global-job, not text (globl);"
                " did you mean global?"
            ),
        ),
        (
            "mode: global, replicas: 2",
            38,
            ("replicas: a global service has one task on each node; remove replicas:"),
        ),
        ("replicas: -1", 24, "replicas: must be at least 0, not -1"),
        ("replicas: 1.5", 24, "replicas: must be a whole number, not a number (1.5)"),
        ("replicas: three", 24, "replicas: must be a whole number, not text (three)"),
        ("replicas: true", 24, "replicas: must be a whole number, not a boolean (true)"),
        ("replicas: 1000000", 24, "replicas: must be at most 100000, not 1000000"),
        (
            "replicas: 1e30",
            24,
            ("replicas: must be at most 100000, not 1e+30"),
        ),
        ("endpoint_mode: vpi", 29, "endpoint_mode: must be vip or dnsrr, not text (vpi)"),
        (
            "labels: {stackctl.a: b}",
            23,
            ("labels.stackctl.a: label stackctl.a is reserved for stackctl itself"),
        ),
        (
            "placement: {constraints: [node.label.disk==ssd]}",
            40,
            (
                "placement.constraints[0]: invalid "
                "constraint 'node.label.disk==ssd': no node has node.label.disk, so no "
                "task could ever be "
                "placed; did you mean node.labels.disk?"
            ),
        ),
        (
            "placement: {constraints: [node.role=manager]}",
            40,
            (
                "placement.constraints[0]: invalid "
                "constraint 'node.role=manager': "
                "a constraint needs one operator, ==, !=, in or not in"
            ),
        ),
        (
            "placement: {constraints: node.role==worker}",
            39,
            ("placement.constraints: must be a list of constraints, not text (node.role==worker)"),
        ),
        (
            "placement: {constraints: [{a: b}]}",
            40,
            ("placement.constraints[0]: must be text, not a mapping"),
        ),
        (
            "placement: {preferences: [{spread: node.id}]}",
            49,
            (
                "placement.preferences[0].spread: "
                "tasks spread over node.labels.NAME or engine.labels.NAME"
            ),
        ),
        (
            "placement: {preferences: [{}]}",
            40,
            ("placement.preferences[0]: no spread is given; write - spread: node.labels.NAME"),
        ),
        (
            "placement: {max_replicas_per_node: -1}",
            49,
            ("placement.max_replicas_per_node: must be at least 0, not -1"),
        ),
        (
            "resources: {limits: {cpus: x}}",
            41,
            ("resources.limits.cpus: 'x': not a number of CPUs such as 0.5 or 2, to nine places"),
        ),
        (
            "resources: {limits: {cpus: -1}}",
            41,
            ("resources.limits.cpus: '-1': not a number of CPUs such as 0.5 or 2, to nine places"),
        ),
        (
            "resources: {limits: {cpus: 0.0001}}",
            41,
            "resources.limits.cpus: must be at least 0.001",
        ),
        (
            "resources: {limits: {memory: 50}}",
            43,
            ("resources.limits.memory: must be at least 6M; a number without a unit counts bytes"),
        ),
        (
            "resources: {limits: {memory: 50.5}}",
            43,
            (
                "resources.limits.memory: must be a size such as "
                "50M or a number of bytes, not a number (50.5)"
            ),
        ),
        (
            "resources: {limits: {pids: -2}}",
            41,
            "resources.limits.pids: must be at least -1, not -2",
        ),
        (
            "resources: {limits: {memory: 10M}, reservations: {memory: 20M}}",
            63,
            "resources.reservations: more memory is reserved than the limit allows",
        ),
        (
            "resources: {limits: {cpus: 1}, reservations: {cpus: 2}}",
            59,
            "resources.reservations: more cpus are reserved than the limit allows",
        ),
        (
            "resources: {reservations: {pids: 5}}",
            41,
            (
                "resources.reservations.pids: processes can be limited, not reserved; "
                "use deploy.resources.limits.pids"
            ),
        ),
        (
            "restart_policy: {condition: always}",
            42,
            (
                "restart_policy.condition: must be any, on-failure or none, not text (always); "
                "here always is called any"
            ),
        ),
        (
            "restart_policy: {delay: 5}",
            38,
            (
                "restart_policy.delay: must be a duration with a unit, "
                "not a number (5); write 5s for seconds"
            ),
        ),
        (
            "restart_policy: {max_attempts: -1}",
            45,
            ("restart_policy.max_attempts: must be at least 0, not -1"),
        ),
        (
            "restart_policy: {window: -1s}",
            39,
            ("restart_policy.window: '-1s': a duration cannot be negative"),
        ),
        (
            "update_config: {max_failure_ratio: 1.5}",
            49,
            ("update_config.max_failure_ratio: must be a number from 0 to 1, not a number (1.5)"),
        ),
        (
            "update_config: {max_failure_ratio: some}",
            49,
            ("update_config.max_failure_ratio: must be a number from 0 to 1, not text (some)"),
        ),
        (
            "update_config: {parallelism: -1}",
            43,
            ("update_config.parallelism: must be at least 0, not -1"),
        ),
        (
            "update_config: {failure_action: stop}",
            46,
            ("update_config.failure_action: must be pause, continue or rollback, not text (stop)"),
        ),
        (
            "update_config: {order: first-start}",
            37,
            ("update_config.order: must be stop-first or start-first, not text (first-start)"),
        ),
        (
            "rollback_config: {failure_action: rollback}",
            48,
            (
                "rollback_config.failure_action: "
                "a rollback that fails cannot roll back again; write pause or continue"
            ),
        ),
        ("update_confg: {}", 14, "update_confg: unknown key; did you mean update_config?"),
    ],
)
def test_mistakes_point_at_the_value(
    stack: StackFolder, body: str, column: int, problem: str
) -> None:
    assert stack.service_problems(f"deploy: {{{body}}}") == [
        f"4:{column}: services.web.deploy.{problem}"
    ]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("sometimes", ""),
        ("false", '; write restart: "no"'),
        ("on-failure:x", ""),
        ("always:3", ""),
        ("[no]", ""),
    ],
)
def test_mistakes_of_restart(stack: StackFolder, written: str, hint: str) -> None:
    (problem,) = stack.service_problems(f"restart: {written}")
    assert problem.startswith(
        "4:14: services.web.restart: must be no, always, unless-stopped or on-failure[:N], not "
    )
    assert problem.endswith(hint)
