"""`up`, `down` and what lies between, on a real engine."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.compose.request import LoadRequest
from stackctl.local import labels
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import parse_endpoint
from stackctl.local.engine.http import Answer, Request
from stackctl.local.progress import silent
from stackctl.local.stack_files import load_stack
from stackctl.local.up import Up, UpOptions
from tests.engines import EngineForTests
from tests.eventually import eventually
from tests.images import BUSYBOX_IMAGE, BUSYBOX_NEXT_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SLEEPER = f"{{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], stop_grace_period: 0s}}"
TWO = f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
    depends_on: [db]
    volumes: [/anonymous, "data:/data"]
  db: {SLEEPER}
volumes: {{data: }}
"""


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlup") as command_line:
        command_line.write(TWO)
        yield command_line


def test_a_stack_comes_up_with_the_names_and_labels_of_compose(shop: LocalCommandLine) -> None:
    done = shop.succeeds("up", "-d")
    found = shop.containers()
    assert set(found) == {"web-1", "db-1"}
    assert all(it.state == "running" for it in found.values())
    assert shop.exists("networks", "tlup_default")
    assert shop.exists("volumes", "tlup_data")
    marks = found["web-1"].labels
    assert marks[labels.STACK] == "tlup"
    assert marks[labels.DEPENDS_ON] == "db:service_started:false"
    assert marks[labels.CONFIG_FILES] == str(shop.folder.resolve() / "compose.yaml")
    assert " Container tlup-web-1  Started" in done.err.splitlines()
    aliases = shop.inspect("web-1")["NetworkSettings"]["Networks"]["tlup_default"]["Aliases"]
    assert {"web", "tlup-web-1"} <= set(aliases)


def test_a_second_up_changes_nothing(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    before = {name: it.id for name, it in shop.containers().items()}
    done = shop.succeeds("up", "-d")
    assert all(line.endswith("  Running") for line in done.err.splitlines())
    assert {name: it.id for name, it in shop.containers().items()} == before
    assert shop.succeeds("up", "--dry-run").out == "nothing to do\n"


def test_only_what_changed_is_replaced_and_keeps_its_anonymous_volumes(
    shop: LocalCommandLine,
) -> None:
    shop.succeeds("up", "-d")
    before = shop.containers()
    shop.write(TWO.replace("depends_on", "environment: {A: b}\n    depends_on"))
    planned = shop.succeeds("up", "--dry-run").out
    assert "Container tlup-web-1  Recreated: its configuration has changed" in planned
    shop.succeeds("up", "-d")
    after = shop.containers()
    assert after["db-1"].id == before["db-1"].id
    assert after["web-1"].id != before["web-1"].id
    assert {it.name for it in after["web-1"].mounts} == {it.name for it in before["web-1"].mounts}
    shop.succeeds("up", "-d", "--force-recreate", "-V", "--no-deps", "web")
    renewed = shop.containers()
    assert {it.name for it in renewed["web-1"].mounts} != {it.name for it in after["web-1"].mounts}
    assert renewed["db-1"].id == before["db-1"].id


def test_another_image_under_the_same_name_replaces(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {image: 'tlup/moving:1', command: [sleep, '1000']}}")
    tag = {"repo": "tlup/moving", "tag": "1"}
    shop.engine.post(f"/images/{BUSYBOX_IMAGE}/tag", query=tag)
    try:
        shop.succeeds("up", "-d", "-t", "0")
        before = shop.containers()["web-1"].id
        shop.engine.post(f"/images/{BUSYBOX_NEXT_IMAGE}/tag", query=tag)
        shop.succeeds("up", "-d", "-t", "0", "--no-recreate")
        assert shop.containers()["web-1"].id == before
        shop.succeeds("up", "-d", "-t", "0")
        assert shop.containers()["web-1"].id != before
    finally:
        shop.remove_everything()
        shop.engine.delete("/images/tlup/moving:1")


def test_scale_goes_up_and_down(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d", "--scale", "db=3", "--parallel", "2")
    assert {name for name in shop.containers() if name.startswith("db")} == {"db-1", "db-2", "db-3"}
    shop.succeeds("up", "-d", "--scale", "db=1")
    assert {name for name in shop.containers() if name.startswith("db")} == {"db-1"}


def test_orphans_are_told_then_removed(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    shop.write(f"services: {{db: {SLEEPER}}}")
    assert "tlup-web-1" in shop.succeeds("up", "-d").err
    assert "web-1" in shop.containers()
    ignoring = {"COMPOSE_IGNORE_ORPHANS": "1"}
    assert "tlup-web-1" not in shop("up", "-d", environment=ignoring).err
    shop.succeeds("up", "-d", "--remove-orphans")
    assert set(shop.containers()) == {"db-1"}


def test_down_leaves_volumes_unless_asked(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    shop.succeeds("down", "-t", "0")
    assert shop.containers() == {}
    assert not shop.exists("networks", "tlup_default")
    assert shop.exists("volumes", "tlup_data")
    shop.succeeds("up", "-d")
    shop.succeeds("down", "-v", "-t", "0")
    assert not shop.exists("volumes", "tlup_data")
    assert "nothing to remove" in shop.succeeds("down").err


def test_down_needs_no_file(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    (shop.folder / "compose.yaml").unlink()
    shop.succeeds("-p", "tlup", "down", "-t", "0")
    assert shop.containers() == {}


def test_a_built_image_comes_and_goes_with_rmi(shop: LocalCommandLine) -> None:
    shop.write(f"FROM {BUSYBOX_IMAGE}\nARG NAME\nENV NAME=$NAME\n", file="web/Dockerfile")
    shop.write(
        "services: {web: {build: {context: web, args: {NAME: one}}, command: [sleep, '1000']}}"
    )
    assert "Image tlup-web  Built" in shop.succeeds("up", "-d").err
    assert "NAME=one" in shop.inspect("web-1")["Config"]["Env"]
    assert "Built" not in shop.succeeds("up", "-d").err
    assert "Built" in shop.succeeds("up", "-d", "--build", "-t", "0").err
    assert "Image tlup-web  Removed" in shop.succeeds("down", "-t", "0", "--rmi", "local").err


def test_health_is_waited_for_by_dependents_and_by_wait(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
    depends_on:
      db: {{condition: service_healthy}}
      setup: {{condition: service_completed_successfully}}
  setup: {{image: '{BUSYBOX_IMAGE}', command: ['true']}}
  db:
    image: {BUSYBOX_IMAGE}
    command: [sh, -c, "usleep 300000; touch /ready; exec sleep 1000"]
    stop_grace_period: 0s
    healthcheck: {{test: [CMD, test, -f, /ready], interval: 100ms, retries: 50}}
""")
    shop.succeeds("up", "--wait", "--wait-timeout", "30")
    found = shop.containers()
    assert found["db-1"].health == "healthy"
    assert found["setup-1"].exit_code == 0
    assert found["web-1"].state == "running"


def test_files_of_all_kinds_are_in_the_container(shop: LocalCommandLine) -> None:
    shop.write("from a file", file="token.txt")
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
    configs: [{{source: inline, target: /etc/inline, uid: "5", gid: "6", mode: 0440}}]
    secrets: [mounted, {{source: mounted, target: copied, mode: 0400}}, variable]
configs: {{inline: {{content: in the file}}}}
secrets: {{mounted: {{file: token.txt}}, variable: {{environment: WORD}}}}
""")
    done = shop("up", "-d", environment={"WORD": "from a variable"})
    assert done.code == 0, done.err
    script = "cat /etc/inline /run/secrets/mounted /run/secrets/variable /run/secrets/copied"
    assert shop.succeeds("exec", "-T", "web", "sh", "-c", script).out == (
        "in the filefrom a filefrom a variablefrom a file"
    )
    listed = shop.succeeds("exec", "-T", "web", "ls", "-ln", "/etc/inline").out.split()
    assert (listed[0], listed[2], listed[3]) == ("-r--r-----", "5", "6")


def test_a_changed_network_is_made_anew(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    before = shop.containers()
    shop.write(TWO + "networks: {default: {ipam: {config: [{subnet: 10.88.3.0/24}]}}}\n")
    shop.succeeds("up", "-d", "-t", "0")
    after = shop.containers()
    assert after["db-1"].id != before["db-1"].id
    settings = shop.inspect("db-1")["NetworkSettings"]["Networks"]["tlup_default"]
    assert settings["IPAddress"].startswith("10.88.3.")


def test_hooks_run_before_and_after(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    command: [sleep, "1000"]
    stop_grace_period: 0s
    volumes: ["data:/data"]
    pre_start: [{{command: [touch, /data/before]}}]
    post_start: [{{command: [touch, /data/after]}}]
    pre_stop: [{{command: [touch, /data/stopped]}}]
volumes: {{data: }}
""")
    shop.succeeds("up", "-d")
    assert shop.succeeds("exec", "-T", "web", "ls", "/data").out == "after\nbefore\n"
    shop.succeeds("restart", "-t", "0")
    assert "stopped" in shop.succeeds("exec", "-T", "web", "ls", "/data").out


def test_json_progress_is_one_object_a_line_and_quiet_is_silent(shop: LocalCommandLine) -> None:
    done = shop.succeeds("up", "-d", "--progress", "json")
    found = [json.loads(line) for line in done.err.splitlines()]
    assert {"id": "Container tlup-web-1", "status": "Done", "text": "Started"} in found
    assert shop.succeeds("down", "-t", "0", "--progress", "quiet").err == ""


def test_create_starts_nothing_and_start_does(shop: LocalCommandLine) -> None:
    shop.succeeds("create")
    assert {it.state for it in shop.containers().values()} == {"created"}
    shop.succeeds("start", "--wait")
    assert {it.state for it in shop.containers().values()} == {"running"}
    shop.succeeds("stop", "-t", "0", "web")
    assert shop.containers()["web-1"].state == "exited"
    shop.succeeds("up", "--no-start", "--force-recreate", "web")
    assert shop.containers()["web-1"].state == "created"


def test_containers_are_paused_killed_and_removed(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    shop.succeeds("pause", "web")
    assert shop.containers()["web-1"].state == "paused"
    shop.succeeds("unpause")
    assert shop.containers()["web-1"].state == "running"
    shop.succeeds("kill", "-s", "KILL", "web")
    eventually(lambda: shop.containers()["web-1"].state == "exited", timeout_seconds=10)
    refused = shop("rm")
    assert refused.code == 2
    assert "--force" in refused.err
    shop.succeeds("rm", "-f", "-v")
    assert set(shop.containers()) == {"db-1"}
    shop.succeeds("rm", "-f", "-s", "db")
    assert shop.containers() == {}


def test_restart_takes_dependents_that_ask_for_it(shop: LocalCommandLine) -> None:
    shop.write(TWO.replace("[db]", "{db: {condition: service_started, restart: true}}"))
    shop.succeeds("up", "-d")
    began = shop.inspect("web-1")["State"]["StartedAt"]
    shop.succeeds("restart", "-t", "0", "--no-deps", "db")
    assert shop.inspect("web-1")["State"]["StartedAt"] == began
    shop.succeeds("restart", "-t", "0", "db")
    assert shop.inspect("web-1")["State"]["StartedAt"] != began


def test_lists_show_what_was_asked_for(shop: LocalCommandLine) -> None:
    shop.succeeds("up", "-d")
    shop.succeeds("stop", "-t", "0", "web")
    assert "tlup-web-1" not in shop.succeeds("ps").out
    assert "tlup-web-1" in shop.succeeds("ps", "-a").out
    assert shop.succeeds("ps", "--status", "exited", "--format", "{{.Name}}").out == "tlup-web-1\n"
    assert shop.succeeds("ps", "--filter", "status=running", "--services").out == "db\n"
    assert shop.succeeds("ps", "-q").out.strip() == shop.containers()["db-1"].id
    (found,) = map(json.loads, shop.succeeds("ps", "--format", "json", "db").out.splitlines())
    assert (found["Service"], found["State"], found["Publishers"]) == ("db", "running", [])
    assert shop("ps", "nothing").code == 2
    assert "running(1)" in shop.succeeds("ls", "--filter", "name=tlup").out
    assert json.loads(shop.succeeds("ls", "-a", "--format", "json", "--filter", "name=tlup").out)
    assert shop.succeeds("ls", "-q", "--filter", "name=tlup").out == "tlup\n"
    shop.write(f"services: {{db: {SLEEPER}}}")
    assert "web" not in shop.succeeds("ps", "-a", "--no-orphans").out


def test_profiles_are_off_unless_chosen_or_named(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  db: {SLEEPER}
  debug: {SLEEPER.replace("{", "{profiles: [tools], ")}
""")
    shop.succeeds("up", "-d")
    assert set(shop.containers()) == {"db-1"}
    shop.succeeds("up", "-d", "debug")
    assert set(shop.containers()) == {"db-1", "debug-1"}
    shop.succeeds("down", "-t", "0")
    shop.succeeds("--profile", "tools", "up", "-d")
    assert set(shop.containers()) == {"db-1", "debug-1"}


SPEAK = "for i in 1 2 3; do echo {0} $$i; usleep 20000; done"
SPEAKERS = f"""
services:
  one:
    image: {BUSYBOX_IMAGE}
    command: [sh, -c, '{SPEAK.format("one")}; exit 3']
  two:
    image: {BUSYBOX_IMAGE}
    command: [sh, -c, '{SPEAK.format("two")}; exec sleep 1000']
    stop_grace_period: 0s
"""


def test_the_foreground_shows_all_lines_and_returns_the_chosen_code(shop: LocalCommandLine) -> None:
    shop.write(SPEAKERS)
    done = shop("up", "--exit-code-from", "one")
    assert done.code == 3
    lines = done.out.splitlines()
    assert [line for line in lines if line.startswith("one-1")] == [
        f"one-1  | one {number}" for number in (1, 2, 3)
    ]
    assert "one-1 exited with code 3" in done.err
    assert {it.state for it in shop.containers().values()} == {"exited"}
    done = shop("up", "--abort-on-container-failure", "--no-attach", "two", "--no-log-prefix")
    assert (done.code, done.out) == (3, "one 1\none 2\none 3\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_stack(shop: LocalCommandLine, number: signal.Signals) -> None:
    shop.write(SPEAKERS)
    with shop.running("up", "--attach", "two", "--progress", "quiet") as process:
        assert process.stdout is not None
        seen = ""
        while "two 3" not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(30) == 130, rest
    assert "Gracefully stopping" in rest
    assert "one 1" not in seen
    assert {it.state for it in shop.containers().values()} == {"exited"}


def test_logs_are_in_the_order_of_time_and_can_be_cut(shop: LocalCommandLine) -> None:
    shop.write(SPEAKERS)
    shop.succeeds("up", "-d")
    eventually(lambda: len(shop.succeeds("logs").out.splitlines()) == 6, timeout_seconds=10)
    whole = shop.succeeds("logs", "-t", "--no-color").out.splitlines()
    times = [line.split("|")[1].split()[0] for line in whole]
    assert times == sorted(times)
    assert shop.succeeds("logs", "--no-log-prefix", "--tail", "1", "two").out == "two 3\n"
    assert shop.succeeds("logs", "--index", "1", "-n", "1", "one").out == "one-1  | one 3\n"
    assert shop.succeeds("logs", "--since", times[3][:-1][:26] + "Z", "-t").out != ""
    assert shop.succeeds("logs", "--until", "2001-01-01").out == ""
    assert shop.succeeds("logs", "-f", "one").out.splitlines()[-1] == "one-1  | one 3"
    assert shop("logs", "--tail", "some").code == 2


def test_following_goes_on_after_a_restart(shop: LocalCommandLine) -> None:
    shop.write(SPEAKERS)
    shop.succeeds("up", "-d", "two")
    with shop.running("logs", "-f", "--no-log-prefix", "two") as process:
        assert process.stdout is not None
        while process.stdout.readline() != "two 3\n":
            assert process.poll() is None
        shop.succeeds("restart", "-t", "0", "two")
        seen = []
        while "two 3\n" not in seen:
            seen.append(process.stdout.readline())
            assert seen[-1]
        assert [line for line in seen if line.startswith("two ")] == [
            "two 1\n",
            "two 2\n",
            "two 3\n",
        ]


class CountedEngine(Engine):
    """Keeps the methods and paths of all calls."""

    def __init__(self, url: str) -> None:
        super().__init__(parse_endpoint(url))
        self.calls: list[str] = []

    def open(self, request: Request) -> Answer:
        self.calls.append(f"{request.method} {request.target.partition('?')[0]}")
        return super().open(request)


def test_a_second_up_of_twenty_services_only_asks(
    shop: LocalCommandLine, engine: EngineForTests
) -> None:
    services = "\n".join(f"  s{number}: {SLEEPER}" for number in range(20))
    shop.write(f"services:\n{services}\n")
    shop.succeeds("up", "-d")
    counted = CountedEngine(engine.url)
    file = str(shop.folder / "compose.yaml")
    stack = load_stack(LoadRequest(environment={}, paths=(file,), stack_name=shop.name))
    done = Up(counted, stack, UpOptions(), {}).carry_out(silent)
    assert done.plan.steps == ()
    assert all(call.startswith("GET ") for call in counted.calls)
    assert len(counted.calls) <= 5


def test_services_find_each_other_by_name_and_a_port_answers(
    shop: LocalCommandLine, engine: EngineForTests
) -> None:
    shop.write("from the folder", file="www/index.html")
    shop.write(f"""
services:
  lb:
    image: {BUSYBOX_IMAGE}
    command: [httpd, -f, -p, "80", -h, /www]
    stop_grace_period: 0s
    ports: ["7780:80"]
    volumes: ["./www:/www:ro"]
    depends_on: [web]
  web:
    image: {BUSYBOX_IMAGE}
    command: [httpd, -f, -p, "80", -h, /etc]
    stop_grace_period: 0s
    links: ["db:database"]
  db: {SLEEPER}
""")
    shop.succeeds("up", "-d")
    with urllib.request.urlopen(f"http://{engine.address}:7780/", timeout=5) as answer:
        assert answer.read() == b"from the folder"
    asked = shop.succeeds("exec", "-T", "lb", "wget", "-q", "-O", "-", "http://web/hostname")
    assert asked.out.strip() == shop.containers()["web-1"].id[:12]
    assert shop.succeeds("exec", "-T", "web", "nslookup", "database").code == 0
