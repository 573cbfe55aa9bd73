"""What goes wrong with a stack on one engine: one clear message, the right exit code."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SERVICE = f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], %s}}}}"


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlerr") as command_line:
        yield command_line


def test_a_port_in_use_is_said_with_the_way_to_find_its_owner(
    shop: LocalCommandLine, engine: EngineForTests, tmp_path: Path
) -> None:
    shop.write(SERVICE % "stop_grace_period: 0s, ports: ['7771:80']")
    with local_command_line(engine, tmp_path, "tlowner") as owner:
        owner.succeeds("up", "-d")
        done = shop("up", "-d")
        assert done.code == 1
        assert "service web does not start" in done.err
        assert "port is already allocated" in done.err
        assert "hint: another program has the port" in done.err
    shop.succeeds("up", "-d")


def test_a_failed_dependency_is_named_with_its_last_lines(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    depends_on: {{setup: {{condition: service_completed_successfully}}}}
  setup: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'echo no table; exit 7']}}
""")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-setup-1 ended with exit code 7\nno table" in done.err
    assert shop.containers()["web-1"].state == "created"


def test_an_unhealthy_dependency_is_named(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web: {{image: '{BUSYBOX_IMAGE}', depends_on: {{db: {{condition: service_healthy}}}}}}
  db:
    image: {BUSYBOX_IMAGE}
    command: [sleep, '1000']
    stop_grace_period: 0s
    healthcheck: {{test: [CMD, 'false'], interval: 100ms, retries: 2}}
""")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-db-1 is unhealthy" in done.err
    assert "hint: " in done.err


def test_waiting_ends_with_the_reason(shop: LocalCommandLine) -> None:
    shop.write(
        f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'echo oh; exit 2']}}}}"
    )
    done = shop("up", "--wait")
    assert done.code == 1
    assert "container tlerr-web-1 has ended with exit code 2\noh" in done.err


def test_a_missing_bind_path_that_must_be_there_is_said(shop: LocalCommandLine) -> None:
    mount = "{type: bind, source: ./nothing, target: /x, bind: {create_host_path: false}}"
    shop.write(SERVICE % f"volumes: [{mount}]")
    done = shop("up", "-d")
    assert done.code == 1
    assert "container tlerr-web-1" in done.err
    assert "nothing" in done.err
    assert shop.containers() == {}


def test_a_program_that_is_not_in_the_image_is_said(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [nowhere]}}}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert "service web does not start" in done.err
    assert "nowhere" in done.err


def test_a_missing_image_that_may_not_be_pulled_is_said(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {image: 'tlerr/none:1', pull_policy: never}}")
    done = shop("up", "-d")
    assert done.code == 1
    assert "tlerr/none:1" in done.err
    assert "hint: stackctl pull" in done.err


def test_a_missing_build_context_is_said_before_anything_is_made(shop: LocalCommandLine) -> None:
    shop.write("services: {web: {build: ./nowhere}}")
    done = shop("up", "-d")
    assert done.code != 0
    assert "nowhere" in done.err
    assert not shop.exists("networks", "tlerr_default")


def test_a_hook_that_fails_fails_the_start(shop: LocalCommandLine) -> None:
    shop.write(SERVICE % "post_start: [{command: [sh, -c, 'echo broken; exit 4']}]")
    done = shop("up", "-d")
    assert done.code == 1
    assert "post_start of tlerr-web-1 ended with exit code 4" in done.err
    assert "broken" in done.err
    shop("kill")


def test_no_engine_and_no_file_have_hints(shop: LocalCommandLine, tmp_path: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    shop.write(SERVICE % "init: true")
    done = shop("up", "-d", environment=nowhere)
    assert done.code == 1
    assert "no engine answers at" in done.err
    assert "hint: is it running?" in done.err
    (tmp_path / "compose.yaml").unlink()
    assert "hint: name one with -c FILE" in shop("up", "-d").err


def test_something_that_is_no_engine_is_recognised(shop: LocalCommandLine, tmp_path: Path) -> None:
    path = tmp_path / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))  # nobody listens: connections are refused
        done = shop("-p", "tlerr", "ps", environment={"DOCKER_HOST": f"unix://{path}"})
    assert done.code == 1
    assert "connection refused" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("up", "--build", "--no-build"), "--build and --no-build exclude each other"),
        (("up", "--force-recreate", "--no-recreate"), "exclude each other"),
        (("up", "--always-recreate-deps", "--no-recreate"), "exclude each other"),
        (("up", "-V", "--no-recreate"), "exclude each other"),
        (("up", "-d", "--attach", "web"), "--attach does not go with --detach"),
        (("up", "--wait", "--abort-on-container-exit"), "does not go with --wait"),
        (("up", "--attach", "web", "--attach-dependencies"), "exclude each other"),
        (("up", "--abort-on-container-exit", "--abort-on-container-failure"), "exclude"),
        (("up", "--scale", "web"), "write SERVICE=NUMBER"),
        (("up", "--scale", "nobody=2"), "no such service: nobody"),
        (("up", "wep"), "did you mean web?"),
        (("up", "--exit-code-from", "nobody"), "no such service: nobody"),
        (("stop", "nobody"), "no such service: nobody"),
        (("start",), "stackctl up -d makes and starts them"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_made(
    shop: LocalCommandLine, words: tuple[str, ...], message: str
) -> None:
    shop.write(SERVICE % "init: true")
    done = shop(*words)
    assert done.code == 2
    assert message in done.err
    assert shop.containers() == {}
