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
}


def complete_content(answer: Answer) -> ContentView:
    """A content with every field."""
    return cast("ContentView", filled(ContentView, answer, DEFAULTS))


def complete_image(answer: Answer) -> ImageView:
    """An image with every field."""
    return cast("ImageView", filled(ImageView, answer, DEFAULTS))
