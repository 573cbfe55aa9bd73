"""What commands for one engine say of how it went: to people, to scripts, and to who reads JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

SLEEPER = f"{{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], stop_grace_period: 0s}}"


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tltell") as command_line:
        yield command_line


def objects(text: str) -> list[dict[str, Any]]:
    """Every line is one."""
    return [json.loads(line) for line in text.splitlines()]


def test_a_service_that_is_not_started_lends_nobody_its_exit_code(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  one: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'exit 3']}}
  two: {SLEEPER}
""")
    done = shop("up", "--exit-code-from", "two", "one")
    assert done.code == 2
    assert "this service is not among those that are started" in done.err
    assert shop.containers() == {}
    assert shop("up", "--exit-code-from", "one", "one").code == 3


def test_services_whose_profiles_are_off_are_no_orphans(shop: LocalCommandLine) -> None:
    debug = SLEEPER.replace("{", "{profiles: [debug], ", 1)
    shop.write(f"services: {{web: {SLEEPER}, debug: {debug}, old: {SLEEPER}}}\n")
    shop.succeeds("--profile", "debug", "up", "-d")
    shop.write(f"services: {{web: {SLEEPER}, debug: {debug}}}\n")
    told = shop.succeeds("up", "-d").err
    assert "the file has no service for tltell-old-1 of this stack" in told
    shop.succeeds("up", "-d", "--remove-orphans")
    assert set(shop.containers()) == {"web-1", "debug-1"}


def test_builders_errors_and_warnings_are_json_where_progress_is(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: tltell-web
    build: {{context: ., dockerfile_inline: "FROM {BUSYBOX_IMAGE}\\nRUN echo built"}}
""")
    lines = objects(shop.succeeds("--progress", "json", "build", "--no-cache").err)
    assert any("echo built" in it.get("details", "") for it in lines)
    assert lines[-1] == {"id": "Image tltell-web", "status": "Done", "text": "Built"}
    shop.write(
        f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], "
        "stop_grace_period: 0s, healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 1}}}"
    )
    failed = shop("up", "--wait", "--progress", "json")
    assert failed.code == 1
    *steps, last = objects(failed.err)
    assert steps[-1] == {
        "id": "Container tltell-web-1",
        "status": "Error",
        "text": "Error",
        "details": "container tltell-web-1 is unhealthy",
        "error": True,
    }
    assert (last["error"], last["message"].splitlines()[0]) == (True, steps[-1]["details"])
    assert "stackctl logs" in last["hint"]


def test_waiting_is_shown_until_all_are_healthy(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {SLEEPER}}}\n")
    lines = shop.succeeds("up", "--wait").err.splitlines()
    assert lines[-2:] == [" Container tltell-web-1  Waiting", " Container tltell-web-1  Healthy"]


def test_it_is_passed_over_where_there_is_a_terminal_anyway(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {SLEEPER}}}\n")
    shop.succeeds("up", "-d")
    for flags in (("-it",), ("-i", "-t"), ("--interactive", "--tty"), ("-ti", "-T")):
        assert shop.succeeds("exec", *flags, "web", "echo", "here").out == "here\n"
    assert shop.succeeds("run", "--rm", "-it", "web", "echo", "there").out == "there\n"


def test_images_that_are_gone_are_not_removed_again(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web: {{build: {{context: ., dockerfile_inline: "FROM {BUSYBOX_IMAGE}\\nLABEL a=b"}}}}
""")
    shop.succeeds("build", "-q")
    assert "Image tltell-web  Removed" in shop.succeeds("down", "--rmi", "local").err
    assert "nothing to remove" in shop.succeeds("down", "--rmi", "local").err


def test_every_image_that_cannot_be_had_is_named_also_when_quiet(shop: LocalCommandLine) -> None:
    shop.write("services: {a: {image: '127.0.0.1:9/one:1'}, b: {image: '127.0.0.1:9/two:1'}}\n")
    done = shop("pull", "-q")
    assert done.code == 1
    assert "127.0.0.1:9/one:1" in done.err
    assert "127.0.0.1:9/two:1" in done.err
