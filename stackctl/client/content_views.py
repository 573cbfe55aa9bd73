"""The API's answers about configs, secrets and images, as `views` has all others."""

from collections.abc import Mapping
from typing import TypedDict, cast

from stackctl.client.views import Answer, filled


class ContentView(TypedDict):
    """One content of a config or secret."""

    id: str
    kind: str
    name: str
    stack: str
    number: int
    digest: str
    is_current: bool
    used_by: list[str]
    kept_for: list[str]
    labels: dict[str, str]
    created_at: float
    removing: bool


class ImageView(TypedDict):
    """One image that the answering manager holds."""

    reference: str
    size_bytes: int
    stored_at: float


class ImageTransfer(TypedDict):
    """How an image comes to a node."""

    image: str
    node: str
    state: str
    done_bytes: int
    size_bytes: int
    error: str


# Mutable defaults are shared between answers; nobody changes an answer.
DEFAULTS: Mapping[type, Answer] = {
    ContentView: {
        "used_by": [],
        "kept_for": [],
        "labels": {},
        "created_at": 0,
        "removing": False,
    },
    ImageView: {},
    ImageTransfer: {"done_bytes": 0, "size_bytes": 0, "error": ""},
}


def complete_content(answer: Answer) -> ContentView:
    """A content with every field."""
    return cast("ContentView", filled(ContentView, answer, DEFAULTS))


def complete_image(answer: Answer) -> ImageView:
    """An image with every field."""
    return cast("ImageView", filled(ImageView, answer, DEFAULTS))


def complete_transfer(answer: Answer) -> ImageTransfer:
    """A transfer with every field."""
    return cast("ImageTransfer", filled(ImageTransfer, answer, DEFAULTS))
