"""Jobs and start order on real engines: a migration between a database and what uses it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

STACK = "ordered"

COMPOSE = """\
services:
  db:
    image: stackctl/busybox:test
    command: [sh, -c, "trap 'exit 0' TERM; sleep 1; touch /tmp/up; while :; do sleep 0.1; done"]
    healthcheck: {{test: [CMD, test, -e, /tmp/up], interval: 0.2s, retries: 50}}
  migrate:
    image: stackctl/busybox:test
    command: [sh, -c, "echo migrated; exit {code}"]
    deploy: {{mode: replicated-job, replicas: 2, restart_policy: {{condition: none}}}}
    depends_on: {{db: {{condition: service_healthy}}}}
  web:
    image: stackctl/busybox:test
    command: [sh, -c, "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    environment: [VERSION={version}]
    deploy: {{replicas: 2, update_config: {{monitor: 1s}}}}
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
"""


@pytest.fixture
def ordered(lab: LabCluster, tmp_path: Path) -> Iterator[tuple[LabCluster, Path]]:
    lab.run("lab", "up")
    try:
        yield lab, tmp_path / "compose.yaml"
    finally:
        lab.try_run("stack", "rm", STACK)


def test_a_stack_comes_up_in_order_and_its_job_runs_once(
    ordered: tuple[LabCluster, Path],
) -> None:
    lab, file = ordered
    file.write_text(COMPOSE.format(code=0, version=1))
    lab.run("deploy", "-c", str(file), STACK)
    shown = {row["Name"]: row for row in lab.rows("stack", "services", STACK)}
    assert shown["ordered_migrate"]["Mode"] == "replicated job"
    assert shown["ordered_migrate"]["Replicas"] == "0/2 (2/2 completed)"
    assert shown["ordered_web"]["Replicas"] == "2/2"
    started = {name: lab.started_at(f"{STACK}_{name}") for name in ("db", "migrate", "web")}
    assert max(started["db"]) < min(started["migrate"])
    assert max(started["migrate"]) < min(started["web"])
    first = {row["ID"] for row in lab.rows("service", "ps", "ordered_migrate")}
    file.write_text(COMPOSE.format(code=0, version=2))
    lab.run("deploy", "-c", str(file), STACK)
    assert {row["ID"] for row in lab.rows("service", "ps", "ordered_migrate")} == first
    lab.run("deploy", "--rerun", "-c", str(file), STACK)
    again = {row["ID"] for row in lab.rows("service", "ps", "ordered_migrate")}
    assert len(again - first) == 2


def test_a_failed_migration_ends_the_deploy_with_its_reason(
    ordered: tuple[LabCluster, Path],
) -> None:
    lab, file = ordered
    file.write_text(COMPOSE.format(code=3, version=1))
    done = lab.try_run("deploy", "-c", str(file), STACK)
    assert done.returncode == 4, done.stderr
    assert "non-zero exit (3)" in done.stderr
    assert "migrated" in done.stderr, "the last lines of the task to blame are not shown"
    assert lab.running_on("ordered_web") == {}
    shown = lab.run("service", "ps", "--no-trunc", "ordered_web")
    assert "waiting for ordered_migrate to complete" in shown
    file.write_text(COMPOSE.format(code=0, version=1))
    lab.run("deploy", "-c", str(file), STACK)
    assert len(lab.running_on("ordered_web")) == 2
