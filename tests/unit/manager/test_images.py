"""Images that managers keep: over the API, on the disk, and from manager to manager."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from agent.drivers.engine import ImageMissing
from agent.drivers.manager_images import ManagerImages
from agent.drivers.mutual_tls import TlsFiles
from stackctl.errors import Conflict, TemporaryFailure
from stackctl.manager.image_keeping import used_images
from stackctl.manager.image_store import ImageStore
from stackctl.manager.parts import Parts
from stackctl.model import specs
from tests.manager_parts import Edges, running_edges, small_stack

IMAGE = "stackctl.internal/shop-web:1a2b3c4d5e6f"
NEXT = "stackctl.internal/shop-web:2a2b3c4d5e6f"
CONTENT = b"an image of some size" * 50_000
PATH = f"/v1/images?reference={quote(IMAGE, safe='')}"


@pytest_asyncio.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with running_edges(tmp_path) as running:
        yield running


def stack_with(image: str) -> specs.StackSpec:
    stack = small_stack()
    task = stack.services[0].task
    container = msgspec.structs.replace(task.container, image=image)
    service = msgspec.structs.replace(
        stack.services[0], task=msgspec.structs.replace(task, container=container)
    )
    return msgspec.structs.replace(stack, services=(service,))


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


async def upload(edges: Edges, content: bytes, path: str = PATH) -> tuple[int, dict[str, object]]:
    connector = aiohttp.UnixConnector(str(edges.parts.settings.socket_path))
    headers = {"Content-Type": "application/octet-stream"}
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.put(f"http://local{path}", data=in_pieces(content), headers=headers) as response,
    ):
        return response.status, msgspec.json.decode(await response.read())


def node_images(parts: Parts, *managers: str) -> ManagerImages:
    """What a node's agent has; the manager's own certificate stands for a node's."""
    folder = parts.settings.identity_dir
    files = TlsFiles(
        authority=folder / "ca.pem", certificate=folder / "node.pem", key=folder / "node.key"
    )
    return ManagerImages(files, lambda: managers)


def fetched(images: ManagerImages, image: str) -> bytes:
    with images.open(image) as content:
        return b"".join(content.pieces)


async def test_an_image_goes_there_and_nodes_get_it(edges: Edges) -> None:
    status, stored = await upload(edges, CONTENT)
    assert (status, stored["reference"], stored["size_bytes"]) == (200, IMAGE, len(CONTENT))
    _, listed = await edges.ask("GET", "/v1/images")
    assert [image["reference"] for image in listed] == [IMAGE]
    images = node_images(edges.parts, edges.parts.settings.api_address)
    assert await asyncio.to_thread(fetched, images, IMAGE) == CONTENT


async def test_a_node_is_told_what_to_do_about_an_image_that_no_manager_holds(
    edges: Edges,
) -> None:
    images = node_images(edges.parts, edges.parts.settings.api_address)
    with pytest.raises(ImageMissing, match="deploy the stack again with --build"):
        await asyncio.to_thread(fetched, images, IMAGE)


async def test_a_node_asks_the_next_manager_and_tries_again_when_one_is_silent(
    edges: Edges,
) -> None:
    nobody = "127.0.0.1:1"
    address = edges.parts.settings.api_address
    with pytest.raises(TemporaryFailure, match=nobody):
        await asyncio.to_thread(fetched, node_images(edges.parts, nobody, address), IMAGE)
    await upload(edges, CONTENT)
    images = node_images(edges.parts, nobody, address)
    assert await asyncio.to_thread(fetched, images, IMAGE) == CONTENT


@pytest.mark.parametrize("reference", ["busybox", "", "stackctl.internal/" + "a" * 300])
async def test_only_names_of_the_clusters_own_images_are_taken(
    edges: Edges, reference: str
) -> None:
    status, error = await upload(edges, CONTENT, f"/v1/images?reference={quote(reference)}")
    assert (status, error["kind"]) == (400, "input")


async def test_a_name_cannot_lead_out_of_the_folder(edges: Edges) -> None:
    name = "stackctl.internal/../../identity/node"
    await upload(edges, CONTENT, f"/v1/images?reference={quote(name, safe='')}")
    settings = edges.parts.settings
    assert [it.parent for it in settings.state_dir.rglob("*.tar")] == [settings.images_dir]


async def test_nothing_at_all_is_no_image_but_keeps_one_that_is_there(edges: Edges) -> None:
    status, error = await upload(edges, b"")
    assert (status, error["message"]) == (400, "the image is empty")
    await upload(edges, CONTENT)
    status, stored = await upload(edges, b"")
    assert (status, stored["size_bytes"]) == (200, len(CONTENT))


async def test_images_may_take_so_much_and_no_more(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images", bytes_max=len(CONTENT) + 10)
    await store.put(IMAGE, in_pieces(CONTENT))
    with pytest.raises(Conflict, match="the images of this cluster may take"):
        await store.put(NEXT, in_pieces(CONTENT))
    assert [it.name for it in (tmp_path / "images").iterdir()] == [f"{quote(IMAGE, safe='')}.tar"]


async def test_an_image_that_breaks_off_is_not_there(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images", bytes_max=1 << 30)

    async def breaking() -> AsyncIterator[bytes]:
        yield CONTENT
        raise ConnectionResetError

    with contextlib.suppress(ConnectionResetError, Conflict):
        await store.put(IMAGE, breaking())
    assert store.all() == []
    assert list((tmp_path / "images").iterdir()) == []


async def test_what_services_run_or_may_return_to_is_used(edges: Edges) -> None:
    await edges.ask("PUT", "/v1/stacks/shop", stack_with(IMAGE))
    await edges.ask("PUT", "/v1/stacks/shop", stack_with(NEXT))
    assert used_images(edges.parts.cluster.state) == {IMAGE, NEXT}


async def test_only_what_is_in_no_use_for_long_is_removed(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "images", bytes_max=1 << 30)
    for image in (IMAGE, NEXT):
        await store.put(image, in_pieces(CONTENT))
    assert store.remove_unused([IMAGE], grace_seconds=3600) == []
    assert store.remove_unused([IMAGE], grace_seconds=-1) == [NEXT]
    assert [image.reference for image in store.all()] == [IMAGE]
