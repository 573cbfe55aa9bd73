"""One real manager process and scripted agents: the whole path from PUT to running tasks."""

import http.client
import json
import shutil
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.manager import joining
from stackctl.manager.settings import parse_settings
from stackctl.model import specs
from stackctl.model.task_state import TaskState
from tests.eventually import eventually
from tests.manager_process import ManagerProcess
from tests.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.integration


def stack(name: str = "shop", *, replicas: int = 3, image: str = "busybox") -> specs.StackSpec:
    """A stack of one service on one network."""
    task = specs.TaskSpec(
        container=specs.ContainerSpec(image=image),
        networks=(specs.NetworkAttachment(network=f"{name}_default"),),
    )
    return specs.StackSpec(
        name=name,
        services=(specs.ServiceSpec(name=f"{name}_web", task=task, replicas=replicas),),
        networks=(specs.NetworkSpec(name=f"{name}_default"),),
    )


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerProcess]:
    process = ManagerProcess(tmp_path / "m1", "m1", "--bootstrap").start()
    try:
        yield process.wait_until_it_answers()
    finally:
        process.stop()


@pytest.fixture
def agent(manager: ManagerProcess) -> Iterator[ScriptedAgent]:
    own = ScriptedAgent(
        node_id=manager.node_id,
        hostname="m1",
        endpoints=[manager.api_address],
        identity_dir=manager.identity_dir,
    ).start()
    try:
        yield own
    finally:
        own.stop()


def running_tasks(manager: ManagerProcess) -> list[str]:
    return [
        task["name"]
        for task in manager.ask("GET", "/v1/tasks")
        if task["state"] == "running" and task["is_current"]
    ]


def test_a_deployed_stack_runs_on_a_connected_agent(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    eventually(lambda: agent.connections, timeout_seconds=5)
    result = manager.ask("PUT", "/v1/stacks/shop", stack())
    assert result["name"] == "shop"
    assert result["revision"] == 1
    assert {"action": "create", "kind": "service", "name": "shop_web"}.items() <= next(
        change for change in result["changes"] if change["kind"] == "service"
    ).items()
    names = ["shop_web.1", "shop_web.2", "shop_web.3"]
    eventually(lambda: running_tasks(manager) == names, timeout_seconds=5)
    assert agent.running() == names
    service = manager.ask("GET", "/v1/services?stack=shop")[0]
    assert (service["running"], service["desired"]) == (3, 3)
    assert manager.ask("GET", "/v1/nodes/self")["state"] == "ready"


def test_scaling_down_stops_tasks_only_after_the_node_confirmed(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    manager.ask("PUT", "/v1/stacks/shop", stack())
    eventually(lambda: len(running_tasks(manager)) == 3, timeout_seconds=5)
    agent.confirms = False
    manager.ask("POST", "/v1/services/shop_web/scale", {"replicas": 1})

    def leaving() -> list[bool]:
        return [task.may_stop for task in agent.tasks() if task.desired_state > TaskState.COMPLETE]

    eventually(lambda: leaving() == [False, False], timeout_seconds=3)
    agent.confirms = True
    manager.ask("PATCH", "/v1/nodes/self", {"label_add": {"a": "b"}})
    manager.ask("PUT", "/v1/stacks/other", stack("other", replicas=1))
    eventually(lambda: running_tasks(manager) == ["other_web.1", "shop_web.1"], timeout_seconds=3)


def test_a_removed_stack_goes_when_its_tasks_have_ended(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    manager.ask("PUT", "/v1/stacks/shop", stack())
    eventually(lambda: len(running_tasks(manager)) == 3, timeout_seconds=5)
    status, _ = manager.try_to_ask("DELETE", "/v1/stacks/shop")
    assert status == 202
    eventually(lambda: manager.ask("GET", "/v1/stacks") == [], timeout_seconds=5)
    eventually(lambda: agent.tasks() == [], timeout_seconds=5)
    status, error = manager.try_to_ask("DELETE", "/v1/stacks/shop")
    assert (status, error["kind"]) == (404, "unknown-name")


def test_a_crashed_task_is_replaced_at_once_the_first_time(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    manager.ask("PUT", "/v1/stacks/shop", stack(replicas=1))
    eventually(lambda: running_tasks(manager) == ["shop_web.1"], timeout_seconds=5)
    first = agent.tasks()[0].id
    agent.report(first, TaskState.FAILED, error="exit 1", exit_code=1)

    def replaced() -> bool:
        now = {task["id"]: task for task in manager.ask("GET", "/v1/tasks")}
        return now[first]["state"] == "failed" and running_tasks(manager) == ["shop_web.1"]

    eventually(replaced, timeout_seconds=2)


def test_a_silent_node_is_down_and_ready_again_when_it_speaks(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    def state() -> str:
        return str(manager.ask("GET", "/v1/nodes/m1")["state"])

    eventually(lambda: state() == "ready", timeout_seconds=5)
    agent.beats = False
    eventually(lambda: state() == "down", timeout_seconds=6)
    assert "heartbeat" in manager.ask("GET", "/v1/nodes/m1")["state_message"]
    agent.beats = True
    eventually(lambda: state() == "ready" and agent.connections == 2, timeout_seconds=5)


def test_a_frozen_manager_does_not_declare_nodes_down_when_it_wakes(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    eventually(lambda: manager.ask("GET", "/v1/nodes/m1")["state"] == "ready", timeout_seconds=5)
    manager.signal(signal.SIGSTOP)
    with pytest.raises(AssertionError):
        eventually(lambda: False, timeout_seconds=4.5)
    manager.signal(signal.SIGCONT)
    eventually(lambda: "stood still" in manager.log(), timeout_seconds=3)
    assert manager.ask("GET", "/v1/nodes/m1")["state"] == "ready"
    assert "is down" not in manager.log()


def test_output_of_tasks_comes_as_lines_of_json(
    manager: ManagerProcess, agent: ScriptedAgent
) -> None:
    manager.ask("PUT", "/v1/stacks/shop", stack(replicas=2))
    eventually(lambda: len(running_tasks(manager)) == 2, timeout_seconds=5)
    for task in agent.tasks():
        agent.output[task.id] = [f"hello from {task.slot}".encode()]
    lines = manager.ask("GET", "/v1/services/shop_web/logs")
    assert sorted((line["task"], line["text"], line["node"]) for line in lines) == [
        ("shop_web.1", "hello from 1", "m1"),
        ("shop_web.2", "hello from 2", "m1"),
    ]


def test_everything_is_there_after_a_kill(manager: ManagerProcess, agent: ScriptedAgent) -> None:
    manager.ask("PUT", "/v1/stacks/shop", stack())
    eventually(lambda: len(running_tasks(manager)) == 3, timeout_seconds=5)
    before = manager.ask("GET", "/v1/tasks")
    manager.kill()
    manager.start()
    manager.wait_until_it_answers()
    eventually(lambda: agent.connections == 2, timeout_seconds=5)
    after = manager.ask("GET", "/v1/tasks")
    assert [task["id"] for task in after] == [task["id"] for task in before]


def test_a_manager_that_lost_its_log_does_not_begin_another(manager: ManagerProcess) -> None:
    manager.stop()
    shutil.rmtree(manager.folder / "state" / "raft")
    manager.start()
    assert manager.process is not None
    assert manager.process.wait(15) == 1
    assert "takes part in a cluster already" in manager.log()
    assert "Traceback" not in manager.log()


def test_a_node_joins_with_a_token_and_not_without(manager: ManagerProcess, tmp_path: Path) -> None:
    tokens = manager.ask("GET", "/v1/cluster")
    settings = parse_settings(
        [
            *("--state-dir", str(tmp_path / "w1"), "--run-dir", str(tmp_path / "w1-run")),
            *("--hostname", "m2", "--advertise-address", "127.0.0.1"),
            *("--join", manager.api_address, "--join-token", tokens["manager_join_token"]),
        ]
    )
    identity = joining.enrol(settings)
    nodes = {node["id"]: node for node in manager.ask("GET", "/v1/nodes")}
    assert nodes[identity.node_id]["hostname"] == "m2"
    assert nodes[identity.node_id]["role"] == "manager"

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(manager.address, 2477, context=context, timeout=5)
    try:
        token = tokens["worker_join_token"]
        forged = token[:-1] + ("0" if token[-1] != "0" else "1")
        body = {"token": forged, "hostname": "x", "certificate_request": "x"}
        connection.request("POST", "/v1/join", body=json.dumps(body))
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["kind"]) == (403, "denied")
        connection.request("GET", "/v1/nodes")
        response = connection.getresponse()
        assert (response.status, json.loads(response.read())["kind"]) == (403, "denied")
    finally:
        connection.close()


def test_an_agent_may_not_speak_for_another_node(manager: ManagerProcess) -> None:
    impostor = ScriptedAgent(
        node_id="somebody-else",
        hostname="evil",
        endpoints=[manager.api_address],
        identity_dir=manager.identity_dir,
    ).start()
    try:
        eventually(lambda: "does not speak for" in manager.log(), timeout_seconds=5)
        assert impostor.connections == 0
    finally:
        impostor.stop()


def test_sigterm_ends_it_gracefully(manager: ManagerProcess, agent: ScriptedAgent) -> None:
    eventually(lambda: agent.connections, timeout_seconds=5)
    assert manager.stop() == 0
    assert "Traceback" not in manager.log()
