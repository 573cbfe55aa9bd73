"""run and watch against a real engine, each flag at least once."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.cli.main import main
from stackctl.local import observing
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import parse_endpoint
from stackctl.local.observed import Container
from tests.command_line import Done
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

PROGRAM = str(Path(sys.executable).parent / "stackctl")
RUN_FILE = f"""
name: once
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: sh -c "echo default $$A"
    environment: {{A: from-file}}
    ports: ["127.0.0.1:18351:80"]
    volumes: ["data:/data", "/anonymous"]
    depends_on: {{db: {{condition: service_healthy}}}}
    restart: always
  db:
    image: {BUSYBOX_IMAGE}
    command: sleep 1000
    stop_grace_period: 0s
    healthcheck: {{test: ["CMD", "true"], interval: 1s}}
volumes: {{data: }}
"""
WATCH_FILE = f"""
name: watched
services:
  web:
    build:
      context: context
      dockerfile_inline: |
        FROM {BUSYBOX_IMAGE}
        COPY base /base
        CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    develop:
      watch:
        - {{path: context/src, target: /src, action: sync, ignore: ["*.tmp"], initial_sync: true}}
        - {{path: context/settings, target: /settings, action: sync+restart}}
        - {{path: context/base, action: rebuild}}
        - path: context/hooked
          target: /hooked
          action: sync+exec
          exec: {{command: [touch, /hook-ran]}}
"""

Run = Callable[..., Done]


class Stack:
    """A stack in a folder, and its commands."""

    def __init__(
        self, name: str, engine: EngineForTests, folder: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.name = name
        self.engine = Engine(parse_endpoint(engine.url))
        self.environment = {
            "DOCKER_HOST": engine.url,
            "COMPOSE_FILE": str(folder / "compose.yaml"),
            "HOME": str(folder),
            "TERM": "xterm",
        }
        self._capfd = capfd

    def run(self, *words: str) -> Done:
        self._capfd.readouterr()
        code = main(list(words), self.environment)
        written = self._capfd.readouterr()
        return Done(code, written.out, written.err)

    def containers(self) -> dict[str, Container]:
        return {it.name: it for it in observing.list_containers(self.engine, self.name)}

    def shows(self, path: str) -> str:
        return self.run("exec", "web", "cat", path).out


@pytest.fixture
def once(
    engine: EngineForTests, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Stack]:
    (tmp_path / "compose.yaml").write_text(RUN_FILE)
    stack = Stack("once", engine, tmp_path, capfd)
    yield stack
    assert stack.run("down", "-v", "-t", "0", "--remove-orphans").code == 0
    for name in stack.containers():
        stack.engine.delete(f"/containers/{name}", {"force": True, "v": True})


@pytest.fixture
def watched(
    engine: EngineForTests, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Stack]:
    for name in ("src/a", "src/b.tmp", "settings/s", "base", "hooked/h"):
        (tmp_path / "context" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "context" / name).write_text("first")
    (tmp_path / "compose.yaml").write_text(WATCH_FILE)
    stack = Stack("watched", engine, tmp_path, capfd)
    yield stack
    assert stack.run("down", "-v", "-t", "0").code == 0


def test_run_waits_for_dependencies_and_leaves_the_service_alone(once: Stack) -> None:
    done = once.run("run", "web")
    assert (done.code, done.out) == (0, "default from-file\n")
    found = once.containers()
    assert found["once-db-1"].health == "healthy"
    (own,) = (it for it in found.values() if it.service == "web")
    assert re.fullmatch(r"once-web-run-[0-9a-f]{12}", own.name)
    assert own.is_one_off
    assert not own.publishers
    inspected = observing.inspect(once.engine, own.id)
    assert inspected["HostConfig"]["RestartPolicy"]["Name"] == "no"
    assert "web" not in (inspected["NetworkSettings"]["Networks"]["once_default"]["Aliases"] or [])


def test_run_takes_everything_from_the_command_line(once: Stack, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mounted")
    tmp_path.chmod(0o755)
    script = "id -un; pwd; echo $A; cat /mnt/f; cat /data/f; exit 4"
    done = once.run(
        *("run", "--rm", "--no-deps", "-q", "-T", "-u", "nobody", "-w", "/tmp", "-e", "A=flag"),
        *("-v", f"{tmp_path}:/mnt:ro", "-v", f"{tmp_path}:/data", "--entrypoint", "sh -c"),
        *("--pull", "never", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "web", script),
    )
    assert done == Done(4, "nobody\n/tmp\nflag\nmountedmounted", "")
    assert not once.containers()


def test_a_detached_run_has_name_labels_ports_and_aliases(once: Stack) -> None:
    done = once.run(
        *("run", "-d", "--no-deps", "-q", "--name", "once-named", "-l", "a=b", "-P"),
        *("-p", "127.0.0.1:18352:90/udp", "-p", "91", "--use-aliases", "web", "sleep", "1000"),
    )
    assert (done.code, done.out) == (0, "once-named\n")
    found = once.containers()["once-named"]
    assert found.labels["a"] == "b"
    published = {(it.target, it.protocol): it.published for it in found.publishers}
    assert published[80, "tcp"] == 18351
    assert published[90, "udp"] == 18352
    assert published[91, "tcp"] > 0
    networks = observing.inspect(once.engine, found.id)["NetworkSettings"]["Networks"]
    assert {"web", "once-named"} <= set(networks["once_default"]["Aliases"])


def test_a_detached_run_with_rm_goes_by_itself(once: Stack) -> None:
    assert once.run("run", "-d", "--rm", "--no-deps", "-q", "web", "true").code == 0
    eventually(lambda: not once.containers(), timeout_seconds=10)


def test_run_removes_orphans_and_builds_when_asked(once: Stack, tmp_path: Path) -> None:
    assert once.run("run", "-q", "web", "true").code == 0
    (tmp_path / "compose.yaml").write_text(
        f"name: once\nservices:\n  web:\n    build: {{context: ., dockerfile_inline: "
        f"'FROM {BUSYBOX_IMAGE}'}}\n    command: echo built\n"
    )
    done = once.run("run", "--rm", "--build", "--remove-orphans", "--no-interactive", "web")
    assert (done.code, done.out) == (0, "built\n")
    assert "once-db-1" not in once.containers()


def test_a_run_that_cannot_start_is_removed_and_has_a_shells_code(once: Stack) -> None:
    done = once.run("run", "--no-deps", "-q", "web", "nosuch")
    assert (done.code, "nosuch" in done.err) == (127, True)
    assert not once.containers()
    assert once.run("run", "-p", "x", "--no-deps", "web").code == 2
    assert once.run("run", "-v", "data:relative", "--no-deps", "web").code == 2


def test_waiting_can_end_the_whole_stack(once: Stack) -> None:
    assert once.run("up", "-d").code == 0
    assert once.run("run", "-d", "-q", "--name", "once-long", "web", "sleep", "1000").code == 0
    once.engine.post("/containers/once-db-1/kill")
    done = once.run("wait", "--down-project", "db")
    assert (done.code, done.out) == (137, "137\n")
    assert "once-db-1" not in once.containers()


def test_signals_reach_the_container_of_a_run(once: Stack) -> None:
    script = "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [PROGRAM, "run", "--rm", "--no-deps", "-q", "-T", "web", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=once.environment,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"got it\n"
        assert process.wait(10) == 7
    assert not once.containers()


def test_a_terminal_is_passed_through_with_its_size_and_can_be_left(once: Stack) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with subprocess.Popen(
        [PROGRAM, "run", "--no-deps", "-q", "web", "sh"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=once.environment,
        start_new_session=True,
    ) as process:
        seen = bytearray()

        def has(text: bytes) -> bool:
            with contextlib.suppress(BlockingIOError):
                seen.extend(os.read(ours, 4096))
            return text in seen

        eventually(lambda: has(b"# "), timeout_seconds=15)
        os.write(ours, b"test -t 0 && echo is-a-$((1+1))-terminal\r")
        eventually(lambda: has(b"is-a-2-terminal"), timeout_seconds=10)
        os.write(ours, b"\x10\x11")
        assert process.wait(10) == 0
    os.close(ours)
    os.close(theirs)
    (left,) = once.containers().values()
    assert left.is_running


def test_a_watch_syncs_restarts_runs_hooks_and_rebuilds(watched: Stack, tmp_path: Path) -> None:
    context = tmp_path / "context"
    with subprocess.Popen(
        [PROGRAM, "watch", "web"], stderr=subprocess.PIPE, env=watched.environment
    ) as process:
        try:
            eventually(lambda: watched.shows("/src/a") == "first", timeout_seconds=20)
            assert watched.run("exec", "web", "ls", "/src").out == "a\n"
            (context / "src" / "below").mkdir()
            (context / "src" / "below" / "new").write_text("second")
            eventually(lambda: watched.shows("/src/below/new") == "second", timeout_seconds=10)
            (context / "src" / "a").unlink()
            eventually(
                lambda: watched.run("exec", "web", "ls", "/src").out == "below\n",
                timeout_seconds=10,
            )
            before = observing.inspect(watched.engine, "watched-web-1")["State"]["StartedAt"]
            (context / "settings" / "s").write_text("other")
            eventually(
                lambda: (
                    observing.inspect(watched.engine, "watched-web-1")["State"]["StartedAt"]
                    != before
                ),
                timeout_seconds=10,
            )
            eventually(lambda: watched.shows("/settings/s") == "other", timeout_seconds=10)
            (context / "hooked" / "h").write_text("changed")
            eventually(
                lambda: watched.run("exec", "web", "ls", "/hook-ran").code == 0, timeout_seconds=10
            )
            old = watched.containers()["watched-web-1"]
            (context / "base").write_text("rebuilt")
            eventually(lambda: watched.shows("/base") == "rebuilt", timeout_seconds=20)
            eventually(lambda: _is_gone(watched.engine, old.image_id), timeout_seconds=10)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = process.stderr.read().decode()
        assert process.wait(10) == 130
    assert "watch: watching web" in told
    assert "watch: web: 1 copied, restarted" in told
    assert "watch: web: rebuilt" in told


def test_a_watch_can_be_quiet_and_start_nothing(watched: Stack, tmp_path: Path) -> None:
    assert watched.run("up", "-d").code == 0
    with subprocess.Popen(
        [PROGRAM, "watch", "--no-up", "--no-prune", "--quiet"],
        stderr=subprocess.PIPE,
        env=watched.environment,
    ) as process:
        eventually(lambda: watched.shows("/src/a") == "first", timeout_seconds=20)
        (tmp_path / "context" / "src" / "a").write_text("again")
        eventually(lambda: watched.shows("/src/a") == "again", timeout_seconds=10)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(10) == 130


def test_nothing_to_watch_is_told(once: Stack) -> None:
    done = once.run("watch")
    assert (done.code, "no service is watched" in done.err) == (2, True)


def _is_gone(engine: Engine, image_id: str) -> bool:
    found = engine.get("/images/json", {"all": True})
    return image_id not in {it["Id"] for it in found}
