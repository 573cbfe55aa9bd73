"""Services whose images somebody has built before the file is read for a cluster.

They run that image, whatever `image:` says, and what the file says about building and fetching it
is done with: nodes take it as it is.
"""

from collections.abc import Mapping, Sequence

import msgspec

from stackctl.compose.document import Document, Service
from stackctl.compose.verdicts.judge import Judgement
from stackctl.model.specs import PullPolicy

_DONE_WITH = frozenset(("build", "pull_policy"))


def with_built_images(document: Document, images: Mapping[str, str]) -> Document:
    """The document with these images, by service."""
    if not images:
        return document
    services = tuple(_with_image(service, images) for service in document.services)
    return msgspec.structs.replace(document, services=services)


def without_building(
    judgements: Sequence[Judgement], images: Mapping[str, str]
) -> tuple[Judgement, ...]:
    """The judgements without those of keys that only say how such an image is made or fetched."""
    return tuple(each for each in judgements if not _is_done_with(each.place.path, images))


def _with_image(service: Service, images: Mapping[str, str]) -> Service:
    image = images.get(service.key)
    if image is None:
        return service
    container = msgspec.structs.replace(
        service.container, image=image, pull_policy=PullPolicy.MISSING
    )
    return msgspec.structs.replace(service, container=container, build=None, pull_builds=False)


def _is_done_with(path: Sequence[str | int], images: Mapping[str, str]) -> bool:
    match path:
        case ("services", str(key), str(name), *_):
            return key in images and name in _DONE_WITH
    return False
