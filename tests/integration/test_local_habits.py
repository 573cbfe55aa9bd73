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
