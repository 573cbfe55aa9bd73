"""`pre_start` on real engines: a migration before each change of the tasks that need it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.e2e.cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

STACK = "stepped"
WEB = f"{STACK}_web"
MIGRATION = f"{STACK}_web-pre-start-1"
FOLLOWING = f"{STACK}_web-pre-start-2"

COMPOSE = """\
services:
  web:
    image: {image}
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    environment: [SCHEMA=web]
    deploy: {{replicas: {replicas}, update_config: {{monitor: 1s}}}}
    pre_start:
      - command: [sh, -c, "echo migrated to $$SCHEMA as $$(id -u); exit {code}"]
        user: "1000"
        environment: [SCHEMA=new]
      - image: stackctl/busybox:test
        command: ["true"]
"""
IMAGE = "stackctl/busybox:test"
OTHER_IMAGE = "stackctl/busybox:other"


class Stepped(msgspec.Struct):
    """A stack whose service has steps."""

    lab: LabCluster
    file: Path

    def write(self, *, image: str = IMAGE, replicas: int = 2, code: int = 0) -> list[str]:
        """The words that deploy the stack so."""
        self.file.write_text(COMPOSE.format(image=image, replicas=replicas, code=code))
        return ["deploy", "-c", str(self.file), STACK]

    def runs(self, service: str) -> set[str]:
        """The tasks that the service has had."""
        return {row["ID"] for row in self.lab.rows("service", "ps", service)}


@pytest.fixture
def stepped(lab: LabCluster, tmp_path: Path) -> Iterator[Stepped]:
    lab.run("lab", "up")
    for node in lab.nodes():
        lab.docker(node, "tag", IMAGE, OTHER_IMAGE)
    try:
        yield Stepped(lab, tmp_path / "compose.yaml")
    finally:
        lab.try_run("stack", "rm", STACK)


def test_steps_run_once_before_tasks_and_again_when_tasks_are_replaced(stepped: Stepped) -> None:
    lab = stepped.lab
    lab.run(*stepped.write())
    first = stepped.runs(MIGRATION)
    assert (len(first), len(stepped.runs(FOLLOWING))) == (1, 1)
    order = [lab.started_at(name) for name in (MIGRATION, FOLLOWING, WEB)]
    assert [len(times) for times in order] == [1, 1, 2]
    assert order[0][0] < order[1][0] < min(order[2])
    assert "migrated to new as 1000" in lab.run("service", "logs", MIGRATION)
    web = lab.running_on(WEB)

    lab.run(*stepped.write())
    lab.run(*stepped.write(replicas=3))
    lab.run("service", "scale", f"{WEB}=2")
    assert stepped.runs(MIGRATION) == first, "run again although no task was replaced"
    assert len(lab.running_on(WEB).keys() & web.keys()) == 2

    lab.run(*stepped.write(image=OTHER_IMAGE))
    assert len(stepped.runs(MIGRATION) - first) == 1
    assert len(stepped.runs(FOLLOWING)) == 2, "a step with an image of its own did not run again"
    assert not lab.running_on(WEB).keys() & web.keys()


def test_a_failing_step_ends_the_deploy_and_leaves_the_old_tasks(stepped: Stepped) -> None:
    lab = stepped.lab
    lab.run(*stepped.write())
    web = lab.running_on(WEB)
    assert len(web) == 2
    done = lab.try_run(*stepped.write(image=OTHER_IMAGE, code=3))
    assert done.returncode == 4, done.stderr
    assert "non-zero exit (3)" in done.stderr
    assert "migrated to new" in done.stderr, "the step's last lines are not shown"
    assert lab.running_on(WEB) == web
    lab.run(*stepped.write(image=OTHER_IMAGE))
    assert not lab.running_on(WEB).keys() & web.keys()
