"""Secrets with real managers: sealed on every disk, in clear to the nodes that need them only."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stackctl.model import specs
from stackctl.model.task_state import TaskState
from tests.eventually import eventually
from tests.manager_parts import small_stack
from tests.manager_process import ManagerProcess
from tests.scripted_agent import ScriptedAgent

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

FIRST, SECOND = b"plain-7f1c-words", b"other-91d2-words"
READS = (
    "/v1/cluster",
    "/v1/stacks",
    "/v1/services",
    "/v1/services/shop_web",
    "/v1/tasks",
    "/v1/networks",
    "/v1/secrets",
    "/v1/secrets/shop_key",
    "/v1/configs",
    "/v1/nodes",
)


def stack(content: bytes) -> specs.StackSpec:
    """One service with the secret, one without."""
    spec = small_stack("shop", replicas=1, update=specs.UpdatePolicy(monitor_seconds=0.1))
    plain = spec.services[0]
    reference = specs.ConfigReference(name="shop_key", target="/run/secrets/key")
    container = replace(plain.task.container, secrets=(reference,))
    user = replace(plain, task=replace(plain.task, container=container))
    secret = specs.SecretSpec(name="shop_key", content=content)
    return replace(spec, services=(user, replace(plain, name="shop_plain")), secrets=(secret,))


@pytest.fixture
def managers(tmp_path: Path) -> Iterator[list[ManagerProcess]]:
    """Two managers: the founder, and one that has joined it."""
    first = ManagerProcess(tmp_path / "m1", "m1", "--bootstrap")
    second = ManagerProcess(tmp_path / "m2", "m2")
    try:
        first.start().wait_until_it_answers()
        token = first.ask("GET", "/v1/cluster")["manager_join_token"]
        second.start("--join-token", token, "--join", first.api_address).wait_until_it_answers()
        yield [first, second]
    finally:
        second.stop()
        first.stop()


@pytest.fixture
def agent(managers: list[ManagerProcess]) -> Iterator[ScriptedAgent]:
    """The agent of the joined manager's node, connected to that manager."""
    joined = managers[1]
    own = ScriptedAgent(
        node_id=joined.node_id,
        hostname=joined.hostname,
        endpoints=[joined.api_address],
        identity_dir=joined.identity_dir,
    ).start()
    try:
        eventually(lambda: own.connections, timeout_seconds=10)
        yield own
    finally:
        own.stop()


def running_revision(manager: ManagerProcess, service: str) -> int:
    """The revision of the service's only current task, once it runs."""
    tasks = [
        task
        for task in manager.ask("GET", f"/v1/tasks?service={service}")
        if task["is_current"] and task["state"] == "running"
    ]
    assert len(tasks) == 1, tasks
    return int(tasks[0].get("revision", 1))


def mounted(agent: ScriptedAgent, service: str) -> bytes | None:
    """The content that the service's only wanted task on the node mounts."""
    assert agent.held is not None
    contents = {secret.id: secret.content for secret in agent.held.secrets}
    (task,) = (
        task
        for task in agent.held.tasks
        if task.service_name == service and task.desired_state <= TaskState.COMPLETE
    )
    return contents[task.secret_ids["shop_key"]]


def forms(content: bytes) -> list[bytes]:
    """How a content may look where it must not be."""
    return [content, base64.b64encode(content), content.hex().encode()]


def test_a_secret_comes_to_its_node_and_is_nowhere_else(
    managers: list[ManagerProcess], agent: ScriptedAgent
) -> None:
    first, second = managers
    result = first.ask("PUT", "/v1/stacks/shop", stack(FIRST))
    eventually(lambda: running_revision(first, "shop_web") == 1, timeout_seconds=10)
    assert mounted(agent, "shop_web") == FIRST
    keys = [manager.identity_dir / "data.key" for manager in managers]
    assert keys[0].read_bytes() == keys[1].read_bytes()

    answers = [json.dumps(result)]
    answers += [json.dumps(manager.ask("GET", path)) for manager in managers for path in READS]
    assert not any(FIRST.decode() in answer for answer in answers)
    assert not any(base64.b64encode(FIRST).decode() in answer for answer in answers)
    for manager in (first, second):
        manager.stop()  # whatever it had in hand is on its disk now
        files = [path for path in manager.folder.rglob("*") if path.is_file()]
        assert any(b"shop_key" in path.read_bytes() for path in files), "it would be found"
        for path in files:
            content = path.read_bytes()
            assert not any(form in content for form in forms(FIRST)), path


def test_a_changed_secret_replaces_its_users_and_a_rollback_brings_the_former_back(
    managers: list[ManagerProcess], agent: ScriptedAgent
) -> None:
    first, second = managers
    first.ask("PUT", "/v1/stacks/shop", stack(FIRST))
    eventually(lambda: running_revision(first, "shop_web") == 1, timeout_seconds=10)
    eventually(lambda: running_revision(first, "shop_plain") == 1, timeout_seconds=10)

    again = second.ask("PUT", "/v1/stacks/shop", stack(FIRST))
    assert {change["action"] for change in again["changes"]} == {"unchanged"}

    changed = second.ask("PUT", "/v1/stacks/shop", stack(SECOND))
    actions = {change["name"]: change["action"] for change in changed["changes"]}
    assert actions["shop_key"] == actions["shop_web"] == "update"
    assert actions["shop_plain"] == "unchanged"
    eventually(lambda: running_revision(first, "shop_web") == 2, timeout_seconds=10)
    assert running_revision(first, "shop_plain") == 1
    assert mounted(agent, "shop_web") == SECOND

    def settled() -> bool:
        update = first.ask("GET", "/v1/services/shop_web")["service"]["update"]
        assert update["state"] in ("completed", "rollback_completed"), update
        return True

    eventually(settled, timeout_seconds=10)
    first.ask("POST", "/v1/services/shop_web/rollback")
    eventually(lambda: running_revision(first, "shop_web") == 1, timeout_seconds=10)
    assert mounted(agent, "shop_web") == FIRST
    rows = {row["number"]: row for row in second.ask("GET", "/v1/secrets?stack=shop")}
    assert rows[1]["used_by"] == rows[2]["kept_for"] == ["shop_web"]
    assert rows[2]["is_current"]
    assert rows[1]["digest"] != rows[2]["digest"]


def test_after_a_restart_a_manager_opens_what_was_sealed_before(
    managers: list[ManagerProcess], agent: ScriptedAgent
) -> None:
    first, second = managers
    first.ask("PUT", "/v1/stacks/shop", stack(FIRST))
    eventually(lambda: running_revision(first, "shop_web") == 1, timeout_seconds=10)
    before = agent.full_sets
    second.stop()
    second.start().wait_until_it_answers()
    eventually(lambda: agent.full_sets > before, timeout_seconds=10)
    assert mounted(agent, "shop_web") == FIRST


def test_a_manager_without_its_data_key_says_what_to_do(managers: list[ManagerProcess]) -> None:
    first = managers[0]
    key = first.identity_dir / "data.key"
    kept = key.read_bytes()
    key.unlink()
    first.stop()
    first.start().wait_until_it_answers()
    status, error = first.try_to_ask("PUT", "/v1/stacks/shop", stack(FIRST))
    assert status >= 400
    assert "data.key is missing" in error["message"]
    assert "copy it from another manager" in error["hint"]
    assert first.ask("PUT", "/v1/stacks/plain", small_stack("plain"))["revision"] == 1
    key.write_bytes(kept)
    assert first.ask("PUT", "/v1/stacks/shop", stack(FIRST))["revision"] == 1
