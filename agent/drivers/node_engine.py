"""The engine of a node that belongs to a cluster: some images come from the managers.

Which ones is said by their names (`stackctl.model.cluster_images`). They are loaded under these
names, so that everything else about them is as with images of a registry.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from agent.drivers.docker_engine import PULL_SILENCE_SECONDS, DockerEngine
from agent.drivers.engine import ImageMissing, NoSuchContainer
from agent.drivers.manager_images import ImageSource
from stackctl.errors import DriverFailure, PermanentFailure
from stackctl.model.cluster_images import is_cluster_image, repository_of

BUILDS_KEPT = 3  # of one image, for the next rollback


class NodeEngine(DockerEngine):
    """One Docker Engine, and the managers beside the registries."""

    def __init__(self, url: str, images: ImageSource) -> None:
        super().__init__(url)
        self._images = images
        # One at a time: a task may want what a manager has just asked for.
        self._fetching = threading.Lock()

    def pull(self, image: str, *, platform: str = "", refresh_seconds: float | None = None) -> None:
        """As the engine's, from the managers for images that they hold."""
        if is_cluster_image(image):
            self.fetch(image)
        else:
            super().pull(image, platform=platform, refresh_seconds=refresh_seconds)

    def fetch(self, image: str, on_bytes: Callable[[int, int], None] = lambda _, __: None) -> None:
        """Fetch an image from the managers unless the engine has it: its name says its content.

        `on_bytes` hears how many bytes have come, and of how many. Raises as `pull` does.
        """
        with self._fetching:
            if self._has_image(image):
                return
            with self._images.open(image) as content:
                self._load(image, _counted(content.pieces, content.size_bytes, on_bytes))
            if not self._has_image(image):
                raise PermanentFailure(f"what the managers hold as {image} is another image")
            self._forget_earlier_builds(image)

    def _load(self, image: str, content: Iterable[bytes]) -> None:
        answer = self._call(
            lambda client: list(client.load_image(content)),  # type: ignore[no-untyped-call]  # the stubs leave it out
            timeout_seconds=PULL_SILENCE_SECONDS,
        )
        for line in answer:
            if "error" in line:
                raise PermanentFailure(f"the engine cannot load image {image}: {_why(line)}")

    def _forget_earlier_builds(self, image: str) -> None:
        """Every build is an image of its own, and nobody else would clean up. One that a container
        uses stays: the engine refuses to remove it. One that is wanted again is fetched again.
        """
        repository = repository_of(image)
        found = self._call(lambda client: client.images(name=repository))
        by_age = sorted(found, key=lambda it: int(it.get("Created") or 0), reverse=True)
        names = [name for it in by_age for name in it.get("RepoTags") or ()]
        for name in [it for it in names if it != image][BUILDS_KEPT - 1 :]:
            with contextlib.suppress(DriverFailure):
                self._call(
                    lambda client, name=name: client.remove_image(name)  # type: ignore[misc]  # mypy knows no defaults of lambdas
                )

    def _has_image(self, image: str) -> bool:
        try:
            self._call(
                lambda client: client.inspect_image(image)  # type: ignore[no-untyped-call]  # the stubs leave it out
            )
        except (ImageMissing, NoSuchContainer):
            return False
        return True


def _why(line: Mapping[str, object]) -> str:
    words = str(line["error"])
    if "no space left on device" in words:
        return "no space left on this node's disk; docker system prune makes room"
    return words


def _counted(
    pieces: Iterable[bytes], size_bytes: int, on_bytes: Callable[[int, int], None]
) -> Iterator[bytes]:
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        on_bytes(done, size_bytes)
