"""The lecture's demo on real engines: the mesh answers everywhere, and the stack survives."""

import re
import threading

import pytest

from tests.e2e.cluster import Answer, LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def visits(answer: Answer) -> int:
    """The counter on the page."""
    found = re.search(r"Visit number <b>(\d+)</b>", answer.text)
    assert found, answer
    return int(found[1])


def test_every_node_answers_and_every_replica_takes_part(juergenapp: LabCluster) -> None:
    addresses = [node["address"] for node in juergenapp.nodes().values()]
    answers = list(juergenapp.ask_many(addresses, 30))
    assert [answer.status for answer in answers] == [200] * 30
    counts = [visits(answer) for answer in answers]
    assert counts == sorted(counts)
    assert len(set(counts)) == 30
    named = {row["Name"] for row in juergenapp.tasks("juergenapp_web")}
    assert {answer.task for answer in answers} == named


def test_a_paused_worker_loses_its_tasks_and_stays_empty_when_it_returns(
    juergenapp: LabCluster,
) -> None:
    lab = juergenapp
    lab.run("service", "scale", "juergenapp_web=6")
    paused = "worker1"
    others = [lab.address("manager1"), lab.address("worker2")]
    refused: list[Answer] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            refused.extend(a for a in lab.ask_many(others, 2) if a.status != 200)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        lab.run("lab", "pause", paused)

        def moved() -> bool:
            nodes = list(lab.running_on("juergenapp_web").values())
            assert len(nodes) == 6, nodes
            assert paused not in nodes, nodes
            return True

        eventually(moved, timeout_seconds=30)
    finally:
        stop.set()
        visitor.join()
    assert refused == []
    lab.run("lab", "resume", paused)
    eventually(lambda: lab.containers(paused) == [], timeout_seconds=20)
    eventually(lambda: lab.ask(lab.address(paused)).status == 200, timeout_seconds=20)
    assert paused not in lab.running_on("juergenapp_web").values()
    history = lab.run("stack", "ps", "juergenapp")
    assert " \\_ juergenapp_web" in history
    lab.run("service", "scale", "juergenapp_web=3")


def test_a_task_bound_to_a_paused_node_waits_for_it_and_says_why(juergenapp: LabCluster) -> None:
    lab = juergenapp
    container = [name for name in lab.containers("worker2") if "backenddb" in name]
    before = visits(lab.ask(lab.address("manager1")))
    lab.run("lab", "pause", "worker2")

    def explained() -> str:
        shown = lab.run("service", "ps", "--no-trunc", "juergenapp_backenddb")
        assert "no suitable node (" in shown, shown
        assert "scheduling constraints not satisfied on 2 nodes" in shown, shown
        return shown

    eventually(explained, timeout_seconds=30)
    eventually(lambda: lab.ask(lab.address("manager1")).status in (502, 503), timeout_seconds=20)
    lab.run("lab", "resume", "worker2")

    def works_again() -> bool:
        answer = lab.ask(lab.address("manager1"))
        assert answer.status == 200, answer
        return visits(answer) > before

    eventually(works_again, timeout_seconds=20)
    assert [name for name in lab.containers("worker2") if "backenddb" in name] == container


@pytest.mark.parametrize("daemon", ["manager", "agent"])
def test_killing_a_daemon_touches_no_container_and_no_port(
    juergenapp: LabCluster, daemon: str
) -> None:
    lab = juergenapp
    before = {node: sorted(lab.containers(node)) for node in lab.nodes()}
    started = {node: _started(lab, node) for node in lab.nodes()}
    lab.run("lab", "kill", "manager1", "--what", daemon)
    addresses = [node["address"] for node in lab.nodes().values()]
    assert {answer.status for answer in lab.ask_many(addresses, 9)} == {200}
    if daemon == "agent":
        eventually(lambda: _status(lab, "manager1") == "Unknown", timeout_seconds=20)
    lab.run("lab", "start", "manager1")
    eventually(lambda: _status(lab, "manager1") == "Ready", timeout_seconds=20)
    lab.await_service("juergenapp_web", "3/3")
    assert {answer.status for answer in lab.ask_many(addresses, 9)} == {200}
    assert {node: sorted(lab.containers(node)) for node in lab.nodes()} == before
    assert {node: _started(lab, node) for node in lab.nodes()} == started


def test_a_killed_container_is_replaced_by_a_new_task(juergenapp: LabCluster) -> None:
    lab = juergenapp
    task_id, node = next(iter(lab.running_on("juergenapp_web").items()))
    victim = next(name for name in lab.containers(node) if name.split(".")[-1].startswith(task_id))
    lab.docker(node, "kill", victim)

    def replaced() -> bool:
        running = lab.running_on("juergenapp_web")
        assert task_id not in running, running
        return len(running) == 3

    eventually(replaced, timeout_seconds=20)


def test_scaling_up_and_down_changes_only_what_was_asked(juergenapp: LabCluster) -> None:
    lab = juergenapp
    before = set(lab.running_on("juergenapp_web"))
    lab.run("service", "scale", "juergenapp_web=6")
    assert before < set(lab.running_on("juergenapp_web"))
    assert len(lab.running_on("juergenapp_web")) == 6
    lab.run("service", "scale", "juergenapp_web=3")
    eventually(lambda: len(lab.running_on("juergenapp_web")) == 3, timeout_seconds=20)


def _status(lab: LabCluster, node: str) -> str:
    """The first word of the node's status."""
    rows = {row["Hostname"]: row["Status"] for row in lab.rows("node", "ls")}
    return str(rows[node]).split()[0]


def _started(lab: LabCluster, node: str) -> dict[str, str]:
    return {
        name: lab.docker(node, "inspect", "--format", "{{.State.StartedAt}}", name)
        for name in lab.containers(node)
    }
