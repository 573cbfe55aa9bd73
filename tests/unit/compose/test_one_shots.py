"""What others wait for until it has completed is not run again and again."""

import pytest

from stackctl.model.specs import DependencyCondition, Mode, RestartCondition
from tests.unit.compose.stack_folder import StackFolder


def _text(migrate: str, condition: str = "service_completed_successfully") -> str:
    return f"""\
services:
  migrate:
    image: app:1
    {migrate}
  web:
    image: app:1
    depends_on:
      migrate: {{condition: {condition}}}
"""


def test_who_is_awaited_is_restarted_on_failure_only(stack: StackFolder) -> None:
    migrate, web = stack.load(_text("init: true")).services
    assert migrate.task.restart.condition is RestartCondition.ON_FAILURE
    assert web.task.restart.condition is RestartCondition.ANY
    assert [item.condition for item in web.depends_on] == [DependencyCondition.COMPLETED]


@pytest.mark.parametrize(
    ("migrate", "condition"),
    [
        ("restart: always", RestartCondition.ANY),
        ('restart: "no"', RestartCondition.NONE),
        ("deploy: {restart_policy: {condition: any}}", RestartCondition.ANY),
    ],
)
def test_what_the_file_says_of_its_restart_holds(
    stack: StackFolder, migrate: str, condition: RestartCondition
) -> None:
    assert stack.load(_text(migrate)).services[0].task.restart.condition is condition


def test_who_has_only_to_be_started_is_restarted_as_ever(stack: StackFolder) -> None:
    migrate = stack.load(_text("init: true", condition="service_started")).services[0]
    assert migrate.task.restart.condition is RestartCondition.ANY


def test_a_job_says_how_many_have_to_complete(stack: StackFolder) -> None:
    migrate = stack.load(_text("deploy: {mode: replicated-job, replicas: 3}")).services[0]
    assert (migrate.mode, migrate.replicas, migrate.max_concurrent) == (Mode.REPLICATED_JOB, 3, 0)
