"""An engine that is restarted, as by an upgrade: its tasks are followed by others."""

from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FILE = """\
services:
  once:
    image: stackctl/busybox:test
    command: [sh, -c, "trap 'exit 143' TERM; while true; do sleep 0.2; done"]
    environment: {VERSION: "%s"}
    deploy:
      mode: global
      restart_policy: {condition: none}
      update_config: {monitor: 20s, parallelism: 3, failure_action: rollback}
"""


def test_a_restart_of_an_engine_ends_no_service_and_fails_no_update(
    lab: LabCluster, tmp_path: Path
) -> None:
    lab.run("lab", "up")
    file = tmp_path / "stack.yml"
    file.write_text(FILE % 1)
    try:
        lab.run("deploy", "-c", str(file), "engine")
        file.write_text(FILE % 2)
        lab.run("deploy", "--detach", "-c", str(file), "engine")
        eventually(lambda: _versions(lab) == {"2"}, timeout_seconds=30)
        before = lab.running_on("engine_once")
        lab.run("lab", "restart-engine", "worker1")

        def is_whole() -> bool:
            running = lab.running_on("engine_once")
            assert len(running) == len(before), lab.run("service", "ps", "engine_once")
            return len(set(running) - set(before)) == 1

        eventually(is_whole, timeout_seconds=30)
        lab.run("deploy", "-c", str(file), "engine")  # waits for the update under way
        assert _versions(lab) == {"2"}
    finally:
        lab.try_run("stack", "rm", "engine")


def _versions(lab: LabCluster) -> set[str]:
    """Of the running tasks, one for each node."""
    shown = {
        lab.docker(node, "inspect", "--format", "{{.Config.Env}}", name)
        for node in lab.nodes()
        for name in lab.containers(node)
        if name.startswith("engine_once.")
    }
    return {words.partition("VERSION=")[2][:1] for words in shown}
