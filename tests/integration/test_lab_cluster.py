"""A lab with managers and agents: they find each other, and come back whatever happens to them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.lab import cgroups, cluster, faults, operations, removal, status, unix_http
from stackctl.lab.operations import Wishes
from stackctl.lab.plan import LabPlan, NodePlan
from tests.eventually import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def say_nothing(_line: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def plan(folder: Path) -> Iterator[LabPlan]:
    """Three managers and a worker; every test leaves them ready."""
    name = f"c{os.getpid():x}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STACKCTL_CONFIG_DIR", str(folder / "config"))
        try:
            wishes = Wishes(node_count=4, manager_count=3)
            yield operations.up(name, folder / "lab", wishes, say_nothing)
        finally:
            removal.down(name, folder / "lab", say_nothing)
            assert not (folder / "config" / "contexts.json").exists()


def ready_nodes(plan: LabPlan, asked: NodePlan) -> set[str]:
    nodes = unix_http.fetch_json(asked.manager_socket, "/v1/nodes", timeout_seconds=5) or []
    return {str(node["hostname"]) for node in nodes if node["state"] == "ready"}


def leader(plan: LabPlan) -> NodePlan:
    def name() -> str:
        for node in plan.managers:
            answer = unix_http.fetch_json(node.manager_socket, "/v1/cluster") or {}
            if answer.get("leader"):
                return str(answer["leader"])
        return ""

    return operations.find_node(plan, eventually(name, timeout_seconds=10))


def test_all_nodes_are_ready_when_up_returns(plan: LabPlan) -> None:
    names = {node.name for node in plan.nodes}
    assert all(ready_nodes(plan, manager) == names for manager in plan.managers)
    assert {row.state for row in status.read_status(plan)} == {"running"}


def test_the_lab_is_the_current_context(plan: LabPlan, folder: Path) -> None:
    document = json.loads((folder / "config" / "contexts.json").read_text())
    assert document["current"] == plan.name
    endpoints = document["contexts"][plan.name]["endpoints"]
    assert endpoints == [f"unix://{node.manager_socket}" for node in plan.managers]


@pytest.mark.parametrize("target", ["node", "agent", "engine"])
def test_a_worker_is_ready_again_when_start_returns(plan: LabPlan, target: faults.Target) -> None:
    worker = plan.nodes[-1]
    faults.kill(worker, target)
    faults.start(plan, worker, say_nothing)
    assert worker.name in ready_nodes(plan, plan.managers[0])
    assert status.read_status(plan)[-1].state == "running"


def test_the_others_lead_while_the_leader_is_dead(plan: LabPlan) -> None:
    first = leader(plan)
    faults.kill(first, "node")
    second = leader(plan)
    assert second != first
    faults.start(plan, first, say_nothing)
    assert ready_nodes(plan, first) == {node.name for node in plan.nodes}


def test_a_lab_without_a_majority_says_so_and_recovers(plan: LabPlan) -> None:
    hierarchies = cgroups.read_hierarchies()
    for manager in plan.managers[:2]:
        faults.kill(manager, "manager")
    assert not cluster.can_decide(plan, hierarchies)
    lines: list[str] = []
    faults.start(plan, plan.nodes[-1], lines.append)
    assert "no manager can say yet" in lines[-1]
    operations.up(plan.name, plan.directory, Wishes(), say_nothing)
    assert cluster.can_decide(plan, hierarchies)
    assert {row.state for row in status.read_status(plan)} == {"running"}


def test_a_whole_lab_comes_back_after_a_power_cut(plan: LabPlan) -> None:
    for node in plan.nodes:
        faults.kill(node, "node")
    assert {row.state for row in status.read_status(plan)} == {"stopped"}
    operations.up(plan.name, plan.directory, Wishes(), say_nothing)
    assert ready_nodes(plan, plan.managers[0]) == {node.name for node in plan.nodes}
