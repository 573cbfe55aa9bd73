"""Commands on running containers, each flag at least once, against a real engine."""

import json
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.cli.main import main
from tests.command_line import Done
from tests.engines import EngineForTests
from tests.eventually import eventually

pytestmark = pytest.mark.integration

Run = Callable[..., Done]

FILE = """
name: verbs
services:
  web:
    image: stackctl/busybox:test
    command: sh -c "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    init: false
    ports: ["127.0.0.1:18341:80", "18342:53/udp"]
    deploy: {replicas: 1}
  cat:
    image: stackctl/busybox:test
    command: sh -c "trap 'exit 9' TERM; while read line; do echo $$line; done; sleep 1000"
    stdin_open: true
  two:
    image: stackctl/busybox:test
    command: sleep 1000
    scale: 2
"""


@pytest.fixture(scope="module")
def environment(
    engine: EngineForTests, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What commands see: the engine, and a folder with the stack's file, which is up."""
    folder = tmp_path_factory.mktemp("verbs")
    (folder / "compose.yaml").write_text(FILE)
    found = {
        "DOCKER_HOST": engine.url,
        "COMPOSE_FILE": str(folder / "compose.yaml"),
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "COLUMNS": "200",
    }
    assert main(["up", "-d", "--progress", "quiet"], found) == 0
    yield found
    assert main(["down", "-v", "-t", "0", "--remove-orphans"], found) == 0


@pytest.fixture
def run(environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str, **variables: str) -> Done:
        capfd.readouterr()
        code = main(list(words), {**environment, **variables})
        written = capfd.readouterr()
        return Done(code, written.out, written.err)

    return call


def as_process(environment: dict[str, str], *words: str, typed: bytes = b"") -> Done:
    """The command as a process of its own, with a standard input."""
    ended = subprocess.run(
        [str(Path(sys.executable).parent / "stackctl"), *words],
        input=typed,
        capture_output=True,
        env=environment,
        timeout=20,
        check=False,
    )
    return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def test_exec_passes_output_and_exit_code_on(run: Run) -> None:
    assert run("exec", "web", "echo", "-n", "hi") == Done(0, "hi", "")
    done = run("exec", "-T", "web", "sh", "-c", "echo bad >&2; exit 5")
    assert (done.code, done.err) == (5, "bad\n")


def test_exec_sets_user_folder_and_variables(run: Run) -> None:
    script = "id -un; pwd; echo $A$B"
    done = run(
        *("exec", "-u", "nobody", "-w", "/tmp", "-e", "A=1", "-e", "B", "web", "sh", "-c", script),
        B="2",
    )
    assert done == Done(0, "nobody\n/tmp\n12\n", "")


def test_exec_of_a_number_and_detached(run: Run) -> None:
    first, second = (run("exec", "--index", n, "two", "hostname").out for n in ("1", "2"))
    assert first != second
    assert run("exec", "-d", "web", "touch", "/tmp/made").code == 0
    eventually(lambda: run("exec", "web", "ls", "/tmp/made").code == 0, timeout_seconds=5)
    done = run("exec", "--index", "9", "two", "true")
    assert (done.code, "two has no running container number 9" in done.err) == (2, True)


def test_exec_of_a_missing_program_and_service(run: Run) -> None:
    assert run("exec", "web", "nosuch").code in (126, 127)
    done = run("exec", "wed", "true")
    assert done.code == 2
    assert "did you mean web" in done.err


def test_exec_reads_what_is_piped(environment: dict[str, str]) -> None:
    content = b"x" * 300_000 + b"\n"
    done = as_process(environment, "exec", "-T", "web", "wc", "-c", typed=content)
    assert done == Done(0, "300001\n", "")


def test_top_shows_processes_of_services(run: Run) -> None:
    done = run("top", "two")
    lines = done.out.splitlines()
    assert lines[0].split()[:2] == ["SERVICE", "#"]
    assert lines[0].split()[-1] == "CMD"
    assert [line.split()[:2] for line in lines[1:]] == [["two", "1"], ["two", "2"]]
    assert all(line.endswith("sleep 1000") for line in lines[1:])


def test_port_prints_the_address(run: Run) -> None:
    assert run("port", "web", "80").out == "127.0.0.1:18341\n"
    assert run("port", "--protocol", "udp", "--index", "1", "web", "53").out == "0.0.0.0:18342\n"
    done = run("port", "web", "81")
    assert (done.code, "port 81/tcp of verbs-web-1 is not published" in done.err) == (1, True)


def test_images_in_all_layouts(run: Run) -> None:
    table = run("images", "web").out.splitlines()
    assert table[0].split()[:4] == ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM"]
    assert table[1].split()[:4] == ["verbs-web-1", "stackctl/busybox", "test", "linux/amd64"]
    assert re.fullmatch(r"[0-9a-f]{64}\n", run("images", "-q").out)
    found = json.loads(run("images", "--format", "json").out)
    assert [it["ContainerName"] for it in found] == [
        "verbs-cat-1",
        "verbs-two-1",
        "verbs-two-2",
        "verbs-web-1",
    ]


def test_stats_of_one_reading(run: Run) -> None:
    lines = run("stats", "--no-stream", "--no-trunc", "web").out.splitlines()
    assert lines[0].split()[:3] == ["CONTAINER", "ID", "NAME"]
    assert re.match(r"[0-9a-f]{64}\s+verbs-web-1\s+\d+\.\d+%", lines[1])
    rows = run("stats", "--no-stream", "-a", "--format", "json").out.splitlines()
    assert {json.loads(row)["Name"] for row in rows} >= {"verbs-web-1", "verbs-two-2"}


def test_events_between_two_moments(run: Run) -> None:
    run("exec", "web", "true")
    run("top", "web")
    lines = run("events", "--since", "1m", "--until", "0s", "web").out.splitlines()
    assert any(
        re.search(r" container top [0-9a-f]{64} \(.*name=verbs-web-1\)$", it) for it in lines
    )
    assert not any("exec_" in line for line in lines)
    found = [
        json.loads(line)
        for line in run("events", "--json", "--since", "10m", "--until", "0s").out.splitlines()
    ]
    assert {it["service"] for it in found} >= {"web", "two"}
    assert all(it["type"] == "container" and "attributes" in it for it in found)


def test_files_are_copied_in_to_all_containers(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "f").write_text("content")
    (tmp_path / "folder" / "link").symlink_to("below/f")
    assert run("cp", str(tmp_path / "folder"), "two:/tmp").code == 0
    for number in ("1", "2"):
        shown = run("exec", "--index", number, "two", "cat", "/tmp/folder/link")
        assert shown.out == "content"
    assert run("cp", "--index", "1", f"{tmp_path}/folder/.", "two:/tmp/new").code == 0
    assert run("exec", "--index", "1", "two", "ls", "/tmp/new").out == "below\nlink\n"
    assert run("cp", "-L", str(tmp_path / "folder/link"), "web:/tmp/renamed").code == 0
    assert run("exec", "web", "cat", "/tmp/renamed").out == "content"
    assert run("cp", "-a", "--all", str(tmp_path / "folder/below/f"), "web:/tmp/").code == 0
    assert run("exec", "web", "cat", "/tmp/f").out == "content"


def test_files_are_copied_out(run: Run, environment: dict[str, str], tmp_path: Path) -> None:
    run("exec", "web", "sh", "-c", "mkdir -p /tmp/o/p; echo 1 >/tmp/o/p/q; ln -s p/q /tmp/o/l")
    assert run("cp", "web:/tmp/o", str(tmp_path)).code == 0
    assert (tmp_path / "o/p/q").read_text() == "1\n"
    assert (tmp_path / "o/l").is_symlink()
    assert run("cp", "web:/tmp/o", str(tmp_path / "named")).code == 0
    assert (tmp_path / "named/p/q").exists()
    assert run("cp", "-L", "web:/tmp/o/l", str(tmp_path / "file")).code == 0
    assert (tmp_path / "file").read_text() == "1\n"
    stream = as_process(environment, "cp", "web:/tmp/o/p", "-").out
    (tmp_path / "t.tar").write_text(stream)
    with tarfile.open(tmp_path / "t.tar") as archive:
        assert archive.getnames() == ["p", "p/q"]
    sent = as_process(environment, "cp", "-", "cat:/tmp", typed=stream.encode())
    assert sent.code == 0, sent.err
    assert run("exec", "cat", "cat", "/tmp/p/q").out == "1\n"


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("/nosuch", "web:/tmp", "/nosuch does not exist"),
        ("web:/nosuch", "{tmp}", "there is no /nosuch in the container"),
        ("web:/etc", "cat:/tmp", "one side of a copy is a service"),
        ("{tmp}", "web:/no/folder/here/", "there is no folder"),
        ("web:", "{tmp}", "names no path"),
    ],
)
def test_copies_that_cannot_be_say_why(
    run: Run, tmp_path: Path, source: str, target: str, words: str
) -> None:
    done = run("cp", source.replace("{tmp}", str(tmp_path)), target.replace("{tmp}", str(tmp_path)))
    assert done.code == 2
    assert words in done.err


def test_wait_returns_the_exit_code(environment: dict[str, str], run: Run) -> None:
    found: list[Done] = []
    waiting = threading.Thread(
        target=lambda: found.append(as_process(environment, "wait", "web", "two"))
    )
    waiting.start()
    # The wait may begin after the end: then the engine answers at once with the same code.
    assert run("stop", "web").code == 0
    waiting.join(15)
    assert found == [Done(3, "3\n", "")]
    assert run("start", "web").code == 0


def test_attach_carries_both_directions_until_the_end(
    environment: dict[str, str], run: Run
) -> None:
    words = ["attach", "--sig-proxy", "cat"]
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "stackctl"), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"hello\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"hello\n"
    process.terminate()
    assert process.wait(10) == 9
    process.stdin.close()
    process.stdout.close()
    assert run("start", "cat").code == 0


def test_attach_without_input_shows_the_end(environment: dict[str, str], run: Run) -> None:
    found: list[Done] = []
    words = ("attach", "--no-stdin", "--no-sig-proxy", "--index", "1", "--detach-keys", "a", "web")
    attached = threading.Thread(target=lambda: found.append(as_process(environment, *words)))
    attached.start()
    eventually(
        lambda: "attach" in run("events", "--since", "5s", "--until", "0s", "web").out,
        timeout_seconds=10,
    )
    run("stop", "web")
    attached.join(10)
    assert found[0].code == 3
    assert run("start", "web").code == 0
