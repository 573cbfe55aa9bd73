"""Secrets on the node: files in memory for as long as a task needs them, never on the disk."""

from pathlib import Path

import pytest

from agent.drivers.config_files import ConfigFiles
from agent.drivers.disk import AgentFolder
from agent.drivers.secret_files import SecretFiles
from agent.drivers.task_files import TaskFiles
from stackctl.errors import PermanentFailure, TemporaryFailure
from stackctl.model import specs
from stackctl.model.assignment import AssignmentSet, SecretAssignment, TaskAssignment
from stackctl.model.task_state import TaskState
from tests.assignments import assignment, task
from tests.fakes.memory_disk import PlainDisk

PLAINTEXT = b"correct horse battery staple"
KEY = specs.ConfigReference(name="key", target="/run/secrets/key", uid="7", gid="8", mode=0o440)
SECRET = SecretAssignment(id="s1", name="key", content=PLAINTEXT)
UNSENT = SecretAssignment(id="s1", name="key")


def using(task_id: str = "t1", **fields: object) -> TaskAssignment:
    """A task that mounts the secret."""
    return task(task_id, container={"secrets": (KEY,)}, secret_ids={"key": "s1"}, **fields)  # type: ignore[arg-type]  # whatever a task has


def of_node(*tasks: TaskAssignment, secret: SecretAssignment = SECRET) -> AssignmentSet:
    return assignment(1, *tasks, secrets=(secret,))


@pytest.fixture
def files(tmp_path: Path) -> TaskFiles:
    return TaskFiles(
        configs=ConfigFiles(tmp_path / "configs"),
        secrets=SecretFiles(PlainDisk(tmp_path / "secrets")),
    )


def test_the_file_has_the_owner_and_mode_that_were_asked_for(files: TaskFiles) -> None:
    path = Path(files.write(using(), of_node(using()))["/run/secrets/key"])
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (7, 8, 0o440)
    assert path.read_bytes() == PLAINTEXT
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_each_task_has_files_of_its_own_which_go_with_it(files: TaskFiles, tmp_path: Path) -> None:
    one, two = using("t1"), using("t2")
    both = of_node(one, two)
    paths = [Path(files.write(each, both)["/run/secrets/key"]) for each in (one, two)]
    files.claim(of_node(two))
    files.remove_unclaimed()
    assert [path.exists() for path in paths] == [False, True]
    files.claim(assignment(2))
    files.remove_unclaimed()
    assert not (tmp_path / "secrets").exists(), "the disk goes with the last file"


def test_a_task_that_must_not_stop_yet_keeps_its_files(files: TaskFiles) -> None:
    leaving = using(desired=TaskState.SHUTDOWN)
    path = Path(files.write(leaving, of_node(leaving))["/run/secrets/key"])
    files.claim(of_node(leaving))
    files.remove_unclaimed()
    assert path.exists()
    files.claim(of_node(using(desired=TaskState.SHUTDOWN, may_stop=True)))
    files.remove_unclaimed()
    assert not path.exists()


def test_without_the_content_a_task_waits(files: TaskFiles) -> None:
    with pytest.raises(TemporaryFailure, match="secret key: no manager has sent its content yet"):
        files.write(using(), of_node(using(), secret=UNSENT))


def test_after_a_restart_of_the_agent_the_file_in_memory_is_used(
    files: TaskFiles, tmp_path: Path
) -> None:
    sources = files.write(using(), of_node(using()))
    later = TaskFiles(
        configs=ConfigFiles(tmp_path / "configs"),
        secrets=SecretFiles(PlainDisk(tmp_path / "secrets")),
    )
    held = of_node(using(), secret=UNSENT)
    later.claim(held)
    later.remove_unclaimed()
    assert later.write(using(), held) == sources


def test_another_content_is_another_file(files: TaskFiles) -> None:
    newer = SecretAssignment(id="s2", name="key", content=b"newer")
    old, new = using("t1"), task("t2", container={"secrets": (KEY,)}, secret_ids={"key": "s2"})
    both = assignment(1, old, new, secrets=(SECRET, newer))
    contents = [
        Path(files.write(each, both)["/run/secrets/key"]).read_bytes() for each in (old, new)
    ]
    assert contents == [PLAINTEXT, b"newer"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (task("t1", container={"secrets": (KEY,)}), "secret key is not assigned to this node"),
        (
            task(
                "t1",
                container={
                    "secrets": (
                        specs.ConfigReference(name="key", target="/run/secrets/key", uid="www"),
                    )
                },
                secret_ids={"key": "s1"},
            ),
            "secret key: owner www:0 is not a pair of numbers",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    files: TaskFiles, wanted: TaskAssignment, message: str
) -> None:
    with pytest.raises(PermanentFailure, match=message):
        files.write(wanted, of_node(wanted))


def test_without_memory_the_task_is_refused_and_nothing_written(tmp_path: Path) -> None:
    class FullDisk(PlainDisk):
        def attach(self) -> None:
            raise OSError(12, "Cannot allocate memory")

    files = SecretFiles(FullDisk(tmp_path / "secrets"))
    with pytest.raises(PermanentFailure, match=r"secret key: .*Cannot allocate memory"):
        files.write("t1", (KEY,), {"key": SECRET})
    assert not (tmp_path / "secrets").exists()


def test_the_kept_set_has_no_content_of_a_secret(tmp_path: Path) -> None:
    folder = AgentFolder(tmp_path)
    folder.write_assignment(of_node(using()))
    for path in tmp_path.rglob("*"):
        assert PLAINTEXT not in path.read_bytes()
    again = AgentFolder(tmp_path).read_assignment()
    assert again == of_node(using(), secret=UNSENT)
    assert [path.name for path in tmp_path.iterdir()] == ["assignment.bin"]


def test_a_told_secret_is_rewritten_in_place_and_only_with_a_content_that_came(
    files: TaskFiles,
) -> None:
    told = specs.ConfigReference(name="key", target="/run/secrets/key", on_change="SIGHUP")

    def using_told(secret_id: str) -> TaskAssignment:
        return task("t1", container={"secrets": (told,)}, secret_ids={"key": secret_id})

    path = Path(files.write(using_told("s1"), of_node(using_told("s1")))["/run/secrets/key"])
    inode = path.stat().st_ino
    newer = SecretAssignment(id="s2", name="key", content=b"new")
    unsent = SecretAssignment(id="s2", name="key")
    with pytest.raises(TemporaryFailure, match="no manager has sent its content yet"):
        files.rewrite(using_told("s2"), of_node(using_told("s2"), secret=unsent))
    assert path.read_bytes() == PLAINTEXT
    files.rewrite(using_told("s2"), of_node(using_told("s2"), secret=newer))
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", inode)
