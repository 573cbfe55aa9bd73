"""Flags that Compose has beside the usual ones, each against a real engine."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackctl.local.failures import EngineRefusal
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SLEEPER = f"{{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], stop_grace_period: 0s}}"
BUILT = f"""
services:
  web:
    build: {{context: ., dockerfile_inline: "FROM {BUSYBOX_IMAGE}"}}
    command: [sleep, "1000"]
    stop_grace_period: 0s
"""
WATCHED = f"""
services:
  web:
    build:
      context: context
      dockerfile_inline: |
        FROM {BUSYBOX_IMAGE}
        COPY base /base
        ENV LOOP="while :; do sleep 0.1; done"
        CMD ["sh", "-c", "echo base is $$(cat /base); trap 'exit 3' TERM; eval $$LOOP"]
    develop:
      watch:
        - {{path: context/src, target: /src, action: sync}}
        - {{path: context/base, action: rebuild}}
"""


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlflag") as command_line:
        command_line.write(f"services: {{web: {SLEEPER}}}")
        yield command_line
        with contextlib.suppress(EngineRefusal):  # not all tests build it
            command_line.remove_everything()
            command_line.engine.delete("/images/tlflag-web")


def test_quiet_flags_leave_images_out_of_what_is_told(shop: LocalCommandLine) -> None:
    shop.write(BUILT)
    told = shop.succeeds("up", "-d", "--quiet-build", "--quiet-pull").err
    assert "Image" not in told
    assert "Container tlflag-web-1  Started" in told
    assert "Image tlflag-web  Built" in shop.succeeds("up", "-d", "--build").err
    assert "Image" not in shop.succeeds("create", "--build", "--quiet-build", "--quiet-pull").err
    ran = shop.succeeds("run", "--rm", "--build", "--quiet-build", "--quiet-pull", "web", "true")
    assert "Image" not in ran.err
    shop.write("services: {web: {image: 'localhost:9/none:1'}}")
    failed = shop("up", "-d", "--quiet-pull")
    assert "Pulling" not in failed.err
    assert "localhost:9/none:1" in failed.err
    shop("down", "--rmi", "all")


def test_yes_makes_a_changed_volume_anew(shop: LocalCommandLine) -> None:
    text = """
services:
  web:
    image: %s
    command: [sleep, "1000"]
    stop_grace_period: 0s
    volumes: ["data:/data"]
volumes: {data: {labels: {a: %s}}}
"""
    shop.write(text % (BUSYBOX_IMAGE, "one"))
    shop.succeeds("up", "-d")
    shop.succeeds("exec", "web", "touch", "/data/kept")
    shop.write(text % (BUSYBOX_IMAGE, "two"))
    told = shop.succeeds("up", "-d").err
    assert "warning: volume tlflag_data was made with other settings, and is kept" in told
    assert shop("exec", "web", "ls", "/data").out == "kept\n"
    foreseen = shop.succeeds("up", "--yes", "--dry-run").out
    assert "Volume tlflag_data  Removed: its settings have changed" in foreseen
    shop.succeeds("up", "-d", "-y")
    assert shop("exec", "web", "ls", "/data").out == ""
    assert shop.engine.get("/volumes/tlflag_data")["Labels"]["a"] == "two"
    assert shop.succeeds("create", "-y").err == ""


def test_names_have_underscores_with_compatibility(shop: LocalCommandLine) -> None:
    shop.write(BUILT)
    shop.succeeds("--compatibility", "up", "-d")
    (found,) = shop.containers().values()
    assert (found.name, found.image) == ("tlflag_web_1", "tlflag_web")
    ran = shop.succeeds("--compatibility", "run", "-d", "-q", "web", "true").out
    assert ran.startswith("tlflag_web_run_")
    again = shop("up", "-d", environment={"COMPOSE_COMPATIBILITY": "true"})
    assert (again.code, again.err) == (0, " Container tlflag_web_1  Running\n")
    assert shop.succeeds("logs").out == ""
    shop.succeeds("--compatibility", "down", "--rmi", "local", "--remove-orphans", "-t", "0")
    images = shop.engine.get("/images/json")
    assert all("tlflag_web:latest" not in (it["RepoTags"] or ()) for it in images)


def test_all_resources_of_the_file_are_made_when_asked_for(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {SLEEPER}}}\nnetworks: {{idle: }}\nvolumes: {{idle: }}\n")
    shop.succeeds("up", "-d")
    assert not shop.exists("networks", "tlflag_idle")
    shop.succeeds("--all-resources", "up", "-d")
    assert shop.exists("networks", "tlflag_idle")
    assert shop.exists("volumes", "tlflag_idle")


def test_flags_before_the_command_are_the_commands_own(shop: LocalCommandLine) -> None:
    planned = shop.succeeds("--dry-run", "up")
    assert "Container tlflag-web-1  Created" in planned.out
    assert shop.containers() == {}
    told = shop.succeeds("--progress", "json", "--parallel", "-1", "up", "-d").err
    assert {json.loads(line)["status"] for line in told.splitlines()} == {"Working", "Done"}
    assert shop.succeeds("--progress", "json", "up", "-d", "--progress", "quiet").err == ""
    refused = shop("--dry-run", "kill")
    assert (refused.code, "kill has no --dry-run" in refused.err) == (2, True)
    assert shop.containers()["web-1"].is_running


def test_ansi_demands_or_forbids_colours(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [echo, hello]}}}}")
    coloured = shop.succeeds("--ansi", "always", "up")
    assert "\x1b[36mweb-1  |\x1b[0m hello" in coloured.out
    assert "\x1b[" in coloured.err
    assert "\x1b[" not in shop.succeeds("--ansi", "always", "up", "--no-color").out
    plain = shop("--ansi", "never", "logs", environment={"FORCE_COLOR": "1"})
    assert "\x1b[" not in plain.out
    told = shop("logs", environment={"COMPOSE_ANSI": "always"})
    assert "\x1b[" in told.out
    wrong = shop("up", environment={"COMPOSE_ANSI": "perhaps"})
    assert (wrong.code, "COMPOSE_ANSI is 'perhaps'" in wrong.err) == (2, True)


def test_a_menu_is_refused_with_what_there_is_instead(shop: LocalCommandLine) -> None:
    done = shop("up", "--menu")
    assert (done.code, "hint: --watch watches files" in done.err) == (2, True)
    shop.succeeds("up", "-d", "--menu=false")


def test_kill_removes_orphans_when_asked(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {SLEEPER}, old: {SLEEPER}}}")
    shop.succeeds("up", "-d")
    shop.write(f"services: {{web: {SLEEPER}}}")
    shop.succeeds("kill", "--remove-orphans")
    assert {name: it.state for name, it in shop.containers().items()} == {"web-1": "exited"}


def test_run_takes_variables_from_files(shop: LocalCommandLine) -> None:
    shop.write("A=file\nB='two words'\n", file="run.env")
    words = ("run", "--rm", "-q", "-T", "--env-from-file", "run.env", "-e", "A=flag")
    assert shop.succeeds(*words, "web", "sh", "-c", "echo $A $B").out == "flag two words\n"
    missing = shop("run", "--env-from-file", "no.env", "web", "true")
    assert (missing.code, "no.env: No such file" in missing.err) == (2, True)
    shop.write("A='open\n", file="broken.env")
    broken = shop("run", "--env-from-file", "broken.env", "web", "true")
    assert (broken.code, "broken.env, line 1" in broken.err) == (2, True)


def test_the_version_is_printed_for_programs(shop: LocalCommandLine) -> None:
    short = shop.succeeds("version", "--short").out.strip()
    assert json.loads(shop.succeeds("version", "-f", "json").out) == {"version": short}


def test_up_watches_and_shows_what_is_written(shop: LocalCommandLine) -> None:
    shop.write("one", file="context/base")
    shop.write("first", file="context/src/a")
    shop.write(WATCHED)
    with shop.running("up", "--watch", "--abort-on-container-exit") as process:
        lines = _Lines(process)
        lines.until("watch: watching web")
        lines.until("base is one")
        shop.write("second", file="context/src/b")
        lines.until("watch: web: 1 copied")
        assert shop("exec", "web", "cat", "/src/b").out == "second"
        shop.write("two", file="context/base")
        # The old container's end is none for --abort-on-container-exit.
        lines.until("base is two", "watch: web: rebuilt")
        process.send_signal(signal.SIGINT)
        lines.until("Gracefully stopping")
        assert process.wait(20) == 130
    assert {it.state for it in shop.containers().values()} == {"exited"}


def test_a_watched_stack_that_has_ended_waits_for_the_next_change(shop: LocalCommandLine) -> None:
    shop.write("one", file="context/base")
    shop.write("x", file="context/src/a")
    shop.write(WATCHED.replace("trap 'exit 3' TERM; eval $$LOOP", "exit 3"))
    with shop.running("up", "-w") as process:
        lines = _Lines(process)
        lines.until("exited with code 3")
        shop.write("two", file="context/base")
        lines.until("base is two")
        lines.until("exited with code 3")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 130


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("up", "--watch"), "no service is watched"),
        (("up", "--watch", "-d"), "--watch does not go with --detach"),
        (("up", "--watch", "--wait"), "--watch does not go with --wait"),
        (("up", "--watch", "--no-build"), "--no-build and --watch exclude each other"),
        (("up", "-p", "other"), "-p stands before the command"),
    ],
)
def test_what_cannot_be_is_refused(
    shop: LocalCommandLine, words: tuple[str, ...], message: str
) -> None:
    done = shop(*words)
    assert (done.code, message in done.err) == (2, True), done.err
    assert shop.containers() == {}


def test_the_rest_of_ups_flags_do_what_they_say(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'sleep 0.3; echo from web'], depends_on: [db]}}
  db: {SLEEPER}
""")
    shop.succeeds("up", "--no-start")
    assert {it.state for it in shop.containers().values()} == {"created"}
    shop.succeeds("up", "-d", "db")
    before = shop.containers()["db-1"].id
    shop.succeeds("up", "-d", "-t", "0", "--always-recreate-deps", "web")
    assert shop.containers()["db-1"].id != before
    shop.succeeds("stop")
    done = shop.succeeds("up", "--abort-on-container-exit", "--no-attach", "db", "--no-color")
    assert "from web" in done.out
    assert "Attaching to web-1" in done.err
    only = shop.succeeds("up", "--abort-on-container-exit", "--attach", "db")
    assert "from web" not in only.out
    timed = shop.succeeds("up", "--abort-on-container-exit", "--timestamps", "--no-log-prefix")
    (line,) = (it for it in timed.out.splitlines() if "from web" in it)
    assert line[:2] == "20"
    assert line.endswith("Z from web")
    code = shop("up", "--exit-code-from", "db", "--attach-dependencies", "web")
    assert code.code in (137, 143)
    shop.write(
        f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: ['false']}}, db: {SLEEPER}}}"
    )
    failed = shop("up", "--abort-on-container-failure")
    assert failed.code == 1
    assert not any(it.is_running for it in shop.containers().values())
    late = shop("up", "--wait-timeout", "1", "--pull", "never")
    assert late.code == 1


class _Lines:
    """What a process writes, as far as it has come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._descriptor = process.stdout.fileno()
        os.set_blocking(self._descriptor, False)
        self._text = ""

    def until(self, *texts: str) -> None:
        """Wait for texts in any order, and forget all up to the first."""

        def has() -> bool:
            with contextlib.suppress(BlockingIOError):
                self._text += os.read(self._descriptor, 65536).decode()
            assert all(text in self._text for text in texts), self._text
            return True

        found: Callable[[], bool] = has
        eventually(found, timeout_seconds=30)
        self._text = self._text.partition(texts[0])[2]


def test_scale_changes_numbers_and_nothing_else(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {SLEEPER}, db: {SLEEPER}}}")
    shop.succeeds("up", "-d")
    before = shop.containers()
    changed = SLEEPER.replace("'1000'", "'2000'")
    shop.write(f"services: {{web: {changed}, db: {changed}}}")
    planned = shop.succeeds("scale", "--dry-run", "web=3").out
    assert "Container tlflag-web-3  Created" in planned
    shop.succeeds("scale", "--no-deps", "web=3", "db=0", "--progress", "quiet")
    after = shop.containers()
    assert set(after) == {"web-1", "web-2", "web-3"}
    assert after["web-1"].id == before["web-1"].id
    shop.succeeds("scale", "web=1")
    assert set(shop.containers()) == {"web-1"}
    wrong = shop("scale", "web")
    assert (wrong.code, "write SERVICE=NUMBER" in wrong.err) == (2, True)
    assert "no such service: nobody" in shop("scale", "nobody=1").err


NO_FOLDERS = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}


def test_rights_reach_the_container_and_what_runs_in_it(shop: LocalCommandLine) -> None:
    shop.write(json.dumps(NO_FOLDERS), file="profiles/no-folders.json")
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
    use_api_socket: true
    security_opt: ["seccomp:./profiles/no-folders.json"]
  free: {SLEEPER}
""")
    shop.succeeds("up", "-d")
    # The engine is given the profile itself: it may be on another machine.
    (option,) = shop.inspect("web-1")["HostConfig"]["SecurityOpt"]
    assert json.loads(option.partition("=")[2]) == NO_FOLDERS
    assert "Operation not permitted" in shop("exec", "-T", "web", "mkdir", "/made").err
    shop.succeeds("exec", "-T", "free", "mkdir", "/made")
    shop.succeeds("exec", "-T", "web", "test", "-S", "/var/run/docker.sock")

    # A machine that has not all rights itself, as one in a container, cannot give them: its engine
    # is asked for them all the same, and says so.
    words = ("free", "cat", "/proc/self/status")
    usual = shop.succeeds("exec", "-T", *words)
    more = shop("exec", "-T", "--privileged", *words)
    if _rights(Path("/proc/self/status").read_text()) == _all_rights():
        assert _rights(more.out) == _all_rights()
        assert _rights(usual.out) != _all_rights()
    else:
        assert (more.code, "unable to apply caps" in more.out) == (126, True)


def _rights(status: str) -> int:
    return int(status.partition("CapBnd:")[2].split()[0], 16)


def _all_rights() -> int:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    return int((1 << (last + 1)) - 1)
