"""Deploying: what is sent, what is shown on the way, and how it ends."""

import _thread
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line import Run
from tests.fakes.api import FakeApi
from tests.fakes.api_cluster import FakeCluster, Habit

COMPOSE = """\
services:
  web:
    image: web:1
    ports: ["8080:80"]
    deploy: {replicas: 2}
  db:
    image: db:1
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE)
    return str(path)


def test_a_deploy_says_what_it_changes_and_waits_until_it_runs(run: Run, file: str) -> None:
    done = run("deploy", "-c", file, "shop")
    assert done.code == 0, done.err
    assert done.out == (
        "Creating network shop_default (new in the file)\n"
        "Creating service shop_web (new in the file)\n"
        "Creating service shop_db (new in the file)\n"
    )
    lines = done.err.splitlines()
    assert lines[-1] == "Running: 2 services, 3 tasks"
    assert "shop_web 2/2" in lines
    assert len(lines) == len(set(lines)), "a line is repeated"


@pytest.mark.parametrize("words", [("deploy",), ("stack", "deploy"), ("stack", "up")])
def test_deploy_has_the_names_that_swarm_gave_it(
    run: Run, file: str, cluster: FakeCluster, words: tuple[str, ...]
) -> None:
    assert run(*words, "--detach", "-c", file, "shop").code == 0
    assert list(cluster.services) == ["shop_web", "shop_db"]


def test_detached_deploys_do_not_look_back(run: Run, file: str, fake_api: FakeApi) -> None:
    done = run("deploy", "--detach", "-c", file, "shop")
    assert (done.code, done.err) == (0, "")
    assert fake_api.requests[-1] == "PUT /v1/stacks/shop?prune=0"


def test_quiet_deploys_print_nothing(run: Run, file: str) -> None:
    assert run("deploy", "--quiet", "-c", file, "shop") == (0, "", "")


def test_pruning_removes_what_the_file_no_longer_has(
    run: Run, file: str, cluster: FakeCluster
) -> None:
    run("deploy", "-dc", file, "shop")
    Path(file).write_text("services: {web: {image: 'web:1'}}")
    done = run("deploy", "-d", "--prune", "-c", file, "shop")
    assert "Removing service shop_db (no longer in the file)" in done.out


def test_deploying_the_same_again_changes_nothing(run: Run, file: str) -> None:
    run("deploy", "-c", file, "shop")
    done = run("deploy", "-c", file, "shop")
    assert done.code == 0
    assert done.out == "Nothing to change\n"


def test_an_update_is_followed_slot_by_slot(run: Run, file: str) -> None:
    run("deploy", "-c", file, "shop")
    Path(file).write_text(COMPOSE.replace("web:1", "web:2"))
    done = run("deploy", "-c", file, "shop")
    assert done.code == 0, done.err
    assert done.out == (
        "Updating service shop_web (task.container.image changed)\nUnchanged: 1 service\n"
    )
    assert "shop_web 0/2 (updating) outdated 2" in done.err
    assert "shop_web 1/2 (updating) starting 1" in done.err


def test_a_mistake_in_the_file_changes_nothing(run: Run, file: str, fake_api: FakeApi) -> None:
    Path(file).write_text("services:\n  web:\n    imagge: web:1\n    restart: sometimes\n")
    done = run("deploy", "-c", file, "shop")
    assert done.code == 2
    lines = done.err.splitlines()
    assert all(line.startswith(f"{file}:") for line in lines[:-1])
    assert any(line.startswith(f"{file}:3:5: services.web.imagge: ") for line in lines)
    assert lines[-1].endswith("problems in the Compose file; nothing was changed")
    assert fake_api.requests == []


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    done = run("deploy", "-c", "/nowhere/compose.yaml", "shop")
    assert done.code == 2
    assert "/nowhere/compose.yaml" in done.err


def test_a_crashing_service_ends_with_its_last_words(
    run: Run, file: str, cluster: FakeCluster
) -> None:
    cluster.habits["shop_web"] = Habit("crashes", "task: non-zero exit (1)")
    cluster.log_lines["shop_web"] = [f"line {number}" for number in range(1, 21)]
    done = run("deploy", "-c", file, "shop")
    assert done.code == 4
    assert "stackctl: shop_web.1 failed 3 times: task: non-zero exit (1)\n" in done.err
    assert "The last lines of shop_web.1 on n1:\n    line 11\n" in done.err
    assert "    line 20\n" in done.err
    assert "'stackctl service logs shop_web'" in done.err.splitlines()[-1]


def test_a_rejected_image_ends_as_soon_as_that_is_clear(
    run: Run, file: str, cluster: FakeCluster, fake_api: FakeApi
) -> None:
    cluster.habits["shop_db"] = Habit("rejected", "No such image: db:1")
    done = run("deploy", "-c", file, "shop")
    assert done.code == 4
    assert "stackctl: shop_db.1 was rejected 2 times: No such image: db:1\n" in done.err
    assert not any("/logs" in request for request in fake_api.requests)


def test_a_task_without_a_node_is_shown_with_the_reason(
    run: Run, file: str, cluster: FakeCluster
) -> None:
    cluster.habits["shop_web"] = Habit("waits", "no suitable node (insufficient memory on 3 nodes)")
    done = run("deploy", "-c", file, "--timeout", "0.3", "shop")
    assert done.code == 4
    reason = "no suitable node (insufficient memory on 3 nodes)"
    assert f"shop_web 0/2 pending 2: {reason}" in done.err.splitlines()
    assert f"stackctl: shop_web is not complete after 0.3 s: {reason}" in done.err


def test_a_leader_that_is_missing_for_a_moment_does_not_end_the_wait(
    run: Run, file: str, fake_api: FakeApi
) -> None:
    refusal = json.dumps({"kind": "unavailable", "message": "no leader", "exit_code": 3}).encode()
    polls = []

    def lose_the_leader_once(request: str) -> None:
        polls.append(request)
        is_second_poll = polls.count("GET /v1/changes") == 2 and request == "GET /v1/changes"
        fake_api.refusal = (503, refusal) if is_second_poll else None

    fake_api.on_request = lose_the_leader_once
    done = run("deploy", "-c", file, "shop")
    assert done.code == 0, done.err
    assert "no leader; trying again" in done.err.splitlines()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C works, also where the tests run as a background job that is to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_wait_says_that_the_work_goes_on(
    run: Run, file: str, fake_api: FakeApi
) -> None:
    def interrupt(request: str) -> None:
        if request == "GET /v1/changes":
            _thread.interrupt_main()

    fake_api.on_request = interrupt
    done = run("deploy", "-c", file, "shop")
    assert done.code == 130
    assert "The work goes on in the background: stackctl stack ps shop" in done.err.splitlines()
