"""The engine of a node that belongs to a cluster: some images come from the managers.

Which ones is said by their names (`stackctl.model.cluster_images`). They are loaded under these
names, so that everything else about them is as with images of a registry.
"""

from collections.abc import Iterable

from agent.drivers.docker_engine import PULL_SILENCE_SECONDS, DockerEngine
from agent.drivers.engine import ImageMissing, NoSuchContainer
from agent.drivers.manager_images import ImageSource
from stackctl.errors import PermanentFailure
from stackctl.model.cluster_images import is_cluster_image


class NodeEngine(DockerEngine):
    """One Docker Engine, and the managers beside the registries."""

    def __init__(self, url: str, images: ImageSource) -> None:
        super().__init__(url)
        self._images = images

    def pull(self, image: str, *, platform: str = "", refresh_seconds: float | None = None) -> None:
        """As the engine's, from the managers for images that they hold."""
        if not is_cluster_image(image):
            super().pull(image, platform=platform, refresh_seconds=refresh_seconds)
            return
        if self._has_image(image):  # the name says which content is meant
            return
        with self._images.open(image) as content:
            self._load(image, content)
        if not self._has_image(image):
            raise PermanentFailure(f"what the managers hold as {image} is another image")

    def _load(self, image: str, content: Iterable[bytes]) -> None:
        answer = self._call(
            lambda client: list(client.load_image(content)),  # type: ignore[no-untyped-call]  # the stubs leave it out
            timeout_seconds=PULL_SILENCE_SECONDS,
        )
        for line in answer:
            if "error" in line:
                raise PermanentFailure(f"the engine cannot load image {image}: {line['error']}")

    def _has_image(self, image: str) -> bool:
        try:
            self._call(
                lambda client: client.inspect_image(image)  # type: ignore[no-untyped-call]  # the stubs leave it out
            )
        except (ImageMissing, NoSuchContainer):
            return False
        return True
