"""What people are used to from Compose in small things, on a real engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SLEEPER = f"image: '{BUSYBOX_IMAGE}', command: [sleep, '1000'], stop_grace_period: 0s"


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlhabit") as command_line:
        yield command_line


def test_a_service_may_have_a_dot_in_its_name(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  api.v1: {{{SLEEPER}}}
  web: {{image: '{BUSYBOX_IMAGE}', command: [ping, -c, '1', api.v1], depends_on: [api.v1]}}
""")
    assert "1 packets received" in shop.succeeds("up", "--exit-code-from", "web").out
    assert shop.succeeds("ps", "-a", "--services").out.split() == ["api.v1", "web"]


def test_new_contents_of_configs_and_secrets_reach_the_containers(shop: LocalCommandLine) -> None:
    shop.write(f"""
services: {{web: {{{SLEEPER}, configs: [page], secrets: [word]}}}}
configs: {{page: {{content: "page $PAGE"}}}}
secrets: {{word: {{environment: WORD}}}}
""")

    def up(page: str, word: str) -> str:
        done = shop("up", "-d", environment={"PAGE": page, "WORD": word})
        assert done.code == 0, done.err
        seen = shop.succeeds("exec", "-T", "web", "cat", "/page", "/run/secrets/word").out
        assert seen == f"page {page}{word}"
        return shop.containers()["web-1"].id

    first = up("1", "a")
    assert up("1", "a") == first
    second = up("2", "a")
    assert len({first, second, up("2", "b")}) == 3


def test_orphans_cannot_be_removed_and_ignored(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{{SLEEPER}}}}}")
    ignoring = {"COMPOSE_IGNORE_ORPHANS": "1"}
    done = shop("up", "-d", "--remove-orphans", environment=ignoring)
    assert (done.code, shop.containers()) == (2, {})
    assert "COMPOSE_IGNORE_ORPHANS" in done.err


def test_containers_that_up_leaves_alone_are_named(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{{SLEEPER}}}, db: {{{SLEEPER}}}}}")
    shop.succeeds("up", "-d")
    shop.succeeds("pause", "db")
    assert shop.succeeds("up", "-d").err.splitlines() == [
        " Container tlhabit-db-1  Paused  stackctl unpause db lets it go on",
        " Container tlhabit-web-1  Running",
    ]
    shop.succeeds("unpause")


def test_volumes_are_listed(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web: {{{SLEEPER}, volumes: ['data:/data']}}
  db: {{{SLEEPER}, volumes: ['rows:/rows']}}
volumes: {{data: , rows: }}
""")
    shop.succeeds("create")
    names = ["tlhabit_data", "tlhabit_rows"]
    assert shop.succeeds("volumes", "-q").out.split() == names
    header, *rows = shop.succeeds("volumes").out.splitlines()
    assert (header.split(), [it.split()[1] for it in rows]) == (["DRIVER", "VOLUME", "NAME"], names)
    assert shop.succeeds("volumes", "--format", "{{.Name}}", "db").out.split() == names[1:]
    assert shop("volumes", "nobody").code == 2


def test_a_failed_step_is_said_once_and_what_to_do(shop: LocalCommandLine) -> None:
    shop.write(f"""
services:
  web:
    image: {BUSYBOX_IMAGE}
    depends_on: {{setup: {{condition: service_completed_successfully}}}}
  setup: {{image: '{BUSYBOX_IMAGE}', command: [sh, -c, 'echo no table; exit 7']}}
""")
    done = shop("up", "-d")
    assert done.err.count("ended with exit code 7") == 1
    assert "hint: stackctl logs" in done.err


def test_an_index_that_is_not_there_comes_with_those_that_are(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{{SLEEPER}}}}}")
    shop.succeeds("up", "-d", "--scale", "web=2")
    done = shop("exec", "--index", "3", "web", "true")
    assert "hint: --index takes one of 1, 2" in done.err


def test_flags_before_the_command_say_how_steps_are_shown(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{{SLEEPER}, depends_on: [db]}}, db: {{{SLEEPER}}}}}")
    done = shop.succeeds("--progress", "json", "run", "--rm", "web", "true")
    assert '{"id": "Container tlhabit-db-1"' in done.err
    assert shop.succeeds("--progress", "quiet", "run", "--rm", "web", "true").err == ""
