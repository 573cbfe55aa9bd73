"""`up` in the foreground, `logs` and waiting, where one service is unlike the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE
from tests.local_command_line import LocalCommandLine, local_command_line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def shop(engine: EngineForTests, tmp_path: Path) -> Iterator[LocalCommandLine]:
    with local_command_line(engine, tmp_path, "tlatt") as command_line:
        yield command_line


def test_a_service_without_readable_logs_does_not_end_the_others(shop: LocalCommandLine) -> None:
    """`up` and `logs` of the whole stack ended with the engine's refusal for one service."""
    shop.write(f"""
services:
  loud: {{image: '{BUSYBOX_IMAGE}', command: [echo, hello]}}
  mute: {{image: '{BUSYBOX_IMAGE}', command: [echo, x], logging: {{driver: none}}}}
""")
    assert "loud-1  | hello" in shop.succeeds("up").out
    assert "loud-1  | hello" in shop.succeeds("logs").out


def test_waiting_for_a_paused_container_says_so(shop: LocalCommandLine) -> None:
    shop.write(f"services: {{web: {{image: '{BUSYBOX_IMAGE}', command: [sleep, '1000']}}}}")
    shop.succeeds("up", "-d")
    shop.succeeds("pause")
    done = shop("up", "-d", "--wait")
    assert (done.code, "is paused; stackctl unpause lets it go on" in done.err) == (1, True)
    shop.succeeds("unpause")
    shop.succeeds("kill")


def test_the_time_to_stop_holds_for_an_up_in_the_foreground(shop: LocalCommandLine) -> None:
    """Its service would take a hundred seconds, longer than this test may."""
    shop.write(f"""
services:
  quick: {{image: '{BUSYBOX_IMAGE}', command: [sleep, '1']}}
  web:
    image: {BUSYBOX_IMAGE}
    command: [sh, -c, "trap '' TERM; while true; do sleep 1; done"]
    stop_grace_period: 1000s
""")
    shop.succeeds("up", "--exit-code-from", "quick", "-t", "1")
    assert not any(it.is_running for it in shop.containers().values())
