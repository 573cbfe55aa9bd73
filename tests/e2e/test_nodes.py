"""Nodes that are drained, return, are set up anew, and are removed."""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SLEEPER = """
    image: stackctl/busybox:test
    command: sh -c "trap 'exit 0' TERM; while true; do sleep 0.2; done"
"""
STACK = f"""
services:
  page:{SLEEPER}
    deploy:
      replicas: 6
      update_config: {{parallelism: 1, monitor: 200ms}}
  mover:{SLEEPER}
    deploy:
      replicas: 3
      update_config: {{parallelism: 1, monitor: 200ms}}
      placement: {{x-rebalance: auto}}
"""


@pytest.fixture
def moving(lab: LabCluster, tmp_path: Path) -> Iterator[LabCluster]:
    file = tmp_path / "moving.yml"
    file.write_text(STACK)
    lab.run("lab", "up")
    lab.run("deploy", "-c", str(file), "moving")
    yield lab
    lab.run("lab", "up")
    lab.run("node", "update", "--availability", "active", "worker2")
    lab.run("stack", "rm", "moving")


def spread(lab: LabCluster, service: str) -> Counter[str]:
    """How many running tasks of the service each node has."""
    return Counter(lab.running_on(service).values())


def await_spread(lab: LabCluster, service: str, *, seconds: float, **wanted: int) -> None:
    def is_spread() -> bool:
        found = spread(lab, service)
        assert found == wanted, found
        return True

    eventually(is_spread, timeout_seconds=seconds, period_seconds=0.3)


def ready(lab: LabCluster, node: str) -> bool:
    return any(
        row["Hostname"] == node and row["Status"] == "Ready" for row in lab.rows("node", "ls")
    )


def test_tasks_return_to_a_node_that_has_come_back(moving: LabCluster) -> None:
    moving.run("lab", "pause", "worker2")
    await_spread(moving, "moving_page", seconds=30, manager1=3, worker1=3)
    moving.run("lab", "resume", "worker2")
    eventually(lambda: ready(moving, "worker2"), timeout_seconds=20)
    assert "moving_page" in moving.run("rebalance", "--plan", "moving_page")
    assert moving.run("rebalance", "moving_page") == "moved 2 tasks\n"
    assert spread(moving, "moving_page") == {"manager1": 2, "worker1": 2, "worker2": 2}
    assert moving.run("rebalance", "--plan", "moving_page") == "nothing to move\n"
    # A service that moves by itself waits until the node has proved itself for half a minute.
    await_spread(moving, "moving_mover", seconds=60, manager1=1, worker1=1, worker2=1)


def test_a_drain_ends_with_an_empty_node_and_says_so(moving: LabCluster) -> None:
    done = moving.try_run("node", "update", "--availability", "drain", "worker2")
    assert done.returncode == 0, done
    assert "moving_page: gone" in done.stderr, done.stderr
    assert done.stderr.splitlines()[-1] == "Node worker2 is empty"
    assert moving.containers("worker2") == []
    assert spread(moving, "moving_page").total() == 6


ONLY_HERE = """
services:
  bound:
    image: nginx:1.22
    deploy:
      placement: {constraints: [node.hostname == worker2]}
  rare:
    image: only/here:1
    deploy:
      placement: {x-prefer: [node.hostname == worker2]}
"""


def test_a_drain_says_what_cannot_move_and_why(lab: LabCluster, tmp_path: Path) -> None:
    (tmp_path / "only.yml").write_text(ONLY_HERE)
    lab.run("lab", "up")
    lab.docker("worker2", "tag", "nginx:1.22", "only/here:1")
    try:
        lab.run("deploy", "-c", str(tmp_path / "only.yml"), "only")
        words = ("node", "update", "--availability", "drain", "--timeout", "8", "worker2")
        stuck = lab.try_run(*words)
        assert stuck.returncode == 4, stuck
        assert "only_rare.1 cannot run elsewhere: " in stuck.stderr, stuck.stderr
        assert "runs nowhere now: only_bound.1: no suitable node" in stuck.stderr, stuck.stderr
        assert list(lab.running_on("only_rare").values()) == ["worker2"]
        for node in ("manager1", "worker1"):
            lab.docker(node, "tag", "nginx:1.22", "only/here:1")
        done = lab.try_run("node", "update", "--availability", "drain", "worker2")
        assert done.returncode == 0, done
        assert lab.containers("worker2") == []
    finally:
        lab.run("node", "update", "--availability", "active", "worker2")
        lab.run("stack", "rm", "only")


def folder_of(lab: LabCluster, node: str) -> Path:
    """What the lab keeps of a node."""
    return Path(lab.environment["STACKCTL_LAB_DIR"]) / "nodes" / node


def set_up_anew(lab: LabCluster, node: str) -> None:
    """The agent forgets who it is and joins again; containers go on meanwhile."""
    folder = folder_of(lab, node)
    remembered = folder / "daemons" / "agent.json"
    process = json.loads(remembered.read_text())["process"]
    os.kill(process["process_id"], signal.SIGKILL)
    remembered.unlink()
    shutil.rmtree(folder / "state" / "identity")
    lab.run("lab", "start", node)


def test_a_node_that_is_set_up_anew_replaces_its_old_entry(moving: LabCluster) -> None:
    moving.run("node", "update", "--label-add", "disk=ssd", "worker2")
    before = moving.containers("worker2")
    assert before
    set_up_anew(moving, "worker2")

    def has_one_entry() -> bool:
        named = [row for row in moving.rows("node", "ls") if row["Hostname"] == "worker2"]
        assert [row["Status"] for row in named] == ["Ready"], named
        return True

    eventually(has_one_entry, timeout_seconds=30, period_seconds=0.3)
    (node,) = json.loads(moving.run("node", "inspect", "worker2"))
    assert node["labels"] == {"disk": "ssd"}

    def old_ones_are_gone() -> bool:
        left = set(moving.containers("worker2")) & set(before)
        assert not left, left
        return True

    eventually(old_ones_are_gone, timeout_seconds=30, period_seconds=0.3)
    moving.await_service("moving_page", "6/6")


def all_containers(lab: LabCluster, node: str) -> str:
    """The ids of a node's containers that are or were tasks."""
    return lab.docker(node, "ps", "--all", "--quiet", "--filter", "label=stackctl.task.id")


def test_a_removed_nodes_agent_ends_its_tasks_and_says_what_to_do(moving: LabCluster) -> None:
    refused = moving.try_run("node", "rm", "worker2")
    assert refused.returncode == 1, refused
    assert "node worker2 is not down" in refused.stderr
    moving.run("node", "rm", "--force", "worker2")
    try:
        # Stopped, and removed: the next agent is another node, and knows nothing of them.
        eventually(lambda: not all_containers(moving, "worker2"), timeout_seconds=30)
        moving.await_service("moving_page", "6/6")
        said = (folder_of(moving, "worker2") / "log" / "agent.log").read_text()
        assert "this node was removed from the cluster" in said
    finally:
        set_up_anew(moving, "worker2")
    eventually(lambda: ready(moving, "worker2"), timeout_seconds=30)
