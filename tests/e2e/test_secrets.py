"""A secret from a file on the user's machine into a container, and onto nothing on the way."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import LabCluster
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

FIRST, SECOND = "plain-7f1c-words", "other-91d2-words"
FILE = """\
services:
  user:
    image: stackctl/busybox:test
    command: sleep 100000
    stop_grace_period: 0s
    secrets:
      - source: key
        uid: "7"
        gid: "8"
        mode: 0440
    deploy:
      update_config: {monitor: 500ms}
  plain:
    image: stackctl/busybox:test
    command: sleep 100000
    stop_grace_period: 0s
secrets:
  key:
    file: ./key.txt
"""


class Stack:
    """The stack's folder on the user's machine, and the cluster it is deployed to."""

    def __init__(self, lab: LabCluster, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        (folder / "stack.yml").write_text(FILE)

    def deploy(self, content: str) -> str:
        (self.folder / "key.txt").write_text(content)
        return self.lab.run("deploy", "-c", str(self.folder / "stack.yml"), "vault")

    def container(self, service: str) -> tuple[str, str]:
        """Node and container of the service's only running task."""
        tasks = self.lab.running_on(service)
        assert len(tasks) == 1, tasks
        ((_, node),) = tasks.items()
        (name,) = [name for name in self.lab.containers(node) if name.startswith(service)]
        return node, name

    def inside(self, *words: str) -> str:
        """What a command prints in the container that has the secret."""
        node, name = self.container("vault_user")
        return self.lab.docker(node, "exec", name, *words)


@pytest.fixture
def stack(lab: LabCluster, tmp_path: Path) -> Iterator[Stack]:
    lab.run("lab", "up")
    made = Stack(lab, tmp_path)
    try:
        yield made
    finally:
        lab.try_run("stack", "rm", "vault")


def traces(lab: LabCluster, content: str) -> list[str]:
    """Files of the lab, on any node's disk, that hold the content."""
    folder = lab.environment["STACKCTL_LAB_DIR"]
    found = subprocess.run(
        ["grep", "-rlaF", "--devices=skip", "-e", content, folder],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()


def test_the_task_has_it_and_nobody_else_does(stack: Stack) -> None:
    stack.deploy(FIRST)
    assert stack.inside("stat", "-c", "%u %g %a", "/run/secrets/key") == "7 8 440"
    assert stack.inside("cat", "/run/secrets/key") == FIRST
    node, name = stack.container("vault_user")
    assert FIRST not in stack.lab.docker(node, "inspect", name)
    for words in (
        ("secret", "ls", "--format", "json"),
        ("secret", "inspect", "vault_key"),
        ("stack", "secrets", "--format", "json", "vault"),
        ("service", "inspect", "vault_user"),
        ("service", "ps", "--no-trunc", "--format", "json", "vault_user"),
    ):
        shown = stack.lab.run(*words)
        assert "vault_" in shown, words
        assert FIRST not in shown, words
    # Memory file systems are mounted in the nodes' own namespaces: these are the disks.
    assert traces(stack.lab, FIRST) == []
    assert traces(stack.lab, "vault_key") != [], "the search finds what there is"


def test_another_content_replaces_its_users_only_and_a_rollback_brings_it_back(
    stack: Stack,
) -> None:
    stack.deploy(FIRST)
    plain, former = stack.container("vault_plain"), stack.container("vault_user")
    unchanged = stack.deploy(FIRST)
    assert "vault_user" not in unchanged or "unchanged" in unchanged, unchanged
    assert stack.container("vault_user") == former
    stack.deploy(SECOND)
    assert stack.container("vault_plain") == plain
    assert stack.container("vault_user") != former
    assert stack.inside("cat", "/run/secrets/key") == SECOND
    stack.lab.run("service", "rollback", "vault_user")
    assert stack.inside("cat", "/run/secrets/key") == FIRST
    rows = {row["Version"]: row for row in stack.lab.rows("secret", "ls")}
    assert (rows["1"]["State"], rows["1"]["UsedBy"]) == ("former", "vault_user")
    assert (rows["2"]["State"], rows["2"]["KeptFor"]) == ("current", "vault_user")
    assert stack.container("vault_plain") == plain


def test_it_is_still_there_after_the_agent_was_killed_and_comes_to_another_node(
    stack: Stack,
) -> None:
    stack.deploy(FIRST)
    node, name = stack.container("vault_user")
    stack.lab.run("lab", "kill", "--what", "agent", node)
    stack.lab.run("lab", "start", node)
    assert stack.container("vault_user") == (node, name)
    assert stack.inside("cat", "/run/secrets/key") == FIRST
    path = stack.lab.docker(node, "inspect", "-f", "{{range .Mounts}}{{.Source}}{{end}}", name)
    assert stack.lab.run("lab", "exec", node, "--", "cat", path).strip() == FIRST

    stack.lab.run("node", "update", "--availability", "drain", node)
    try:
        eventually(lambda: stack.container("vault_user")[0] != node, timeout_seconds=30)
        assert stack.inside("cat", "/run/secrets/key") == FIRST
        mounts = ("lab", "exec", node, "--", "cat", "/proc/mounts")
        eventually(lambda: "stackctl-secrets" not in stack.lab.run(*mounts), timeout_seconds=30)
    finally:
        stack.lab.run("node", "update", "--availability", "active", node)
