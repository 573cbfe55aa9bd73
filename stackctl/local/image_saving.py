"""An engine's image as a cluster gets it: under a name that says its content, then as a stream."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from stackctl.local.engine.client import Engine
from stackctl.local.failures import EngineRefusal
from stackctl.model.cluster_images import cluster_reference, repository_of


class SavedImage(NamedTuple):
    """An image that is ready to be sent: `reference` is its name in the cluster."""

    reference: str
    size_bytes: int  # of its layers; what is sent is a little more
    platform: str  # OS/ARCH


def name_for_cluster(engine: Engine, image: str, image_id: str) -> SavedImage:
    """Give an image of the engine its name in the cluster. Raises EngineRefusal."""
    found = engine.get(f"/images/{image_id}/json")
    reference = cluster_reference(image, found["Id"])
    repository = repository_of(reference)
    tag = reference.removeprefix(f"{repository}:")
    engine.post(f"/images/{image_id}/tag", query={"repo": repository, "tag": tag})
    return SavedImage(
        reference, int(found.get("Size") or 0), f"{found['Os']}/{found['Architecture']}"
    )


def save_image(
    engine: Engine, reference: str, *, on_bytes: Callable[[int], None] = lambda _: None
) -> Iterator[bytes]:
    """An image as `docker save` writes it, in pieces; `on_bytes` hears how much has gone by."""
    done = 0
    with engine.stream("GET", f"/images/{reference}/get") as answer:
        for piece in answer.pieces():
            done += len(piece)
            yield piece
            on_bytes(done)


def forget_earlier_builds(engine: Engine, reference: str) -> None:
    """Take the names of earlier builds away, so that their layers can be cleaned up here.

    One that a container runs keeps its name: the engine refuses to take that.
    """
    repository = repository_of(reference)
    for image in engine.get("/images/json", {"filters": {"reference": [repository]}}):
        for name in image.get("RepoTags") or ():
            if name != reference and repository_of(name) == repository:
                with suppress(EngineRefusal):
                    engine.delete(f"/images/{name}", {"noprune": True})
