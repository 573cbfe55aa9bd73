"""`deploy --build`: an image built here runs on every node, and no registry is asked."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

STACK = "made"
IMAGES = "stackctl.internal/made-web"
DOCKERFILE = """\
FROM stackctl/busybox:test
ARG SAYS
RUN echo $SAYS >/says
CMD ["sh", "-c", "trap 'exit 0' TERM; cat /says; while :; do sleep 0.1; done"]
"""
COMPOSE = """\
services:
  web:
    build: {{context: ., args: {{SAYS: {says}}}}}
    deploy: {{mode: global, update_config: {{monitor: 0.5s}}}}
"""


class Project:
    """A folder with what is built; the engine of the lab's manager builds."""

    def __init__(self, lab: LabCluster, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.builder = next(name for name in lab.nodes() if name.startswith("manager"))
        self.others = [name for name in lab.nodes() if name != self.builder]
        lab.environment["DOCKER_HOST"] = lab.nodes()[self.builder]["engine"]
        (folder / "Dockerfile").write_text(DOCKERFILE)

    def words(self, says: str) -> tuple[str, ...]:
        file = self.folder / "compose.yaml"
        file.write_text(COMPOSE.format(says=says))
        return ("deploy", "--build", "-c", str(file), STACK)

    def deploy(self, says: str) -> str:
        """Deploys; the words on stderr."""
        done = self.lab.try_run(*self.words(says))
        assert done.returncode == 0, done.stderr
        return done.stderr

    def said_on(self, node: str) -> str:
        """What the running task of a node says."""
        names = [it for it in self.lab.containers(node) if it.startswith("made_web")]
        assert len(names) == 1, names
        return self.lab.docker(node, "logs", names[0])

    def images_on(self, node: str) -> set[str]:
        """Tags of the image on a node."""
        listed = self.lab.docker(node, "images", "--format", "{{.Tag}}", IMAGES)
        return set(listed.split())

    def image_of_service(self) -> str:
        rows = {row["Name"]: row for row in self.lab.rows("service", "ls")}
        return str(rows["made_web"]["Image"])


@contextmanager
def full_disk(lab: LabCluster, node: str) -> Iterator[None]:
    """The node's engine has next to nothing left where it unpacks images."""
    folder = f"{lab.docker(node, 'info', '-f', '{{.DockerRootDir}}')}/tmp"
    process = (Path(folder).parents[1] / "engine.pid").read_text().strip()
    inside = ("nsenter", f"--target={process}", "--mount")
    mount = ("mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", folder)
    subprocess.run([*inside, *mount], check=True)
    try:
        yield
    finally:
        subprocess.run([*inside, "umount", folder], check=True)


@pytest.fixture
def project(lab: LabCluster, tmp_path: Path) -> Iterator[Project]:
    lab.run("lab", "up")
    found = Project(lab, tmp_path)
    try:
        yield found
    finally:
        del lab.environment["DOCKER_HOST"]
        lab.run("lab", "up")
        lab.try_run("stack", "rm", STACK)


def test_what_is_built_here_runs_everywhere_and_a_new_build_rolls_out(project: Project) -> None:
    words = project.deploy("first")
    for node in project.others:
        assert f"{project.image_of_service()} on {node}  Is there" in words
        assert project.said_on(node) == "first"
    first = project.image_of_service()
    assert "Nothing to change" in project.lab.run(*project.words("first"))

    project.deploy("second")
    assert project.image_of_service() != first
    assert {project.said_on(node) for node in project.others} == {"second"}

    project.lab.run("stack", "rollback", STACK)
    assert project.image_of_service() == first
    assert {project.said_on(node) for node in project.others} == {"first"}


def test_a_node_that_was_away_gets_the_image_when_it_is_back(project: Project) -> None:
    away = project.others[0]
    project.lab.run("lab", "stop", away)

    def is_down() -> bool:
        rows = {row["Hostname"]: row["Status"] for row in project.lab.rows("node", "ls")}
        assert rows[away].lower().startswith("down"), rows
        return True

    eventually(is_down, timeout_seconds=40)
    words = project.deploy("while one was away")
    assert f"on {away}  Later" in words
    project.lab.run("lab", "start", away)

    def runs_there() -> bool:
        assert project.said_on(away) == "while one was away"
        return True

    eventually(runs_there, timeout_seconds=40)


def test_a_build_may_be_brought_to_the_nodes_without_a_deploy(project: Project) -> None:
    words = project.words("in advance")
    before = {node: project.images_on(node) for node in project.others}
    lab, file = project.lab, words[3]
    done = lab.try_run("-f", file, "-p", STACK, "build", "--quiet", "--push-to-cluster")
    assert done.returncode == 0, done.stderr
    for node in project.others:
        assert len(project.images_on(node) - before[node]) == 1
    assert not [row for row in lab.rows("service", "ls") if row["Name"] == "made_web"]
    assert "Is there" in project.deploy("in advance")


def test_a_node_with_a_full_disk_is_named_and_the_others_go_on(project: Project) -> None:
    full = project.others[0]
    with full_disk(project.lab, full):
        words = project.words("on the others")
        done = project.lab.try_run(*words, "--detach")
        assert done.returncode == 0, done.stderr
        assert f"on {full}  Failed" in done.stderr
        assert "no space left on this node's disk; docker system prune makes room" in done.stderr
        assert f"on {project.others[1]}  Is there" in done.stderr
        project.lab.run("stack", "rm", STACK)


def test_a_build_that_fails_changes_nothing(project: Project) -> None:
    project.deploy("before")
    before = project.image_of_service()
    (project.folder / "Dockerfile").write_text(DOCKERFILE + "RUN echo broken here; exit 3\n")
    done = project.lab.try_run(*project.words("after"))
    assert done.returncode == 1
    assert "cannot build service web" in done.stderr
    assert "broken here" in done.stderr
    assert project.image_of_service() == before


def test_without_an_engine_here_it_says_so_before_anything_is_done(project: Project) -> None:
    project.lab.environment["DOCKER_HOST"] = f"unix://{project.folder}/gone.sock"
    done = project.lab.try_run(*project.words("never"))
    assert done.returncode == 1
    assert "no engine answers at" in done.stderr
    assert not [row for row in project.lab.rows("service", "ls") if row["Name"] == "made_web"]


def test_an_image_that_no_manager_holds_is_said_with_what_to_do(project: Project) -> None:
    file = project.folder / "other.yaml"
    file.write_text(
        "services: {web: {image: 'stackctl.internal/lost:0123456789ab',"
        " deploy: {restart_policy: {condition: none}}}}"
    )
    done = project.lab.try_run("deploy", "--timeout", "30", "-c", str(file), STACK)
    assert done.returncode == 4
    assert "no manager holds image stackctl.internal/lost:0123456789ab" in done.stderr
    assert "deploy the stack again with --build" in done.stderr
