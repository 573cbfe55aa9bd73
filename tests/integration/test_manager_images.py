"""Images with three managers: each keeps what is used, and each leads to every node."""

import contextlib
import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from stackctl.model import specs
from tests.eventually import eventually
from tests.integration.test_manager_three import Trio, nodes, stack
from tests.manager_process import ManagerProcess, UnixConnection

pytestmark = [pytest.mark.integration, pytest.mark.timeout(90)]

IMAGE = "stackctl.internal/shop-web:1a2b3c4d5e6f"
CONTENT = b"what docker save writes " * 100_000
READY = dict.fromkeys(("m1", "m2", "m3"), "ready")


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    three = Trio(tmp_path)
    try:
        yield three.start()
    finally:
        three.stop()


def stack_with_image() -> specs.StackSpec:
    plain = stack(replicas=3)
    task = plain.services[0].task
    container = msgspec.structs.replace(task.container, image=IMAGE)
    service = msgspec.structs.replace(
        plain.services[0], task=msgspec.structs.replace(task, container=container)
    )
    return msgspec.structs.replace(plain, services=(service,))


def upload(manager: ManagerProcess) -> None:
    pieces = (CONTENT[start : start + 65536] for start in range(0, len(CONTENT), 65536))
    with contextlib.closing(UnixConnection(manager.socket_path, 20)) as connection:
        connection.request(
            "PUT",
            f"/v1/images?reference={quote(IMAGE, safe='')}",
            body=pieces,
            headers={"Content-Type": "application/x-tar"},
        )
        assert connection.getresponse().status == 200


def held_by(manager: ManagerProcess) -> list[str]:
    return [image["reference"] for image in manager.ask("GET", "/v1/images")]


def ends(steps: list[dict[str, Any]]) -> dict[str, str]:
    """How the image came to each node in the end."""
    return {step["node"]: step["state"] for step in steps if step["state"] != "fetching"}


def test_every_manager_gets_what_is_used_also_one_that_was_away(trio: Trio) -> None:
    one, two, three = trio.managers
    three.stop()
    upload(one)
    assert held_by(two) == []
    one.ask("PUT", "/v1/stacks/shop", stack_with_image())
    eventually(lambda: held_by(two) == [IMAGE], timeout_seconds=15)
    one.stop()
    three.start().wait_until_it_answers()
    eventually(lambda: held_by(three) == [IMAGE], timeout_seconds=20)
    files = [next((it.folder / "state" / "images").glob("*.tar")) for it in (two, three)]
    assert [file.read_bytes() == CONTENT for file in files] == [True, True]


def test_nodes_fetch_through_whichever_manager_they_hang_on(trio: Trio) -> None:
    for number in range(3):
        trio.connect_agent(number, through=[number])
    first = trio.managers[0]
    eventually(
        lambda: {name: node["state"] for name, node in nodes(first).items()} == READY,
        timeout_seconds=10,
    )
    trio.agents[2].image_fault = "no space left on device"
    steps = first.ask("POST", "/v1/stacks/shop/images", stack_with_image())
    assert ends(steps) == {"m1": "done", "m2": "done", "m3": "failed"}
    assert {step.get("error") for step in steps if step["node"] == "m3"} >= {
        "no space left on device"
    }
    assert [agent.images for agent in trio.agents] == [[IMAGE]] * 3


def test_a_stranger_gets_no_image(trio: Trio) -> None:
    first = trio.managers[0]
    upload(first)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, _, port = first.api_address.rpartition(":")
    with contextlib.closing(
        http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    ) as connection:
        connection.request("GET", f"/v1/images/content?reference={quote(IMAGE, safe='')}")
        assert connection.getresponse().status == 403
