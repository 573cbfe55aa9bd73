"""What `deploy` and the service's own keys say of the same matters: amounts and replicas."""

import pytest

from stackctl.model.specs import Resources
from tests.unit.compose.document_reading import read_service, service_problems

_LIMITS = "deploy: {{resources: {{limits: {{{}}}}}}}"
_RESERVED = "deploy: {{resources: {{reservations: {{{}}}}}}}"


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        ("cpus: 0.5", Resources(nano_cpus=500_000_000)),
        ("cpus: '1.5'", Resources(nano_cpus=1_500_000_000)),
        ("mem_limit: 64m", Resources(memory_bytes=64 << 20)),
        ("mem_limit: 67108864", Resources(memory_bytes=64 << 20)),
        ("pids_limit: 100", Resources(pids=100)),
        ("pids_limit: -1", Resources()),
        ("mem_limit: 64m\n" + _LIMITS.format("memory: 67108864"), Resources(memory_bytes=64 << 20)),
        ("mem_limit: 64m\n" + _LIMITS.format("pids: 7"), Resources(memory_bytes=64 << 20, pids=7)),
        ("pids_limit: 7\n" + _LIMITS.format("pids: '7'"), Resources(pids=7)),
    ],
)
def test_limits(body: str, limits: Resources) -> None:
    assert read_service(body).deploy.limits == limits


def test_reservations() -> None:
    reserved = "generic_resources: [{discrete_resource_spec: {kind: gpu, value: '2'}}]"
    deploy = read_service("mem_reservation: 32m\n" + _RESERVED.format(reserved)).deploy
    assert deploy.reservations == Resources(memory_bytes=32 << 20, generic={"gpu": 2})


@pytest.mark.parametrize(
    ("body", "replicas"),
    [
        ("scale: 3", 3),
        ("scale: '0'", 0),
        ("scale: 3\ndeploy: {replicas: 3}", 3),
        ("scale: 3\ndeploy: {mode: replicated-job}", 3),
    ],
)
def test_scale_is_the_number_of_replicas(body: str, replicas: int) -> None:
    assert read_service(body).deploy.replicas == replicas


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "cpus: 1\n" + _LIMITS.format("cpus: '2'"),
            "cpus: contradicts deploy.resources.limits.cpus",
        ),
        (
            "mem_limit: 1g\n" + _LIMITS.format("memory: 2g"),
            "mem_limit: contradicts deploy.resources.limits.memory; remove one of the two",
        ),
        (
            "mem_reservation: 1g\n" + _RESERVED.format("memory: 2g"),
            "mem_reservation: contradicts deploy.resources.reservations.memory",
        ),
        (
            "pids_limit: 5\n" + _LIMITS.format("pids: -1"),
            "pids_limit: contradicts deploy.resources.limits.pids",
        ),
        ("scale: 2\ndeploy: {replicas: 1}", "scale: contradicts deploy.replicas (1)"),
        ("scale: 2\ndeploy: {mode: global}", "scale: a global service has one task on each node"),
        ("scale: -1", "scale: must be at least 0, not -1"),
        ("cpus: 0.0001", "cpus: must be at least 0.001"),
        ("mem_limit: 1m", "mem_limit: must be at least 6M"),
        ("mem_limit: 10m\nmem_reservation: 20m", "more memory is reserved than the limit allows"),
        (
            "mem_limit: 10m\n" + _RESERVED.format("memory: 20m"),
            "mem_limit: more memory is reserved than the limit allows",
        ),
        ("pids_limit: -2", "pids_limit: must be at least -1, not -2"),
        (
            _RESERVED.format("generic_resources: [{discrete_resource_spec: {kind: gpu}}]"),
            "discrete_resource_spec: needs both kind and value",
        ),
        (
            _RESERVED.format("generic_resources: [{kind: gpu}]"),
            "generic_resources[0]: no discrete_resource_spec is given",
        ),
        (
            _RESERVED.format(
                "generic_resources: [{discrete_resource_spec: {kind: a, value: 1}},"
                " {discrete_resource_spec: {kind: a, value: 1}}]"
            ),
            "a is named twice",
        ),
    ],
)
def test_mistakes(body: str, problem: str) -> None:
    assert problem in service_problems(body)[0]
