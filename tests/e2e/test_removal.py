"""Removing a stack removes all of it, on every node, and nothing else."""

import subprocess

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_stack_rm_leaves_nothing_of_the_stack_and_everything_else(
    juergenapp: LabCluster,
) -> None:
    lab = juergenapp
    for node in lab.nodes():
        _have_bystanders(lab, node)
    bystanders = {node: _bystanders(lab, node) for node in lab.nodes()}
    lab.run("stack", "rm", "juergenapp")
    assert lab.rows("stack", "ls") == []
    for node in lab.nodes():
        _await_nothing_left(lab, node)
    assert {node: _bystanders(lab, node) for node in lab.nodes()} == bystanders
    for node in lab.nodes():
        lab.docker(node, "rm", "-f", "bystander")
        lab.docker(node, "network", "rm", "bystanders")


def _await_nothing_left(lab: LabCluster, node: str) -> None:
    def is_clean() -> bool:
        left_overs = _left_overs(lab, node)
        assert left_overs == [], f"{node}: {left_overs}"
        return True

    eventually(is_clean, timeout_seconds=20)


def _have_bystanders(lab: LabCluster, node: str) -> None:
    lab.docker(node, "network", "create", "bystanders")
    lab.docker(
        node,
        "run",
        "-d",
        "--name",
        "bystander",
        "--network",
        "bystanders",
        "stackctl/busybox:test",
        "sleep",
        "100000",
    )


def _bystanders(lab: LabCluster, node: str) -> tuple[str, str]:
    container = lab.docker(
        node, "inspect", "--format", "{{.Id}} {{.State.StartedAt}} {{.State.Running}}", "bystander"
    )
    return container, lab.docker(node, "network", "inspect", "--format", "{{.Id}}", "bystanders")


def _left_overs(lab: LabCluster, node: str) -> list[str]:
    """What of ours is left on a node: containers, networks, links, rules, listeners."""
    found = [
        f"container {name}"
        for name in lab.docker(
            node, "ps", "-a", "--filter", "label=stackctl.task.id", "--format", "{{.Names}}"
        ).splitlines()
    ]
    found += [
        f"network {name}"
        for name in lab.docker(
            node, "network", "ls", "--filter", "label=stackctl.network.id", "--format", "{{.Name}}"
        ).splitlines()
    ]
    namespace = lab.nodes()[node]["namespace"]
    found += _lines(namespace, ["ip", "-o", "link", "show", "type", "vxlan"])
    rules = _lines(namespace, ["nft", "list", "tables"])
    found += [table for table in rules if "stackctl" in table]
    found += [line for line in _lines(namespace, ["ss", "-Hlnu"]) if ":53 " in line]
    return found


def _lines(namespace: str, command: list[str]) -> list[str]:
    done = subprocess.run(
        ["nsenter", f"--net=/run/netns/{namespace}", *command],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line]
