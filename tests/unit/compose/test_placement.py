"""Where tasks may run and where they had better: `deploy.placement` with its keys of ours."""

import pytest

from stackctl.model.specs import Mode, Placement, Rebalance
from tests.unit.compose.document_reading import read_service, service_problems
from tests.unit.compose.stack_folder import StackFolder


def _placement(stack: StackFolder, written: str) -> Placement:
    service, _ = stack.load(_two_services(written)).services
    return service.task.placement


def _two_services(placement: str) -> str:
    body = f"image: web\n    deploy: {{placement: {placement}}}"
    return f"services:\n  web:\n    {body}\n  db:\n    image: db\n"


@pytest.mark.parametrize(
    ("written", "placement"),
    [
        ("{x-prefer: [node.labels.disk==ssd]}", Placement(prefer=("node.labels.disk==ssd",))),
        ("{x-rebalance: auto}", Placement(rebalance=Rebalance.AUTO)),
        ("{x-stay-with-volumes: false}", Placement(stays_with_volumes=False)),
        ("{x-anti-affinity: [db]}", Placement(exclude_services=("shop_db",))),
        (
            "{x-anti-affinity: {preferred: [db, db], required: [other_web]}}",
            Placement(exclude_services=("other_web",), avoid_services=("shop_db",)),
        ),
        (
            "{constraints: ['node.hostname in (a, b)']}",
            Placement(constraints=("node.hostname in (a, b)",)),
        ),
    ],
)
def test_keys_of_ours(stack: StackFolder, written: str, placement: Placement) -> None:
    assert _placement(stack, written) == placement


def test_all_x_keys_are_kept_as_they_stand() -> None:
    body = "x-own: [1]\ndeploy: {x-a: b, placement: {x-prefer: [node.role==worker], x-z: 1}}"
    service = read_service(body)
    assert service.extensions == {"x-own": [1]}
    assert service.deploy.extensions == {"x-a": "b"}
    assert service.deploy.placement_extensions == {"x-prefer": ["node.role==worker"], "x-z": 1}


@pytest.mark.parametrize("mode", [Mode.REPLICATED_JOB, Mode.GLOBAL_JOB])
def test_jobs(mode: Mode) -> None:
    assert read_service(f"deploy: {{mode: {mode.value}}}").deploy.mode is mode


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("x-rebalance: auto", "x-rebalance: belongs under deploy.placement; move it there"),
        ("x-replace-lost: false", "x-replace-lost: belongs under deploy.restart_policy"),
        ("x-on-change: HUP", "x-on-change: belongs to one of the service's configs or secrets"),
        (
            "configs: [{source: app, x-on-change: SIGKILL}]",
            "configs[0].x-on-change: no process can take note of SIGKILL; name one",
        ),
        (
            "secrets: [{source: key, x-on-change: stop}]",
            "secrets[0].x-on-change: no process can take note of stop; name one that it handles",
        ),
        ("deploy: {x-prefer: []}", "deploy.x-prefer: belongs under deploy.placement"),
        (
            "deploy: {placement: {x-rebalance: always}}",
            "x-rebalance: must be never or auto, not text (always)",
        ),
        ("deploy: {placement: {x-prefer: [disk]}}", "x-prefer[0]: invalid constraint 'disk'"),
        (
            "deploy: {placement: {x-anti-affinity: {prefered: [a]}}}",
            "unknown key; did you mean preferred?",
        ),
        (
            "deploy: {mode: replicated-job, update_config: {delay: 1s}}",
            "update_config: a replicated-job is run anew as a whole; remove update_config:",
        ),
    ],
)
def test_mistakes(body: str, problem: str) -> None:
    (found,) = service_problems(body)
    assert problem in found


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("dbb", "undefined service 'dbb'; did you mean db?"),
        ("cache", "undefined service 'cache'; write STACK_SERVICE for one of another stack"),
        ("web", "a service cannot be kept apart from itself; use max_replicas_per_node: 1"),
    ],
)
def test_services_to_keep_apart_from_must_exist(
    stack: StackFolder, name: str, problem: str
) -> None:
    (found,) = stack.problems(_two_services(f"{{x-anti-affinity: [{name}]}}"))
    assert problem in found
