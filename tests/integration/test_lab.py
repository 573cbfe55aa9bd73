"""The lab with real engines: what can happen to a node, and what is left when it is over."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.errors import Conflict, InputError, UnknownName
from stackctl.lab import cgroups, faults, image_loading, links, operations, removal, status
from stackctl.lab import plan as planning
from stackctl.lab.operations import Wishes
from stackctl.lab.plan import LabPlan, NodePlan
from tests.engines import EngineForTests, running_engines
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE, busybox_image_tar

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

Lab = tuple[EngineForTests, ...]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Two engines that these tests may hurt; every test leaves them running."""
    with running_engines(2, prefix="l") as engines:
        yield engines


@pytest.fixture
def plan(lab: Lab) -> LabPlan:
    return plan_of(lab[0].node)


@pytest.fixture
def node(plan: LabPlan, lines: list[str]) -> Iterator[NodePlan]:
    """The second node, running again after the test."""
    hurt = plan.nodes[1]
    yield hurt
    faults.resume(hurt)
    faults.start(plan, hurt, lines.append)
    faults.heal(hurt)


@pytest.fixture
def lines() -> list[str]:
    """What a person would have read."""
    return []


def plan_of(node: NodePlan) -> LabPlan:
    return operations.find(node.directory.parent.parent)


def state_of(plan: LabPlan, node: NodePlan) -> str:
    return {row.name: row.state for row in status.read_status(plan)}[node.name]


def docker(node: NodePlan, *words: str) -> str:
    return subprocess.run(
        ["docker", "-H", f"unix://{node.engine_socket}", *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.strip()


@contextlib.contextmanager
def serving(node: NodePlan) -> Iterator[Callable[[], bool]]:
    """A container that serves port 8080 of the node; yields whether the machine can reach it."""
    name = docker(
        *(node, "run", "--detach", "--init", "--restart=always", "--publish=8080:80"),
        *(BUSYBOX_IMAGE, "httpd", "-f"),
    )

    def is_reachable() -> bool:
        try:
            with socket.create_connection((node.address, 8080), timeout=0.5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return connection.recv(8).startswith(b"HTTP/")
        except OSError:
            return False

    try:
        eventually(is_reachable, timeout_seconds=5)
        yield is_reachable
    finally:
        docker(node, "rm", "--force", name)


def test_a_paused_node_answers_nothing_until_it_is_resumed(plan: LabPlan, node: NodePlan) -> None:
    with serving(node) as is_reachable:
        faults.pause(node)
        assert state_of(plan, node) == "paused"
        assert not is_reachable()
        faults.pause(node)
        faults.resume(node)
        assert state_of(plan, node) == "running"
        eventually(is_reachable, timeout_seconds=5)


def test_nothing_of_a_paused_node_runs(node: NodePlan) -> None:
    name = docker(node, "run", "--detach", BUSYBOX_IMAGE, "sh", "-c", "while :; do :; done")
    busy = int(docker(node, "inspect", "--format", "{{.State.Pid}}", name))

    def ticks() -> str:
        return Path(f"/proc/{busy}/stat").read_text().rsplit(")", 1)[1].split()[11]

    before = ticks()
    eventually(lambda: ticks() != before, timeout_seconds=5)
    faults.pause(node)
    held = ticks()
    with pytest.raises(AssertionError, match="not within"):
        eventually(lambda: ticks() != held, timeout_seconds=0.3)
    faults.resume(node)
    eventually(lambda: ticks() != held, timeout_seconds=5)
    docker(node, "rm", "--force", name)


def test_a_paused_node_refuses_what_it_could_not_answer(plan: LabPlan, node: NodePlan) -> None:
    faults.pause(node)
    for attempt in (
        lambda: faults.heal(node),
        lambda: faults.stop(plan, node),
        lambda: faults.restart_engine(node),
        lambda: faults.kill(node, "engine"),
        lambda: faults.exec_command(node, ["true"]),
    ):
        with pytest.raises(Conflict, match="is paused"):
            attempt()


def test_a_cut_node_runs_on_without_being_heard(plan: LabPlan, node: NodePlan) -> None:
    with serving(node) as is_reachable:
        faults.cut(node)
        assert state_of(plan, node) == "cut"
        assert not is_reachable()
        assert docker(node, "ps", "--quiet")
        faults.heal(node)
        assert state_of(plan, node) == "running"
        eventually(is_reachable, timeout_seconds=5)


def test_a_killed_node_loses_its_containers_and_keeps_its_disk(
    plan: LabPlan, node: NodePlan, lines: list[str]
) -> None:
    name = docker(node, "run", "--detach", BUSYBOX_IMAGE, "sleep", "600")
    container = int(docker(node, "inspect", "--format", "{{.State.Pid}}", name))
    faults.kill(node, "node")
    assert state_of(plan, node) == "stopped"
    assert not Path(f"/proc/{container}/root").exists()
    assert cgroups.process_ids(cgroups.read_hierarchies(), node.cgroup) == []
    faults.start(plan, node, lines.append)
    assert state_of(plan, node) == "running"
    assert docker(node, "inspect", "--format", "{{.State.Running}}", name) == "false"
    docker(node, "rm", "--force", name)


def test_a_killed_engine_leaves_a_degraded_node_that_start_repairs(
    plan: LabPlan, node: NodePlan, lines: list[str]
) -> None:
    faults.kill(node, "engine")
    row = status.read_status(plan)[1]
    assert (row.state, row.detail) == ("degraded", "engine not running")
    with pytest.raises(Conflict, match="does not run"):
        faults.kill(node, "engine")
    faults.start(plan, node, lines.append)
    assert state_of(plan, node) == "running"


def test_a_stopped_node_is_started_again(plan: LabPlan, node: NodePlan, lines: list[str]) -> None:
    faults.stop(plan, node)
    assert state_of(plan, node) == "stopped"
    with pytest.raises(Conflict, match="is stopped"):
        faults.pause(node)
    faults.stop(plan, node)
    faults.start(plan, node, lines.append)
    faults.start(plan, node, lines.append)
    assert state_of(plan, node) == "running"


def test_a_restarted_engine_starts_what_must_always_run(node: NodePlan) -> None:
    with serving(node) as is_reachable:
        faults.restart_engine(node)
        eventually(is_reachable, timeout_seconds=10)


def test_images_are_sent_only_to_engines_that_lack_them(
    plan: LabPlan, node: NodePlan, lines: list[str]
) -> None:
    image_loading.load(plan, [str(busybox_image_tar())], lines.append)
    assert lines[-1].endswith("there already")
    docker(node, "rmi", "--force", BUSYBOX_IMAGE)
    image_loading.load(plan, [BUSYBOX_IMAGE], lines.append)
    assert lines[-1].endswith(f"loaded into {node.name}")


def test_what_is_no_image_is_refused_by_name(
    plan: LabPlan, lines: list[str], tmp_path: Path
) -> None:
    (tmp_path / "no-archive").write_text("text")
    with pytest.raises(InputError, match="no-archive is not an archive"):
        image_loading.load(plan, [str(tmp_path / "no-archive")], lines.append)
    with pytest.raises(InputError, match="nobody/nothing:1 is neither"):
        image_loading.load(plan, ["nobody/nothing:1"], lines.append)


def test_a_name_nobody_bears_offers_the_nearest(plan: LabPlan) -> None:
    with pytest.raises(UnknownName) as raised:
        operations.find_node(plan, "worker")
    assert raised.value.hint == "did you mean worker1?"


def test_up_repairs_what_was_taken_away_and_touches_nothing_else(
    plan: LabPlan, node: NodePlan, lines: list[str]
) -> None:
    before = {row.name: row.pids for row in status.read_status(plan)}
    links.remove_node_network(node)
    assert state_of(plan, node) == "degraded"
    operations.up(plan.name, plan.directory, Wishes(with_engines_only=True), lines.append)
    after = {row.name: row.pids for row in status.read_status(plan)}
    assert state_of(plan, node) == "running"
    assert after["manager1"] == before["manager1"]
    assert after[node.name] != before[node.name]


def test_what_a_lab_is_cannot_be_changed_by_up(plan: LabPlan, lines: list[str]) -> None:
    for wishes in (Wishes(manager_count=2), Wishes(subnet="10.200.0.0/24")):
        with pytest.raises(Conflict, match="cannot change"):
            operations.up(plan.name, plan.directory, wishes, lines.append)
    with pytest.raises(Conflict, match=f"is called {plan.name}"):
        operations.up("another", plan.directory, Wishes(), lines.append)
    assert links.bridge_owner(planning.bridge_name("another")) is None


def test_a_lab_in_another_directory_is_not_taken_for_this_one(
    plan: LabPlan, lines: list[str], tmp_path: Path
) -> None:
    with pytest.raises(Conflict, match="belongs to"):
        operations.up(plan.name, tmp_path, Wishes(with_engines_only=True), lines.append)
    with pytest.raises(Conflict, match="is not in"):
        removal.down(plan.name, tmp_path, lines.append)
    assert state_of(plan, plan.nodes[0]) == "running"


def test_a_subnet_that_the_machine_uses_is_refused(
    plan: LabPlan, lines: list[str], tmp_path: Path
) -> None:
    wishes = Wishes(subnet=plan.subnet, with_engines_only=True)
    with pytest.raises(InputError, match="overlaps this machine's route"):
        operations.up(f"x{os.getpid():x}", tmp_path / "lab", wishes, lines.append)
    assert not (tmp_path / "lab" / "lab.json").exists()


def traces_of(name: str) -> list[str]:
    """Everything on this machine that bears a lab's name."""
    rules = subprocess.run(
        ["nft", "list", "ruleset"], check=True, capture_output=True, text=True, timeout=10
    ).stdout
    hierarchies = cgroups.read_hierarchies()
    found = [str(mount / planning.lab_cgroup(name)) for mount in hierarchies.mounts]
    found = [path for path in found if Path(path).exists()]
    found += links.links_like(rf"sctl-{name}.*")
    found += links.namespaces_like(rf"sctl-{name}.*")
    found += [line for line in rules.splitlines() if f"sctl-{name}0" in line]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if name in line]
    return found


@pytest.mark.parametrize("fault", ["none", "paused", "killed", "record lost", "record damaged"])
def test_down_leaves_nothing_behind(fault: str, lines: list[str], tmp_path: Path) -> None:
    name, directory = f"d{os.getpid():x}", tmp_path / "lab"
    wishes = Wishes(node_count=1, with_engines_only=True)
    plan = operations.up(name, directory, wishes, lines.append)
    pids = [pid for row in status.read_status(plan) for pid in row.pids.values()]
    assert pids
    assert traces_of(name)
    if fault == "paused":
        faults.pause(plan.nodes[0])
    elif fault == "killed":
        faults.kill(plan.nodes[0], "node")
    elif fault == "record lost":
        (directory / "lab.json").unlink()
    elif fault == "record damaged":
        (directory / "lab.json").write_text("{")
    assert removal.down(name, directory, lines.append)
    assert traces_of(name) == []
    assert not directory.exists()
    assert not [pid for pid in pids if Path(f"/proc/{pid}/root").exists()]
    assert not removal.down(name, directory, lines.append)


def test_down_removes_only_what_labs_write(lines: list[str], tmp_path: Path) -> None:
    name, directory = f"e{os.getpid():x}", tmp_path / "lab"
    directory.mkdir()
    (directory / "thesis.txt").write_text("years of work")
    operations.up(name, directory, Wishes(node_count=1, with_engines_only=True), lines.append)
    removal.down(name, directory, lines.append)
    assert [found.name for found in directory.iterdir()] == ["thesis.txt"]
