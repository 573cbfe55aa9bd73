"""The engine of a node that gets images from the managers."""

import contextlib
from collections.abc import Iterator

import pytest

from agent.drivers.engine import ImageMissing
from agent.drivers.manager_images import ImageContent
from agent.drivers.node_engine import BUILDS_KEPT, NodeEngine
from stackctl.errors import PermanentFailure
from stackctl.local.engine.client import Engine
from stackctl.local.engine.endpoint import parse_endpoint
from tests.engines import EngineForTests
from tests.images import BUSYBOX_IMAGE

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

REPOSITORY = "stackctl.internal/tnode/web"


class Images:
    """What the managers hold, in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.asked: list[str] = []

    @contextlib.contextmanager
    def open(self, image: str) -> Iterator[ImageContent]:
        self.asked.append(image)
        if image not in self.held:
            raise ImageMissing(f"no manager holds image {image}")
        content = self.held[image]
        pieces = (content[start : start + 65536] for start in range(0, len(content), 65536))
        yield ImageContent(len(content), pieces)


class Node:
    """An engine, what its cluster holds, and a plain client to look with."""

    def __init__(self, engine: EngineForTests) -> None:
        self.images = Images()
        self.driver = NodeEngine(engine.url, self.images)
        self.plain = Engine(parse_endpoint(engine.url))

    def build(self, tag: str) -> str:
        """An image that the managers hold and the engine does not."""
        name = f"{REPOSITORY}:{tag}"
        self.plain.post(f"/images/{BUSYBOX_IMAGE}/tag", query={"repo": REPOSITORY, "tag": tag})
        with self.plain.stream("GET", f"/images/{name}/get") as answer:
            self.images.held[name] = b"".join(answer.pieces())
        self.plain.delete(f"/images/{name}")
        return name

    def names(self) -> list[str]:
        found = self.plain.get("/images/json", {"filters": {"reference": [REPOSITORY]}})
        return sorted(name for image in found for name in image["RepoTags"])


@pytest.fixture
def node(engine: EngineForTests) -> Iterator[Node]:
    found = Node(engine)
    try:
        yield found
    finally:
        found.driver.close()
        for name in found.names():
            found.plain.delete(f"/images/{name}", {"force": True})


def test_an_image_of_the_cluster_comes_from_the_managers_once(node: Node) -> None:
    name = node.build("1")
    heard: list[tuple[int, int]] = []
    node.driver.fetch(name, lambda done, size: heard.append((done, size)))
    node.driver.pull(name)
    assert node.names() == [name]
    assert node.images.asked == [name]
    size = len(node.images.held[name])
    assert heard[-1] == (size, size)


def test_an_image_that_no_manager_holds_is_missing(node: Node) -> None:
    with pytest.raises(ImageMissing, match="no manager holds image"):
        node.driver.pull(f"{REPOSITORY}:none")


def test_what_is_another_image_or_none_is_refused(node: Node) -> None:
    node.images.held[f"{REPOSITORY}:2"] = node.images.held[node.build("1")]
    with pytest.raises(PermanentFailure, match="is another image"):
        node.driver.pull(f"{REPOSITORY}:2")
    node.images.held[f"{REPOSITORY}:3"] = b"no archive at all"
    with pytest.raises(PermanentFailure, match="the engine cannot load image"):
        node.driver.pull(f"{REPOSITORY}:3")


def test_of_many_builds_the_last_ones_stay(node: Node) -> None:
    names = [node.build(str(number)) for number in range(BUILDS_KEPT + 3)]
    for name in names:
        node.driver.pull(name)
    assert names[-1] in node.names()
    assert len(node.names()) == BUILDS_KEPT
