"""Steps of `pre_start` become jobs that run before the tasks of their service."""

import msgspec
import pytest

from stackctl.model import specs
from stackctl.model.specs import DependencyCondition, Mode, RestartCondition
from tests.unit.compose.stack_folder import StackFolder

WEB = """\
command: serve
entrypoint: [/entry]
user: "1000"
environment: {MODE: serve, KEEP: "1"}
working_dir: /srv
healthcheck: {test: [CMD, check]}
ports: ["8080:80"]
volumes: [data:/data]
depends_on: {db: {condition: service_healthy, restart: true}}
deploy: {replicas: 3, resources: {reservations: {cpus: "1"}, limits: {cpus: "2"}}}
pre_start:
  - {command: ./migrate, user: root, environment: {MODE: migrate}}
  - {image: "tool:2", privileged: true, working_dir: /}
"""
REST = """\
  db: {image: db}
volumes: {data: {}}
"""


def _services(stack: StackFolder, body: str = WEB) -> dict[str, specs.ServiceSpec]:
    return {
        service.name: service
        for service in stack.load(stack.service_text(body, rest=REST)).services
    }


def test_each_step_is_a_job_behind_the_one_before_it(stack: StackFolder) -> None:
    services = _services(stack)
    first, second = services["shop_web-pre-start-1"], services["shop_web-pre-start-2"]
    web = services["shop_web"]
    assert {step.mode for step in (first, second)} == {Mode.REPLICATED_JOB}
    assert {step.replicas for step in (first, second)} == {1}
    healthy, completed = DependencyCondition.HEALTHY, DependencyCondition.COMPLETED
    on_db = specs.Dependency(service="shop_db", condition=healthy, restart=True)
    on_first = specs.Dependency(service=first.name, condition=completed)
    on_second = specs.Dependency(service=second.name, condition=completed)
    assert first.depends_on == (on_db,)
    assert second.depends_on == (on_db, on_first)
    assert web.depends_on == (on_db, on_second)


def test_a_step_is_the_container_of_its_service_with_what_it_says_itself(
    stack: StackFolder,
) -> None:
    services = _services(stack)
    first = services["shop_web-pre-start-1"].task.container
    second = services["shop_web-pre-start-2"].task.container
    web = services["shop_web"].task.container
    assert (first.image, first.command, first.user) == ("nginx", ("./migrate",), "root")
    assert (first.entrypoint, first.working_dir, first.privileged) == (None, "/srv", False)
    assert first.environment == ("KEEP=1", "MODE=migrate")
    assert first.mounts == second.mounts == web.mounts
    assert (second.image, second.command, second.user) == ("tool:2", None, "1000")
    assert (second.working_dir, second.privileged) == ("/", True)
    assert second.environment == web.environment
    assert first.healthcheck == specs.Healthcheck(test=("NONE",))


def test_a_step_is_no_backend_of_its_service_and_keeps_no_room(stack: StackFolder) -> None:
    step = _services(stack)["shop_web-pre-start-1"]
    assert step.ports == ()
    assert [attachment.aliases for attachment in step.task.networks] == [("web-pre-start-1",)]
    assert step.task.reservations == specs.Resources()
    assert step.task.limits.nano_cpus == 2 * specs.NANO
    assert step.task.restart.condition is RestartCondition.ON_FAILURE
    assert step.task.restart.attempts_max == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("command: serve", "command: serve --fast"),
        ('"8080:80"', "{target: 80, published: 8080, mode: host}"),
        ('cpus: "2"', 'cpus: "3"'),
    ],
)
def test_every_step_runs_again_when_tasks_of_its_service_are_replaced(
    stack: StackFolder, old: str, new: str
) -> None:
    before, after = _services(stack), _services(stack, WEB.replace(old, new))
    for number in (1, 2):
        name = f"shop_web-pre-start-{number}"
        assert before[name].task.container != after[name].task.container


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("replicas: 3", "replicas: 5"),
        ("replicas: 3", "update_config: {parallelism: 2}"),
        ("replicas: 3", "restart_policy: {condition: none}"),
        ('"8080:80"', '"8081:80"'),
    ],
)
def test_no_step_runs_again_when_no_task_is_replaced(
    stack: StackFolder, old: str, new: str
) -> None:
    before, after = _services(stack), _services(stack, WEB.replace(old, new))
    for number in (1, 2):
        name = f"shop_web-pre-start-{number}"
        assert before[name].task == after[name].task


def test_steps_stay_where_their_service_may_be(stack: StackFolder) -> None:
    body = "pre_start: [{}]\ndeploy: {placement: {constraints: [node.role == worker]}}"
    step, web = stack.load(stack.service_text(body)).services
    assert step.task.placement == web.task.placement
    assert step.task.placement.constraints


def test_a_service_without_steps_is_as_it_was(stack: StackFolder) -> None:
    with_none = stack.load(stack.service_text("init: true\npre_start: []")).services
    assert with_none == stack.load(stack.service_text("init: true")).services
    assert [service.name for service in with_none] == ["shop_web"]


def test_a_step_for_each_replica_is_refused_with_its_reason(stack: StackFolder) -> None:
    problems = stack.service_problems("pre_start: [{command: a, per_replica: true}]")
    assert len(problems) == 1
    assert "services.web.pre_start[0].per_replica: cannot be honoured in a cluster" in problems[0]
    assert stack.service_problems("pre_start: [{command: a, per_replica: false}]") == []


def test_a_service_must_not_be_called_like_the_job_of_a_step(stack: StackFolder) -> None:
    problems = stack.service_problems(
        "pre_start: [{}, {}]", rest="  web-pre-start-2: {image: nginx}\nvolumes: {}"
    )
    assert len(problems) == 1
    assert "4:21: services.web.pre_start[1]: the job of this step is called" in problems[0]


def test_a_name_too_long_for_the_job_of_a_step_is_told(stack: StackFolder) -> None:
    key = "w" * 50
    problems = stack.problems(f"services:\n  {key}: {{image: nginx, pre_start: [{{}}]}}\n")
    assert len(problems) == 1
    assert "its job has no name: the full name" in problems[0]


def test_a_service_has_a_bounded_number_of_steps(stack: StackFolder) -> None:
    problems = stack.service_problems(f"pre_start: [{'{}, ' * 51}]")
    assert problems == [problems[0]]
    assert "at most 50 steps" in problems[0]


def test_links_order_steps_too(stack: StackFolder) -> None:
    step = _services(stack, "links: [db]\npre_start: [{}]")["shop_web-pre-start-1"]
    assert [item.service for item in step.depends_on] == ["shop_db"]


def test_equal_files_give_equal_steps(stack: StackFolder) -> None:
    again = WEB.replace('{MODE: serve, KEEP: "1"}', '{KEEP: "1", MODE: serve}')
    assert msgspec.json.encode(_services(stack)) == msgspec.json.encode(_services(stack, again))
