"""The throw-away engines that other integration tests build on."""

import subprocess

import pytest

from stackctl.lab import unix_http
from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE, BUSYBOX_NEXT_IMAGE

pytestmark = pytest.mark.integration


def test_an_engine_for_tests_has_the_busybox_images(engine: EngineForTests) -> None:
    first = unix_http.image_id(engine.socket, BUSYBOX_IMAGE)
    following = unix_http.image_id(engine.socket, BUSYBOX_NEXT_IMAGE)
    assert first is not None
    assert following is not None
    assert first != following


def test_a_command_on_the_node_sees_its_network_and_its_name(engine: EngineForTests) -> None:
    seen = subprocess.run(
        engine.command("sh", "-c", "hostname; ls /sys/class/net"),
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    ).stdout.split()
    assert seen[0] == engine.node.name
    assert set(seen[1:]) >= {"docker0", "eth0", "lo"}


def test_engines_of_a_lab_are_different_ones_that_hear_each_other(
    three_engines: tuple[EngineForTests, ...],
) -> None:
    names = [unix_http.fetch_json(one.socket, "/info")["ID"] for one in three_engines]
    assert len(set(names)) == 3
    first, second, _third = three_engines
    reached = subprocess.run(
        first.command("busybox", "ping", "-c", "1", "-W", "2", second.node.name),
        check=False,
        timeout=10,
    )
    assert reached.returncode == 0
