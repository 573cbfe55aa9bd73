"""What can happen to an engine and to us in the middle of a command: full disks, ends, interrupts.

One clear message without a traceback, the right exit code, and nothing half-made.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.lab import faults
from tests.command_line import Done
from tests.engines import EngineForTests, running_engines
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line
from tests.registries import docker_config, running_registry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

SLEEPER = f"{{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], stop_grace_period: 0s}}"
NEVER_HEALTHY = f"""
services:
  web: {{image: '{BUSYBOX_IMAGE}', depends_on: {{db: {{condition: service_healthy}}}}}}
  db:
    image: {BUSYBOX_IMAGE}
    command: [sleep, '1000']
    stop_grace_period: 0s
    healthcheck: {{test: [CMD, 'false'], interval: 1s, retries: 1000}}
"""
SLOW_SECONDS = 1000 + os.getpid()  # by which the step is known among all processes
SLOW_BUILD = f"""
services:
  web:
    build:
      context: .
      dockerfile_inline: |
        FROM {BUSYBOX_IMAGE}
        RUN echo begun; sleep {SLOW_SECONDS}
"""
DISK_MEGABYTES = 64


@pytest.fixture(scope="module", name="small")
def _small() -> Iterator[EngineForTests]:
    with running_engines(1, prefix="s", disk_megabytes=DISK_MEGABYTES) as (only,):
        yield only


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlhard") as command_line:
        yield command_line


@pytest.fixture
def narrow(small: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(small, tmp_path, "tlfull") as command_line:
        yield command_line


@contextlib.contextmanager
def full_disk(engine: EngineForTests) -> Iterator[None]:
    """Everything that is free on the engine's disk is taken."""
    ballast = engine.node.directory / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield
    finally:
        ballast.unlink()


def is_clear(done: Done) -> bool:
    """One message in our words, without a trace of Python."""
    messages = [line for line in done.err.splitlines() if line.startswith("stackctl: ")]
    assert len(messages) == 1, done.err
    assert "Traceback" not in done.err, done.err
    assert "this is a fault of stackctl" not in done.err, done.err
    return True


def test_a_disk_that_fills_while_building_is_said(narrow: LocalCommandLine) -> None:
    filling = "dd if=/dev/zero of=/big bs=1M count=200"
    narrow.write(f"""
services:
  web: {{build: {{context: ., dockerfile_inline: "FROM {BUSYBOX_IMAGE}\\nRUN {filling}"}}}}
""")
    done = narrow("up", "-d")
    assert (done.code, is_clear(done)) == (1, True)
    assert "No space left on device" in done.err
    assert "hint: docker system prune" in done.err
    assert narrow.containers() == {}
    assert not narrow.exists("networks", "tlfull_default")


def test_a_disk_that_is_full_before_a_build_is_said(
    narrow: LocalCommandLine, small: EngineForTests
) -> None:
    (narrow.folder / "big").write_bytes(os.urandom(1 << 21))
    narrow.write(f"""
services:
  web: {{build: {{context: ., dockerfile_inline: "FROM {BUSYBOX_IMAGE}\\nCOPY big /"}}}}
""")
    with full_disk(small):
        done = narrow("build")
    assert (done.code, is_clear(done)) == (1, True)
    assert "no space left on device" in done.err
    assert "hint: docker system prune" in done.err


def test_a_full_disk_leaves_no_half_made_container(
    narrow: LocalCommandLine, small: EngineForTests
) -> None:
    narrow.write(f"services: {{web: {SLEEPER}}}")
    with full_disk(small):
        done = narrow("up", "-d")
        assert (done.code, is_clear(done)) == (1, True)
        assert "no space left on device" in done.err
        assert "hint: the engine's disk is full" in done.err
        assert narrow.containers() == {}
    narrow.succeeds("up", "-d")


def test_a_disk_that_fills_while_pulling_is_said(
    narrow: LocalCommandLine, small: EngineForTests, tmp_path: Path
) -> None:
    folder = tmp_path / "registry"
    folder.mkdir()
    with running_registry(small, folder, 5061) as registry:
        docker_config(tmp_path / ".docker", registry)
        image = f"{registry}/full:1"
        context = {"context": ".", "dockerfile_inline": f"FROM {BUSYBOX_IMAGE}\nCOPY big /"}
        (narrow.folder / "big").write_bytes(os.urandom(8 << 20))
        narrow.write(f"services: {{web: {{image: '{image}', build: {json.dumps(context)}}}}}")
        narrow.succeeds("build", "--push", "-q")
        narrow.engine.delete(f"/images/{image}", {"force": True})
        narrow.write(f"services: {{web: {{image: '{image}', command: [sleep, '1000']}}}}")
        with full_disk(small):
            done = narrow("up", "-d")
        assert (done.code, is_clear(done)) == (1, True)
        assert f"cannot pull {image}" in done.err
        assert "no space left on device" in done.err
        assert "hint: docker system prune makes room" in done.err
        assert narrow.containers() == {}
        assert not narrow.exists("networks", "tlfull_default")


@pytest.mark.parametrize("command", ["up", "build"])
def test_an_engine_that_dies_is_told_of(command: str, tmp_path: Path) -> None:
    with running_engines(1, prefix="d") as (only,):
        shop = LocalCommandLine(only, tmp_path, "tldie")
        shop.write(NEVER_HEALTHY if command == "up" else SLOW_BUILD)
        words = ("up", "-d") if command == "up" else ("build",)
        awaited = "Container tldie-db-1  Waiting" if command == "up" else "begun"
        with shop.running(*words) as process:
            told = _read_until(process, awaited)
            faults.kill(only.node, "engine")
            assert process.stdout is not None
            told += process.stdout.read()
            code = process.wait(20)
        done = Done(code, "", told)
        assert (code, is_clear(done)) == (1, True)
        assert "engine" in told.rpartition("stackctl: ")[2]
        assert "hint: " in told
        after = shop("ps")
        assert after.code == 1
        assert "no engine answers at" in after.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("up", "-d"), ("up",), ("create", "--build"), ("build",)])
def test_an_interrupt_ends_at_once_and_leaves_what_is_whole(
    shop: LocalCommandLine, words: tuple[str, ...], number: signal.Signals
) -> None:
    builds = words[0] in ("create", "build")
    shop.write(SLOW_BUILD if builds else NEVER_HEALTHY)
    with shop.running(*words) as process:
        told = _read_until(process, "Building" if words[0] == "create" else _sign(builds))
        if builds:
            eventually(_building, timeout_seconds=20)
        before = time.monotonic()
        process.send_signal(number)
        assert process.stdout is not None
        told += process.stdout.read()
        assert process.wait(20) == 130
        assert time.monotonic() - before < 15
    assert "Traceback" not in told
    states = {name: it.state for name, it in shop.containers().items()}
    if builds:
        assert states == {}
        eventually(lambda: not _building(), timeout_seconds=20)
    else:
        assert states == {"web-1": "created", "db-1": "exited" if words == ("up",) else "running"}


def test_an_interrupted_wait_leaves_the_stack_running(shop: LocalCommandLine) -> None:
    shop.write(NEVER_HEALTHY.replace("web:", "idle:").replace("depends_on", "x-depends_on"))
    with shop.running("up", "--wait") as process:
        _read_until(process, "Container tlhard-db-1  Started")
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        told = process.stdout.read()
        assert process.wait(20) == 130
    assert "Traceback" not in told
    assert shop.containers()["db-1"].is_running


def test_an_up_that_was_killed_is_finished_by_the_next(shop: LocalCommandLine) -> None:
    shop.write(NEVER_HEALTHY)
    with shop.running("up", "-d") as process:
        _read_until(process, "Container tlhard-db-1  Waiting")
        process.kill()
    shop.write(f"services: {{web: {SLEEPER}, db: {SLEEPER}}}")
    shop.succeeds("up", "-d")
    assert {it.state for it in shop.containers().values()} == {"running"}
    assert set(shop.containers()) == {"web-1", "db-1"}


def test_who_may_not_use_the_socket_is_told_how(
    shop: LocalCommandLine, engine: EngineForTests
) -> None:
    shop.write(f"services: {{web: {SLEEPER}}}")
    for folder in (shop.folder, *shop.folder.parents[:-2], *_private(engine.socket)):
        folder.chmod(folder.stat().st_mode | 0o055)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    ended = subprocess.run(
        [*nobody, *shop.words(("up", "-d"))],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    done = Done(ended.returncode, ended.stdout, ended.stderr)
    assert (done.code, is_clear(done)) == (1, True)
    assert f"permission denied on the engine's socket unix://{engine.socket}" in done.err
    assert "hint: run as a member of the group docker" in done.err
    assert shop.containers() == {}


def _private(socket: Path) -> list[Path]:
    """The folders above the socket that nobody else may enter."""
    return [folder for folder in socket.parents if not folder.stat().st_mode & 0o001]


def _sign(builds: bool) -> str:
    return "begun" if builds else "Container tlhard-db-1  Waiting"


def _building() -> bool:
    """Whether the step of the build runs: the engine is on this machine."""
    wanted = f"sleep\0{SLOW_SECONDS}\0".encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == wanted:
                return True
    return False


def _read_until(process: "subprocess.Popen[str]", text: str) -> str:
    """What a process writes, up to the line with a text."""
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line
        if text in line:
            return told
    raise AssertionError(f"{text!r} was never told: {told}")
